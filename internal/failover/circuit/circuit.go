package circuit

import (
	"sync/atomic"
	"time"

	"github.com/understudy-dev/understudy/internal/failover"
)

// circuit is one entry's view of its three scopes.
type circuit struct {
	registry *Registry
	key      failover.CircuitKey
	entry    *scope
	host     *host
	settings failover.Breaker // guarded by the registry's mutex
	forced   atomic.Bool

	credential atomic.Pointer[credential] // the one asked for last
}

type credential struct {
	fingerprint string
	scope       *scope
}

var _ failover.Circuit = (*circuit)(nil)

// scopes returns host, credential (nil for an entry without one) and entry.
func (c *circuit) scopes(fingerprint string) [3]*scope {
	if fingerprint == "" {
		return [3]*scope{&c.host.scope, nil, c.entry}
	}
	known := c.credential.Load()
	if known == nil || known.fingerprint != fingerprint {
		known = c.registry.credential(c, fingerprint)
	}
	return [3]*scope{&c.host.scope, known.scope, c.entry}
}

// shared are the scopes that other entries may use as well.
func (c *circuit) shared() []*scope {
	if known := c.credential.Load(); known != nil {
		return []*scope{&c.host.scope, known.scope}
	}
	return []*scope{&c.host.scope}
}

// Allow implements failover.Circuit.
func (c *circuit) Allow(fingerprint string) (failover.Permit, failover.Refusal) {
	now := time.Now()
	p := &permit{circuit: c}
	for i, s := range c.scopes(fingerprint) {
		if s == nil {
			continue
		}
		sl, no := s.allow(now)
		if sl.scope == nil {
			p.giveBack()
			return nil, no
		}
		p.slots[i] = sl
	}
	return p, failover.Refusal{}
}

// Force implements failover.Circuit.
func (c *circuit) Force(fingerprint string) failover.Permit {
	if !c.forced.CompareAndSwap(false, true) {
		return nil
	}
	now := time.Now()
	p := &permit{circuit: c, forced: true}
	for i, s := range c.scopes(fingerprint) {
		if s == nil {
			continue
		}
		sl, ok := s.force(now)
		if !ok {
			p.giveBack()
			c.forced.Store(false)
			return nil
		}
		p.slots[i] = sl
	}
	return p
}

// State implements failover.Circuit: the worst of the three, and among equals
// the one that lasts longest.
func (c *circuit) State(fingerprint string) failover.CircuitState {
	now := time.Now()
	worst := failover.CircuitState{Reason: failover.OK}
	for _, s := range c.scopes(fingerprint) {
		if s == nil {
			continue
		}
		st := s.state(now)
		if st.Phase > worst.Phase || st.Phase == worst.Phase && st.Until.After(worst.Until) {
			worst = st
		}
	}
	return worst
}

// permit is one allowed visit. It is used by one goroutine at a time.
type permit struct {
	circuit   *circuit
	slots     [3]slot
	forced    bool
	committed bool
	ended     bool
}

// giveBack returns slots of a visit that does not take place.
func (p *permit) giveBack() {
	for i := range p.slots {
		if sl := &p.slots[i]; sl.scope != nil {
			sl.scope.excuse(sl)
		}
	}
}

// Commit implements failover.Permit.
func (p *permit) Commit() {
	if p.ended || p.committed {
		return
	}
	p.committed = true
	now := time.Now()
	for i := range p.slots {
		if sl := &p.slots[i]; sl.scope != nil {
			sl.scope.succeed(sl, now)
		}
	}
	p.release()
}

// Done implements failover.Permit.
func (p *permit) Done(v failover.Verdict) {
	if p.ended {
		return
	}
	if v.Class == "" || v.Class == failover.OK {
		p.Commit()
		p.ended = true
		return
	}
	p.ended = true
	defer p.release()
	if v.Blame == failover.Credential && p.slots[1].scope == nil {
		v.Blame = failover.Entry // it sends no credential that could be held
	}
	now := time.Now()
	for i := range p.slots {
		sl := &p.slots[i]
		switch {
		case sl.scope == nil:
		case sl.scope.kind == v.Blame:
			if sl.scope.blame(sl, v, p.committed, now) && v.Blame == failover.Entry {
				p.circuit.host.modelTripped(p.circuit.key.Model, v, now)
			}
		case !p.committed:
			sl.scope.excuse(sl)
		}
	}
}

// release lets the next forced visit in.
func (p *permit) release() {
	if p.forced {
		p.forced = false
		p.circuit.forced.Store(false)
	}
}
