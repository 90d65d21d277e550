package circuit

import (
	"slices"
	"time"

	"github.com/understudy-dev/understudy/internal/failover"
)

// model is what the package promises, told without gobreaker, without locks
// and without care for speed. It keeps everything that ever happened.
type model struct {
	settings failover.Breaker
	scopes   map[string]*modelScope
	tripped  map[string]modelTrip // by host
	forced   map[int]bool         // by circuit
}

type modelTrip struct {
	model string
	at    time.Time
}

type modelScope struct {
	age       int // grows when visits under way become visits of the past
	outcomes  []modelOutcome
	openUntil time.Time
	gateUntil time.Time
	trial     bool
	busy      *modelVisit
	limited   int
}

type modelOutcome struct {
	visit  *modelVisit
	at     time.Time
	failed bool
}

type modelVisit struct {
	circuit   int
	key       failover.CircuitKey
	scopes    [3]*modelScope
	ages      [3]int
	past      [3]bool // forced past an open breaker
	committed bool
	forced    bool
}

func newModel(settings failover.Breaker) *model {
	return &model{settings: settings, scopes: map[string]*modelScope{}, tripped: map[string]modelTrip{}, forced: map[int]bool{}}
}

// three gives host, credential and entry, as they are now.
func (m *model) three(k failover.CircuitKey, credential string) [3]*modelScope {
	var all [3]*modelScope
	for i, name := range []string{k.Host, k.Host + " " + credential, k.Entry} {
		if m.scopes[name] == nil {
			m.scopes[name] = &modelScope{}
		}
		all[i] = m.scopes[name]
		all[i].pass()
	}
	return all
}

// pass lets time have its effect.
func (s *modelScope) pass() {
	now := time.Now()
	lapsed := false
	for _, until := range []*time.Time{&s.gateUntil, &s.openUntil} {
		if !until.IsZero() && !now.Before(*until) {
			*until, lapsed = time.Time{}, true
		}
	}
	if lapsed && s.openUntil.IsZero() && (s.gateUntil.IsZero() || !s.trial) {
		s.trial = true
		s.restart()
	}
}

func (s *modelScope) restart() { s.outcomes, s.busy = nil, nil; s.age++ }

func (s *modelScope) phase() failover.CircuitPhase {
	switch {
	case !s.gateUntil.IsZero() || !s.openUntil.IsZero():
		return failover.Open
	case s.trial:
		return failover.HalfOpen
	}
	return failover.Closed
}

func (m *model) state(k failover.CircuitKey, credential string) (failover.CircuitPhase, time.Time) {
	phase, until := failover.Closed, time.Time{}
	for _, s := range m.three(k, credential) {
		phase = max(phase, s.phase())
		until = maxTime(until, maxTime(s.gateUntil, s.openUntil))
	}
	return phase, until
}

func (m *model) allow(i int, k failover.CircuitKey, credential string, force bool) *modelVisit {
	v := &modelVisit{circuit: i, key: k, scopes: m.three(k, credential), forced: force}
	if force && m.forced[i] {
		return nil
	}
	for j, s := range v.scopes {
		busy := s.trial && s.busy != nil && s.openUntil.IsZero()
		if !s.gateUntil.IsZero() || busy || !force && !s.openUntil.IsZero() {
			return nil
		}
		v.ages[j], v.past[j] = s.age, !s.openUntil.IsZero()
	}
	for _, s := range v.scopes {
		if s.trial && s.openUntil.IsZero() {
			s.busy = v
		}
	}
	m.forced[i] = force || m.forced[i]
	return v
}

func (m *model) free(v *modelVisit) {
	for _, s := range v.scopes {
		if s.busy == v {
			s.busy = nil
		}
	}
	if v.forced {
		v.forced, m.forced[v.circuit] = false, false
	}
}

func (m *model) commit(v *modelVisit) {
	v.committed = true
	for j, s := range v.scopes {
		s.pass()
		if s.age != v.ages[j] {
			continue
		}
		if v.past[j] {
			s.openUntil = time.Time{}
			s.restart()
		}
		s.trial, s.limited = false, 0
		s.outcomes = append(s.outcomes, modelOutcome{v, time.Now(), false})
	}
	m.free(v)
}

func (m *model) done(v *modelVisit, verdict failover.Verdict) {
	if verdict.Class == failover.OK {
		if !v.committed {
			m.commit(v)
		}
		return
	}
	j := map[failover.Scope]int{failover.Host: 0, failover.Credential: 1, failover.Entry: 2}
	if at, ok := j[verdict.Blame]; ok && m.blame(v, at, verdict) && verdict.Blame == failover.Entry {
		m.siblings(v)
	}
	m.free(v)
}

// blame reports whether the scope opened.
func (m *model) blame(v *modelVisit, j int, verdict failover.Verdict) bool {
	s, now := v.scopes[j], time.Now()
	s.pass()
	current := s.age == v.ages[j] && !v.past[j]
	s.outcomes = slices.DeleteFunc(s.outcomes, func(o modelOutcome) bool { return o.visit == v })
	opened := false
	if v.committed {
		current = current || s.openUntil.IsZero() && !s.trial
	}
	if verdict.Strike && current && s.openUntil.IsZero() {
		s.outcomes = append(s.outcomes, modelOutcome{v, now, true})
		opened = s.trial || m.enough(s.outcomes, now)
	}
	if opened {
		s.openUntil, s.trial = now.Add(m.settings.OpenFor), false
		s.restart()
	}
	if verdict.Hold > 0 {
		m.close(s, s.age == v.ages[j], verdict, now)
	}
	return opened
}

func (m *model) close(s *modelScope, current bool, verdict failover.Verdict, now time.Time) {
	d := verdict.Hold
	if verdict.Class == failover.RateLimited && verdict.RetryAfter == 0 {
		if current || s.limited == 0 {
			s.limited++
		}
		for range s.limited - 1 {
			d = min(2*d, time.Minute)
		}
	}
	s.gateUntil = maxTime(s.gateUntil, now.Add(d))
	s.busy = nil
	s.age++
}

// enough reports whether the outcomes open a breaker.
func (m *model) enough(all []modelOutcome, now time.Time) bool {
	failures, recent := 0, all[max(0, len(all)-10):]
	ratio, of := 0, 0
	for i, o := range all {
		if now.Sub(o.at) > m.settings.Window {
			continue
		}
		last := i >= len(all)-len(recent)
		if last {
			of++
		}
		if o.failed {
			failures++
			if last {
				ratio++
			}
		}
	}
	return failures >= m.settings.Failures && ratio*100 >= m.settings.FailureRatioPercent*of
}

// siblings opens the host when two of its models trip within 30 s.
func (m *model) siblings(v *modelVisit) {
	now, last := time.Now(), m.tripped[v.key.Host]
	m.tripped[v.key.Host] = modelTrip{v.key.Model, now}
	if last.model != "" && last.model != v.key.Model && now.Sub(last.at) <= 30*time.Second {
		s := v.scopes[0]
		s.openUntil, s.trial = maxTime(s.openUntil, now.Add(m.settings.OpenFor)), false
		s.busy = nil
		s.age++
	}
}
