package notify

import (
	"slices"
	"time"

	"github.com/understudy-dev/understudy/internal/failover"
)

// Pace of telling.
const (
	groupFor  = 5 * time.Second  // what begins together is told together
	servedFor = 60 * time.Second // how long a provider must serve to be back
	longGate  = 30 * time.Second // shorter gates are no incident
	editPause = time.Minute      // between two edits of one message
	calmFor   = 60 * time.Second // without exhaustion, for it to be over
)

// counts is what traffic did, since the start.
type counts struct {
	answered map[string]uint64 // by provider
	bypassed map[string]uint64 // passed over, or tried and left
	ok       uint64            // requests that succeeded
	spent    uint64            // requests that nobody could answer
}

// note is one thing to tell.
type note struct {
	event string
	key   string // equal for a message and its edits
	edit  bool   // change the message of that key, where that is possible
	text  string
}

// tracker turns the states of one chain into notes. It is a state machine: no
// clock, no lock, no I/O.
type tracker struct {
	chain string
	pod   string
	lead  string // who answered, as people were told last
	downs map[string]*incident
	spent *exhaustion
	seen  counts
}

// incident is one provider's outage, from its circuit's opening until it has
// served for a minute; reopening on the way is the same incident.
type incident struct {
	began    time.Time
	status   failover.ProviderStatus // as it was when it opened last
	bypassed uint64                  // count before it
	closed   time.Time               // since when it is closed; zero: it is not
	answered uint64                  // count when it closed
	told     time.Time               // of its message; zero: it has none
	to       string                  // who went on, as told
	edited   time.Time
	flaps    int
	toldFlap int
}

// exhaustion is a time in which requests found nobody.
type exhaustion struct {
	began, last, told time.Time
	requests          uint64
}

func newTracker(chain, pod string) *tracker {
	return &tracker{chain: chain, pod: pod, downs: map[string]*incident{}}
}

// step looks at the chain as it is now.
func (t *tracker) step(now time.Time, st failover.ChainStatus, c counts, repeat time.Duration) []note {
	if !slices.ContainsFunc(st.Providers, func(p failover.ProviderStatus) bool { return p.Name == t.lead }) && len(st.Providers) > 0 {
		t.lead = st.Providers[0].Name
	}
	notes := t.exhausted(now, st, c, repeat)
	for _, p := range st.Providers {
		t.follow(now, p, c)
	}
	for _, p := range st.Providers {
		if in := t.downs[p.Name]; in != nil {
			notes = append(notes, t.tell(look{now, st, c, repeat}, p, in)...)
		}
	}
	for name := range t.downs {
		if !slices.ContainsFunc(st.Providers, func(p failover.ProviderStatus) bool { return p.Name == name }) {
			delete(t.downs, name)
		}
	}
	t.seen = c
	return notes
}

// down reports a state that is worth an incident.
func down(p failover.ProviderStatus) bool {
	if p.CredentialError != nil {
		return true
	}
	s := p.Circuit
	return s.Phase == failover.Open && (!s.Gated || s.Until.Sub(s.Since) > longGate)
}

// follow begins and continues incidents.
func (t *tracker) follow(now time.Time, p failover.ProviderStatus, c counts) {
	in := t.downs[p.Name]
	switch {
	case in == nil && down(p):
		t.downs[p.Name] = &incident{began: now, status: p, bypassed: t.seen.bypassed[p.Name]}
	case in == nil:
	case down(p):
		if !in.closed.IsZero() {
			in.flaps++
		}
		in.status, in.closed = p, time.Time{}
	case p.Circuit.Phase == failover.Closed && in.closed.IsZero():
		in.closed, in.answered = now, c.answered[p.Name]
	case p.Circuit.Phase != failover.Closed:
		in.closed = time.Time{}
	}
}

// look is what one step sees.
type look struct {
	now    time.Time
	status failover.ChainStatus
	counts counts
	repeat time.Duration
}

// tell says what an incident is worth saying now.
func (t *tracker) tell(l look, p failover.ProviderStatus, in *incident) []note {
	now, st, c := l.now, l.status, l.counts
	key := t.chain + "/" + p.Name + "/" + in.began.Format(time.RFC3339Nano)
	switch {
	case t.over(now, p, in, c):
		delete(t.downs, p.Name)
		if in.told.IsZero() {
			return nil
		}
		if st.Active != "" {
			t.lead = st.Active
		}
		return []note{{event: eventRecovery, key: key + "/end", text: recoveryText(t, p, in, st, c)}}
	case in.told.IsZero():
		if p.Name != t.lead || st.Active == "" || st.Active == p.Name || now.Sub(in.began) < groupFor || t.spent != nil {
			return nil
		}
		in.told, in.edited, in.to = now, now, st.Active
		t.lead = st.Active
		return []note{{event: eventFailover, key: key, text: failoverText(t, p.Name, in, st)}}
	case now.Sub(in.told) >= l.repeat:
		in.told, in.toldFlap = now, in.flaps
		return []note{{event: eventFailover, key: key, text: failoverText(t, p.Name, in, st)}}
	case in.flaps > in.toldFlap && now.Sub(in.edited) >= editPause:
		in.edited, in.toldFlap = now, in.flaps
		return []note{{event: eventFailover, key: key, edit: true, text: failoverText(t, p.Name, in, st)}}
	}
	return nil
}

// over reports that a provider has served long enough to be back.
func (t *tracker) over(now time.Time, p failover.ProviderStatus, in *incident, c counts) bool {
	return !in.closed.IsZero() && now.Sub(in.closed) >= servedFor && c.answered[p.Name] > in.answered
}

// exhausted follows requests that found nobody.
func (t *tracker) exhausted(now time.Time, st failover.ChainStatus, c counts, repeat time.Duration) []note {
	fresh := c.spent - min(c.spent, t.seen.spent) // counts begin anew with a chain
	if fresh > 0 && t.spent == nil {
		t.spent = &exhaustion{began: now}
	}
	x := t.spent
	if x == nil {
		return nil
	}
	if x.requests += fresh; fresh > 0 {
		x.last = now
	}
	key := t.chain + "/exhausted/" + x.began.Format(time.RFC3339Nano)
	switch {
	case now.Sub(x.last) >= calmFor && st.Active != "":
		t.spent = nil
		if x.told.IsZero() {
			return nil
		}
		return []note{{event: eventRecovery, key: key + "/end", text: calmText(t, x, st)}}
	case x.told.IsZero() && now.Sub(x.began) >= groupFor, !x.told.IsZero() && now.Sub(x.told) >= repeat && fresh > 0:
		x.told = now
		return []note{{event: eventExhausted, key: key, text: exhaustedText(t, x, st)}}
	}
	return nil
}
