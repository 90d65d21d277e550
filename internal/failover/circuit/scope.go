package circuit

import (
	"errors"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/understudy-dev/understudy/internal/failover"
)

// scope is one of the three places where blame lands.
type scope struct {
	kind   failover.Scope
	jitter func() float64

	mu       sync.Mutex
	settings failover.Breaker
	breaker  *gobreaker.TwoStepCircuitBreaker[struct{}]
	ring     ring
	// turns counts what changed the scope's mind: a trip, a recovery, a gate, a
	// fresh breaker. What a visit from before the last turn has to say is about
	// a time that is over: it neither heals nor strikes.
	turns   uint64
	tripped time.Time // when the breaker opened; zero: it is not open
	// heldUntil keeps the scope open like a tripped breaker where gobreaker
	// cannot: after a failed trial, after a change of settings, and for a host
	// whose models fail together.
	heldUntil time.Time
	gateUntil time.Time
	gated     cause // why the gate is closed
	// trial admits one request at a time until one succeeds.
	trial, trialBusy bool
	// limited counts rate limits without a hint in a row.
	limited int
	// broken is the connection whose loss was counted last.
	broken any

	since time.Time // when it left the closed phase; zero: it is closed
	cause cause     // why, most recently
}

// cause is a fault as people are told it.
type cause struct {
	class  failover.Class
	detail string
}

func newScope(kind failover.Scope, settings failover.Breaker, jitter func() float64) *scope {
	s := &scope{kind: kind, settings: settings, jitter: jitter}
	s.fresh()
	return s
}

// buckets is how many steps gobreaker's window slides in.
const buckets = 20

// fresh replaces the breaker by a closed one. Requires the lock.
func (s *scope) fresh() {
	settings := s.settings
	// A bucket period of 0 would forget everything at the end of each window.
	// One bucket more than the window has lets no failure go too early; the ring
	// knows which ones are too old.
	bucket := max(settings.Window/buckets, time.Millisecond)
	s.breaker = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests:  1,
		Interval:     settings.Window + bucket,
		BucketPeriod: bucket,
		Timeout:      settings.OpenFor,
		ReadyToTrip: func(c gobreaker.Counts) bool {
			return int(c.TotalFailures) >= settings.Failures && s.ring.trips(settings, time.Now())
		},
		IsExcluded: func(err error) bool { return errors.Is(err, errExcluded) },
	})
	s.ring.clear()
	s.tripped = time.Time{}
	s.turn()
}

// turn makes the visits under way ones of the past. Requires the lock.
func (s *scope) turn() {
	s.turns++
	s.trialBusy = false
}

// slot is one admission of a scope.
type slot struct {
	scope   *scope
	turn    uint64      // the scope's turns when it was given
	done    func(error) // of the breaker; nil for a forced visit past it
	trial   bool
	success uint64 // id in the ring, after the commit
}

// allow takes a slot, or says why not. Requires nothing; locks.
func (s *scope) allow(now time.Time) (slot, failover.Refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.advance(now)
	until := s.openUntil()
	switch {
	case now.Before(s.gateUntil):
		return slot{}, failover.Refusal{Class: s.gated.class, Until: until, Gated: true}
	case now.Before(until):
		return slot{}, failover.Refusal{Class: failover.CircuitOpen, Until: until}
	case s.trial && s.trialBusy:
		return slot{}, failover.Refusal{Class: failover.CircuitOpen, Until: now}
	}
	done, err := s.breaker.Allow()
	if err != nil { // half-open and busy
		return slot{}, failover.Refusal{Class: failover.CircuitOpen, Until: now}
	}
	return s.take(done), failover.Refusal{}
}

// openUntil is when all that holds the scope open is over; zero or past:
// nothing does. Requires the lock.
func (s *scope) openUntil() time.Time {
	until := maxTime(s.gateUntil, s.heldUntil)
	if s.breaker.State() == gobreaker.StateOpen {
		until = maxTime(until, s.tripped.Add(s.settings.OpenFor))
	}
	return until
}

// take makes the slot of a visit that the breaker admitted. Requires the lock.
func (s *scope) take(done func(error)) slot {
	s.trialBusy = s.trial
	return slot{scope: s, turn: s.turns, done: done, trial: s.trial}
}

// force takes a slot past an open breaker; false where a gate or a trial under
// way is in the way.
func (s *scope) force(now time.Time) (slot, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.advance(now)
	if now.Before(s.gateUntil) || s.trial && s.trialBusy {
		return slot{}, false
	}
	if now.Before(s.heldUntil) {
		return slot{scope: s, turn: s.turns}, true
	}
	done, err := s.breaker.Allow()
	switch {
	case errors.Is(err, gobreaker.ErrOpenState):
		return slot{scope: s, turn: s.turns}, true
	case err != nil:
		return slot{}, false
	}
	return s.take(done), true
}

// advance applies what time alone has changed. Requires the lock.
func (s *scope) advance(now time.Time) {
	if !s.tripped.IsZero() && s.breaker.State() == gobreaker.StateHalfOpen {
		s.tripped = time.Time{}
		s.turn()
	}
	if !s.gateUntil.IsZero() && !now.Before(s.gateUntil) {
		s.gateUntil, s.gated = time.Time{}, cause{}
		// A breaker that is open by itself keeps its own time.
		if s.breaker.State() != gobreaker.StateOpen && !now.Before(s.heldUntil) {
			s.fresh()
			s.trial = true
		}
	}
	if !s.heldUntil.IsZero() && !now.Before(s.heldUntil) {
		s.heldUntil = time.Time{}
		s.fresh()
		s.trial = true
	}
}

// open holds a host open because its models fail together.
func (s *scope) open(v failover.Verdict, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hold(now)
	s.leaveClosed(cause{v.Class, v.Detail}, now)
}

// reconfigure takes other settings and keeps what is known: an open breaker
// stays open until its time.
func (s *scope) reconfigure(settings failover.Breaker, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if settings == s.settings {
		return
	}
	switch s.breaker.State() {
	case gobreaker.StateOpen:
		s.heldUntil = maxTime(s.heldUntil, s.tripped.Add(s.settings.OpenFor))
	case gobreaker.StateHalfOpen:
		s.trial = true
	}
	s.settings = settings
	s.fresh()
	s.advance(now)
}

// state is the scope's own view.
func (s *scope) state(now time.Time) failover.CircuitState {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.advance(now)
	st := failover.CircuitState{Scope: s.kind, Reason: s.cause.class, Detail: s.cause.detail, Since: s.since}
	switch until := s.openUntil(); {
	case now.Before(s.gateUntil):
		st.Phase, st.Gated, st.Until = failover.Open, true, until
		st.Reason, st.Detail = s.gated.class, s.gated.detail
	case now.Before(until):
		st.Phase, st.Until = failover.Open, until
	case s.breaker.State() != gobreaker.StateClosed || s.trial:
		st.Phase, st.Until = failover.HalfOpen, now
	default:
		return failover.CircuitState{Reason: failover.OK}
	}
	return st
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
