package notify

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/simulator/slack"
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

const (
	webhookURL = "http://slack.test" + slack.DefaultWebhook
	botToken   = "xoxb-canary"
)

// desk is a sender in front of a simulated workspace.
type desk struct {
	workspace *slack.Workspace
	opts      Options
	sender    *sender
	log       *bytes.Buffer
	rotated   string // what the Secret holds now
	mu        sync.Mutex
}

func newDesk() *desk {
	d := &desk{workspace: slack.New(slack.Options{Token: botToken, Channels: []string{"#llm-ops"}}), log: &bytes.Buffer{}}
	transport := roundTripper(func(r *http.Request) (_ *http.Response, err error) {
		defer func() {
			if recover() != nil { // the server hung up
				err = io.EOF
			}
		}()
		rec := httptest.NewRecorder()
		d.workspace.Handler().ServeHTTP(rec, r)
		return rec.Result(), nil
	})
	d.opts = Options{
		Client: &http.Client{Transport: transport, Timeout: 10 * time.Second}, SlackAPI: "http://slack.test/api/", Log: slog.New(slog.NewTextHandler(d.log, nil)), Sent: func(string, string) {},
		Secret: func(r failover.SecretRef) (string, error) {
			secret := map[string]string{"url": webhookURL, "token": botToken, "old": "xoxb-revoked", "odd": "xoxb:canary", "path": "https://hooks.test:canary/%zz"}[r.Key]
			d.mu.Lock()
			defer d.mu.Unlock()
			if d.rotated != "" {
				return d.rotated, nil
			}
			if secret == "" {
				return "", errors.New("the Secret has no such key")
			}
			return secret, nil
		},
	}
	d.sender = newSender(d.opts, &lane{})
	return d
}

// deliver has the sender deliver one note.
func (d *desk) deliver(t *testing.T, n note, key string) string {
	return d.sender.deliver(t.Context(), t.Context(), delivery{note: n, chain: "shop", to: to(key)})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func to(key string) address {
	if key == "token" || key == "old" {
		return address{token: failover.SecretRef{Secret: "slack", Key: key}, channel: "#llm-ops"}
	}
	return address{webhook: failover.SecretRef{Secret: "slack", Key: key}}
}

func TestDelivery(t *testing.T) {
	for _, c := range []struct {
		name   string
		key    string
		fault  slack.Fault
		edit   bool
		result string
		posted int
	}{
		{"a webhook", "url", slack.Fault{}, false, "sent", 1},
		{"a bot token", "token", slack.Fault{}, false, "sent", 1},
		{"a webhook cannot edit", "url", slack.Fault{}, true, "suppressed", 0},
		{"Slack's limit of rate", "token", slack.Fault{Status: 429, RetryAfter: "30", Times: 2}, false, "sent", 1},
		{"Slack's limit of rate on a webhook", "url", slack.Fault{Status: 429, RetryAfter: "30", Times: 2}, false, "sent", 1},
		{"Slack's outage", "url", slack.Fault{Status: 503, Times: 3}, false, "sent", 1},
		{"Slack's endless outage", "url", slack.Fault{Status: 503}, false, "failed", 0},
		{"a revoked token", "old", slack.Fault{}, false, "failed", 0},
		{"an edit of nothing", "token", slack.Fault{}, true, "suppressed", 0},
		{"Slack's own error", "token", slack.Fault{Error: "internal_error", Times: 2}, false, "sent", 1},
		{"a limit of rate with a date", "url", slack.Fault{Status: 429, RetryAfter: "Fri, 31 Dec 1999 23:59:59 GMT", Times: 2}, false, "sent", 1},
		{"a limit of rate for a year", "url", slack.Fault{Status: 429, RetryAfter: "31536000", Times: 1}, false, "sent", 1},
		{"a hang", "url", slack.Fault{Hang: true, Times: 2}, false, "sent", 1},
		{"half an hour's outage", "url", slack.Fault{Status: 503, Times: 34}, false, "sent", 1},
		{"a webhook that is none", "odd", slack.Fault{}, false, "failed", 0},
		{"a webhook that cannot be read", "path", slack.Fault{}, false, "failed", 0},
		{"no such key in the Secret", "none", slack.Fault{}, false, "failed", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk()
				defer d.workspace.Close()
				if c.fault != (slack.Fault{}) {
					d.workspace.Fail(c.fault)
				}
				got := d.deliver(t, note{event: eventFailover, key: "k", edit: c.edit, text: "text"}, c.key)
				if got != c.result || len(d.workspace.Messages()) != c.posted {
					t.Errorf("the result is %q with %d messages, want %q with %d", got, len(d.workspace.Messages()), c.result, c.posted)
				}
				if c.result == "failed" && !strings.Contains(d.log.String(), "fix=") {
					t.Errorf("the log does not say what to do: %s", d.log)
				}
				for _, secret := range []string{slack.DefaultWebhook, botToken, "xoxb-revoked", "canary", "%zz"} {
					if strings.Contains(d.log.String(), secret) {
						t.Errorf("the log holds %q: %s", secret, d.log)
					}
				}
			})
		})
	}
}

func TestABotEditsItsMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk()
		defer d.workspace.Close()
		d.deliver(t, note{key: "k", text: "first"}, "token")
		d.deliver(t, note{key: "k", edit: true, text: "second"}, "token")
		if m := d.workspace.Messages(); len(m) != 1 || m[0].Text != "second" || len(m[0].Edits) != 1 {
			t.Errorf("the channel shows %+v", m)
		}
	})
}

func TestAChainIsHeldToItsHourlyLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk()
		defer d.workspace.Close()
		for range 50 {
			d.deliver(t, note{text: "x"}, "url")
		}
		if n := len(d.workspace.Messages()); n != hourlyLimit {
			t.Errorf("%d messages in an hour", n)
		}
		time.Sleep(time.Hour)
		if got := d.deliver(t, note{text: "x"}, "url"); got != "sent" {
			t.Errorf("an hour later the result is %q", got)
		}
	})
}

func TestARejectionIsToldOnceAndTrafficNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(Options{Snapshot: func() *failover.Snapshot { return nil }, Log: slog.New(slog.DiscardHandler)})
		for range 10_000 { // nobody reads
			n.ConfigRejected("shop", errors.New("spec.providers[0].baseURL: is wrong"))
			n.Attempted(failover.Attempt{Chain: "shop", Provider: "a", Class: failover.OK})
			n.Finished(failover.RequestReport{Chain: "shop", Outcome: failover.ExhaustedAll})
			n.Bypassed("shop", "a", failover.CircuitOpen)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- n.Run(ctx) }()
		time.Sleep(10 * time.Second)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
