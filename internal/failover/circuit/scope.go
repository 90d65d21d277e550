package circuit

import (
	"errors"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/understudy-dev/understudy/internal/failover"
)

// Outcomes as gobreaker takes them: nil is a success.
var (
	errStrike   = errors.New("a failure")
	errExcluded = errors.New("neither success nor failure")
)

// scope is one of the three places where blame lands.
type scope struct {
	kind   failover.Scope
	jitter func() float64

	mu       sync.Mutex
	settings failover.Breaker
	breaker  *gobreaker.TwoStepCircuitBreaker[struct{}]
	ring     ring
	tripped  time.Time // when the breaker opened last
	// heldUntil keeps the scope open like a tripped breaker where gobreaker
	// cannot: after a failed trial, after a change of settings, and for a host
	// whose models fail together.
	heldUntil time.Time
	gateUntil time.Time
	// trial admits one request at a time until one succeeds.
	trial, trialBusy bool
	// broken is the connection whose loss was counted last.
	broken any
	// limited counts rate limits without a hint in a row.
	limited int

	since  time.Time // when it left the closed phase; zero: it is closed
	class  failover.Class
	detail string
}

func newScope(kind failover.Scope, settings failover.Breaker, jitter func() float64) *scope {
	s := &scope{kind: kind, settings: settings, jitter: jitter}
	s.fresh()
	return s
}

// fresh replaces the breaker by a closed one.
func (s *scope) fresh() {
	s.ring = ring{}
	settings := s.settings
	s.breaker = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests: 1,
		Interval:    settings.Window,
		// A bucket period of 0 would forget everything at the end of each
		// window; twenty buckets make the window slide.
		BucketPeriod: max(settings.Window/20, time.Millisecond),
		Timeout:      settings.OpenFor,
		ReadyToTrip: func(c gobreaker.Counts) bool {
			return int(c.TotalFailures) >= settings.Failures &&
				s.ring.failing(settings.FailureRatioPercent, time.Now().Add(-settings.Window))
		},
		IsExcluded: func(err error) bool { return errors.Is(err, errExcluded) },
	})
}

// slot is one admission of a scope.
type slot struct {
	scope   *scope
	done    func(error) // of the breaker; nil for a forced visit past it
	trial   bool
	success uint64 // id in the ring, after the commit
}

// allow takes a slot, or says why not. Requires nothing; locks.
func (s *scope) allow(now time.Time) (slot, failover.Refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.advance(now)
	switch {
	case now.Before(s.gateUntil):
		return slot{}, failover.Refusal{Class: s.class, Until: s.gateUntil, Gated: true}
	case now.Before(s.heldUntil):
		return slot{}, failover.Refusal{Class: failover.CircuitOpen, Until: s.heldUntil}
	case s.trial && s.trialBusy:
		return slot{}, failover.Refusal{Class: failover.CircuitOpen, Until: now}
	}
	done, err := s.breaker.Allow()
	if err != nil {
		until := now // half-open and busy
		if errors.Is(err, gobreaker.ErrOpenState) {
			until = s.tripped.Add(s.settings.OpenFor)
		}
		return slot{}, failover.Refusal{Class: failover.CircuitOpen, Until: until}
	}
	s.trialBusy = s.trial
	return slot{scope: s, done: done, trial: s.trial}, failover.Refusal{}
}

// force takes a slot past an open breaker; false where a gate or a trial under
// way is in the way.
func (s *scope) force(now time.Time) (slot, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.advance(now)
	if now.Before(s.gateUntil) || s.trialBusy {
		return slot{}, false
	}
	if now.Before(s.heldUntil) {
		return slot{scope: s}, true
	}
	done, err := s.breaker.Allow()
	switch {
	case errors.Is(err, gobreaker.ErrOpenState):
		return slot{scope: s}, true
	case err != nil:
		return slot{}, false
	}
	s.trialBusy = s.trial
	return slot{scope: s, done: done, trial: s.trial}, true
}

