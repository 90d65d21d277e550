package notify

import (
	"maps"
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
	event    string
	provider string         // empty: it is about the chain
	reason   failover.Class // empty: none
	key      string         // equal for a message and its edits
	edit     bool           // change the message of that key, where that is possible
	text     string
}

// tracker turns the states of one chain into notes. It is a state machine: no
// clock, no lock, no I/O.
type tracker struct {
	chain string
	pod   string
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
	answered uint64                  // count when it was seen open last
	told     time.Time               // of its last message; zero: it has none
	covered  bool                    // the message of an incident before it names it
	edited   time.Time
	flaps    int
	toldFlap int
}

// known reports that people know of it.
func (in *incident) known() bool { return in != nil && (in.covered || !in.told.IsZero()) }

// exhaustion is a time in which requests found nobody.
type exhaustion struct {
	began, last, told time.Time
	requests          uint64
	ok                uint64 // count of succeeded requests when the last one failed
}

// look is what one step sees.
type look struct {
	now    time.Time
	status failover.ChainStatus
	counts counts
	repeat time.Duration
}

func newTracker(chain, pod string) *tracker {
	return &tracker{chain: chain, pod: pod, downs: map[string]*incident{}}
}

// step looks at the chain as it is now.
func (t *tracker) step(l look) []note {
	notes := t.exhausted(l)
	maps.DeleteFunc(t.downs, func(name string, _ *incident) bool { return indexOf(l.status, name) < 0 })
	for _, p := range l.status.Providers {
		t.follow(l, p)
	}
	for _, p := range l.status.Providers {
		if in := t.downs[p.Name]; in != nil {
			notes = append(notes, t.tell(l, p, in)...)
		}
	}
	t.settle(l)
	t.seen = l.counts
	return notes
}

// indexOf is the place of a provider in the chain, or -1.
func indexOf(st failover.ChainStatus, name string) int {
	return slices.IndexFunc(st.Providers, func(p failover.ProviderStatus) bool { return p.Name == name })
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
func (t *tracker) follow(l look, p failover.ProviderStatus) {
	in := t.downs[p.Name]
	switch {
	case in == nil && down(p):
		in = &incident{began: l.now, bypassed: t.seen.bypassed[p.Name]}
		t.downs[p.Name] = in
		fallthrough
	case in != nil && down(p):
		if !in.closed.IsZero() {
			in.flaps++
		}
		in.status, in.closed, in.answered = p, time.Time{}, l.counts.answered[p.Name]
	case in == nil:
	case p.Circuit.Phase != failover.Closed:
		in.closed = time.Time{}
	case in.closed.IsZero():
		in.closed = l.now
	}
}

// lead is who answers as far as people know: the first provider that they do
// not know to be down. Only its outage is a failover.
func (t *tracker) lead(st failover.ChainStatus) string {
	for _, p := range st.Providers {
		if !t.downs[p.Name].known() {
			return p.Name
		}
	}
	return ""
}

// tell says what an incident is worth saying now.
func (t *tracker) tell(l look, p failover.ProviderStatus, in *incident) []note {
	n := note{event: eventFailover, provider: p.Name, reason: reasonOf(in.status), key: t.chain + "/" + p.Name + "/" + in.began.Format(time.RFC3339Nano)}
	behind := indexOf(l.status, l.status.Active) > indexOf(l.status, p.Name) // somebody behind it answers
	switch {
	case t.over(l, p, in):
		delete(t.downs, p.Name)
		if in.told.IsZero() {
			return nil
		}
		n.event, n.key, n.text = eventRecovery, n.key+"/end", recoveryText(t, p, in, l)
	case !behind || !down(p) || t.spent != nil: // no failover, or more than one
		return nil
	case in.told.IsZero():
		if in.covered || p.Name != t.lead(l.status) || l.now.Sub(in.began) < groupFor {
			return nil
		}
		in.told, in.edited, in.toldFlap = l.now, l.now, in.flaps
		t.cover(l)
		n.text = failoverText(t, p.Name, in, l.status)
	case l.now.Sub(in.told) >= l.repeat:
		if t.inhibited(l, p) {
			return nil
		}
		in.told, in.edited, in.toldFlap = l.now, l.now, in.flaps
		n.text = failoverText(t, p.Name, in, l.status)
	case in.flaps > in.toldFlap && l.now.Sub(in.edited) >= editPause:
		in.edited, in.toldFlap = l.now, in.flaps
		n.edit, n.text = true, failoverText(t, p.Name, in, l.status)
	default:
		return nil
	}
	return []note{n}
}

// cover marks what a failover's message says along the way: all that is down
// before the provider that goes on.
func (t *tracker) cover(l look) {
	for _, p := range l.status.Providers {
		if p.Name == l.status.Active {
			return
		}
		if in := t.downs[p.Name]; in != nil && in.told.IsZero() {
			in.covered = true
		}
	}
}

// inhibited reports that the repeated message of a provider before p names p.
func (t *tracker) inhibited(l look, p failover.ProviderStatus) bool {
	for _, o := range l.status.Providers[:indexOf(l.status, p.Name)] {
		if in := t.downs[o.Name]; in != nil && !in.told.IsZero() && down(o) {
			return true
		}
	}
	return false
}

// over reports that a provider has served long enough to be back.
func (t *tracker) over(l look, p failover.ProviderStatus, in *incident) bool {
	return !in.closed.IsZero() && l.now.Sub(in.closed) >= servedFor && l.counts.answered[p.Name] > in.answered
}

// settle forgets, in silence, the incidents of providers that nobody asks any
// more, because one before them is well: whether they are back will show when
// they are asked again, and is then news.
func (t *tracker) settle(l look) {
	active := indexOf(l.status, l.status.Active)
	if active < 0 || t.downs[l.status.Active] != nil {
		return
	}
	for _, p := range l.status.Providers[active+1:] {
		in := t.downs[p.Name]
		if in == nil || !p.Usable() {
			continue
		}
		if p.Circuit.Phase == failover.HalfOpen || l.counts.answered[p.Name] == in.answered {
			delete(t.downs, p.Name)
		}
	}
}

// exhausted follows requests that found nobody.
func (t *tracker) exhausted(l look) []note {
	fresh := l.counts.spent - t.seen.spent
	if fresh > 0 && t.spent == nil {
		t.spent = &exhaustion{began: l.now}
	}
	x := t.spent
	if x == nil {
		return nil
	}
	if fresh > 0 {
		x.requests, x.last, x.ok = x.requests+fresh, l.now, l.counts.ok
	}
	n := note{event: eventExhausted, reason: failover.Exhausted, key: t.chain + "/exhausted/" + x.began.Format(time.RFC3339Nano)}
	switch {
	case l.now.Sub(x.last) >= calmFor && l.status.Active != "" && l.counts.ok > x.ok:
		t.spent = nil
		if x.told.IsZero() {
			return nil
		}
		n.event, n.key, n.text = eventRecovery, n.key+"/end", calmText(t, x, l.status)
	case x.told.IsZero() && l.now.Sub(x.began) >= groupFor, !x.told.IsZero() && l.now.Sub(x.told) >= l.repeat && fresh > 0:
		x.told = l.now
		n.text = exhaustedText(t, x, l.status)
	default:
		return nil
	}
	return []note{n}
}
