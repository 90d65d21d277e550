package notify

import (
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/understudy-dev/understudy/internal/failover"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// story drives a tracker through simulated time, one step a second.
type story struct {
	t       *testing.T
	tracker *tracker
	now     time.Time
	chain   failover.ChainStatus
	counts  counts
	serving bool // the active provider answers a request each second
	notes   []note
}

func newStory(t *testing.T, providers ...string) *story {
	s := &story{
		t: t, tracker: newTracker("shop", ""), now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), serving: true,
		counts: counts{answered: map[string]uint64{}, bypassed: map[string]uint64{}},
	}
	for _, p := range providers {
		s.chain.Providers = append(s.chain.Providers, failover.ProviderStatus{Name: p, State: "Closed"})
	}
	return s
}

// set opens or closes one provider's circuit.
func (s *story) set(i int, phase failover.CircuitPhase, gate time.Duration) {
	p := &s.chain.Providers[i]
	p.Circuit = failover.CircuitState{Phase: phase}
	if phase != failover.Closed {
		p.Circuit.Reason, p.Circuit.Detail, p.Circuit.Since = failover.Overloaded, "529 overloaded_error", s.now
		p.Circuit.Gated, p.Circuit.Until = gate > 0, s.now.Add(gate)
	}
	p.State = phase.String()
}

func (s *story) wait(d time.Duration) {
	for end := s.now.Add(d); s.now.Before(end); s.now = s.now.Add(time.Second) {
		s.chain.Active = ""
		for _, p := range s.chain.Providers {
			if p.Usable() {
				s.chain.Active = p.Name
				break
			}
		}
		if s.serving && s.chain.Active != "" {
			answered, bypassed := map[string]uint64{}, map[string]uint64{}
			for _, p := range s.chain.Providers {
				answered[p.Name], bypassed[p.Name] = s.counts.answered[p.Name], s.counts.bypassed[p.Name]
				if !p.Usable() {
					bypassed[p.Name]++
				}
			}
			answered[s.chain.Active]++
			s.counts.answered, s.counts.bypassed = answered, bypassed
			s.counts.ok++
		}
		s.notes = append(s.notes, s.tracker.step(look{s.now, s.chain, s.counts, 4 * time.Hour})...)
	}
}

// told lists the events of the notes; an edit has a tilde.
func (s *story) told(want string) {
	s.t.Helper()
	var got []string
	for _, n := range s.notes {
		e := n.event
		if n.edit {
			e = "~" + e
		}
		got = append(got, e)
	}
	if strings.Join(got, " ") != want {
		s.t.Errorf("told %q, want %q", strings.Join(got, " "), want)
	}
}

func TestOneOutageIsTwoMessages(t *testing.T) {
	s := newStory(t, "anthropic", "openai")
	s.wait(time.Minute)
	s.set(0, failover.Open, 0)
	s.wait(12 * time.Minute)
	s.set(0, failover.Closed, 0)
	s.wait(30 * time.Second)
	s.told("Failover")
	s.wait(time.Minute)
	s.told("Failover Recovery")
	if want := "Duration: 12m0s, 720 requests bypassed it"; !strings.Contains(s.notes[1].text, want) {
		t.Errorf("the recovery is %q, want %q", s.notes[1].text, want)
	}
}

func TestAFlapIsNoMessageOfItsOwn(t *testing.T) {
	s := newStory(t, "anthropic", "openai")
	s.wait(time.Minute)
	for range 60 {
		s.set(0, failover.Open, 0)
		s.wait(30 * time.Second)
		s.set(0, failover.Closed, 0)
		s.wait(30 * time.Second)
	}
	messages := 0
	for _, n := range s.notes {
		if !n.edit {
			messages++
		}
	}
	if messages != 1 {
		t.Errorf("an hour of flapping made %d messages", messages)
	}
	if last := s.notes[len(s.notes)-1]; !last.edit || last.key != s.notes[0].key || !strings.Contains(last.text, "failed again") {
		t.Errorf("the last note is %+v", last)
	}
}

func TestALongOutageIsRepeated(t *testing.T) {
	for hours, want := range map[int]string{3: "Failover", 9: "Failover Failover Failover"} {
		s := newStory(t, "anthropic", "openai")
		s.set(0, failover.Open, 0)
		s.wait(time.Duration(hours) * time.Hour)
		s.told(want)
	}
}

func TestWhatIsNoFailoverIsNotTold(t *testing.T) {
	for name, act := range map[string]func(*story){
		"a backup's outage":       func(s *story) { s.set(1, failover.Open, 0) },
		"a gate of 20 s":          func(s *story) { s.set(0, failover.Open, 20*time.Second) },
		"an opening of 3 seconds": func(s *story) { s.set(0, failover.Open, 0); s.wait(3 * time.Second); s.set(0, failover.Closed, 0) },
	} {
		s := newStory(t, "anthropic", "openai")
		s.wait(time.Minute)
		act(s)
		s.wait(15 * time.Second)
		s.set(0, failover.Closed, 0)
		s.wait(10 * time.Minute)
		if len(s.notes) != 0 {
			t.Errorf("%s was told: %q", name, s.notes[0].text)
		}
	}
}

func TestExhaustionIsOneMessageAndItsEndAnother(t *testing.T) {
	s := newStory(t, "anthropic", "openai")
	s.wait(time.Minute)
	s.set(0, failover.Open, 0)
	s.set(1, failover.Open, 0)
	for range 120 {
		s.counts.spent++
		s.wait(time.Second)
	}
	s.told("Exhausted")
	s.set(0, failover.Closed, 0)
	s.set(1, failover.Closed, 0)
	s.wait(3 * time.Minute)
	s.told("Exhausted Recovery")
	if !strings.Contains(s.notes[1].text, "120 requests failed") {
		t.Errorf("the end is %q", s.notes[1].text)
	}
}

func TestTheSecondProvidersOutageIsToldToo(t *testing.T) {
	s := newStory(t, "anthropic", "openai", "opus")
	s.set(0, failover.Open, 0)
	s.wait(time.Minute)
	s.set(1, failover.Open, 0)
	s.wait(time.Minute)
	s.told("Failover Failover")
	if want := "Primary: `openai` is down\nActive: `opus` is handling requests"; !strings.Contains(s.notes[1].text, want) {
		t.Errorf("the message is %q", s.notes[1].text)
	}
	if !strings.Contains(s.notes[1].text, "Also down: `anthropic`") {
		t.Errorf("the message does not name who else is down: %q", s.notes[1].text)
	}
}