// advance applies what time alone has changed. Requires the lock.
func (s *scope) advance(now time.Time) {
	if !s.gateUntil.IsZero() && !now.Before(s.gateUntil) {
		s.gateUntil = time.Time{}
		// A breaker that is open by itself keeps its own time.
		if s.breaker.State() == gobreaker.StateClosed && !now.Before(s.heldUntil) {
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

// excuse gives a slot back without an outcome.
func (s *scope) excuse(sl *slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(sl, errExcluded)
}

// succeed books a success.
func (s *scope) succeed(sl *slot, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sl.done == nil { // a forced visit: the breaker was wrong by now
		s.fresh()
		s.heldUntil = time.Time{}
	}
	sl.success = s.ring.push(false, now)
	s.end(sl, nil)
	s.trial, s.limited = false, 0
	if s.breaker.State() == gobreaker.StateClosed && !now.Before(s.gateUntil) && !now.Before(s.heldUntil) {
		s.since, s.class, s.detail = time.Time{}, "", ""
	}
}

// blame books a fault. committed tells that its visit was booked as a success
// before. It reports whether the breaker opened now.
func (s *scope) blame(sl *slot, v failover.Verdict, committed bool, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	wasOpen := s.breaker.State() == gobreaker.StateOpen
	if v.Connection != nil {
		v.Strike = v.Strike && v.Connection != s.broken
		s.broken = v.Connection
	}
	switch {
	case !v.Strike:
		s.end(sl, errExcluded)
	case committed:
		s.ring.fail(sl.success, now)
		if done, err := s.breaker.Allow(); err == nil {
			done(errStrike)
		}
	case sl.done == nil: // a forced visit that failed changes nothing
	default:
		s.ring.push(true, now)
		onTrial := sl.trial
		s.end(sl, errStrike)
		if onTrial {
			s.trial = false
			s.hold(now)
		}
	}
	opened := !wasOpen && s.breaker.State() == gobreaker.StateOpen
	if opened {
		s.tripped = now
	}
	if v.Hold > 0 {
		s.close(v, now)
	}
	if opened || v.Hold > 0 || !s.heldUntil.IsZero() {
		s.leaveClosed(v.Class, v.Detail, now)
	}
	return opened
}

// end gives the slot back to the breaker, once. Requires the lock.
func (s *scope) end(sl *slot, err error) {
	if sl.done != nil {
		sl.done(err)
		sl.done = excludedAlready
	}
	if sl.trial {
		s.trialBusy, sl.trial = false, false
	}
}

func excludedAlready(error) {}

// hold opens the scope for the breaker's time. Requires the lock.
func (s *scope) hold(now time.Time) {
	s.heldUntil = maxTime(s.heldUntil, now.Add(s.settings.OpenFor))
}

// Bounds of a closed gate.
const (
	maxHold        = time.Hour
	maxLimitedHold = time.Minute // of rate limits without a hint
	jitterShare    = 0.2         // added, so that pods do not come back together
)

// close shuts the gate; a deadline is only ever extended. Requires the lock.
func (s *scope) close(v failover.Verdict, now time.Time) {
	d := v.Hold
	if v.Class == failover.RateLimited && v.RetryAfter == 0 {
		d = min(d<<min(s.limited, 8), maxLimitedHold)
		s.limited++
	}
	d += time.Duration(float64(d) * jitterShare * s.jitter())
	s.gateUntil = maxTime(s.gateUntil, now.Add(min(d, maxHold)))
}

func (s *scope) leaveClosed(class failover.Class, detail string, now time.Time) {
	if s.since.IsZero() {
		s.since = now
	}
	s.class, s.detail = class, detail
}

// open holds a host open because its models fail together.
func (s *scope) open(v failover.Verdict, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hold(now)
	s.leaveClosed(v.Class, v.Detail, now)
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
	st := failover.CircuitState{Scope: s.kind, Reason: s.class, Detail: s.detail, Since: s.since}
	switch breaker := s.breaker.State(); {
	case now.Before(s.gateUntil):
		st.Phase, st.Gated, st.Until = failover.Open, true, s.gateUntil
	case now.Before(s.heldUntil):
		st.Phase, st.Until = failover.Open, s.heldUntil
	case breaker == gobreaker.StateOpen:
		st.Phase, st.Until = failover.Open, s.tripped.Add(s.settings.OpenFor)
	case breaker == gobreaker.StateHalfOpen || s.trial:
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
