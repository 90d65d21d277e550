package circuit

import (
	"errors"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/understudy-dev/understudy/internal/failover"
)

// Outcomes as gobreaker takes them: nil is a success.
var (
	errStrike   = errors.New("a failure")
	errExcluded = errors.New("neither success nor failure")
)

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
	s.advance(now)
	if sl.turn != s.turns {
		s.end(sl, errExcluded)
		return
	}
	wasHalfOpen := s.breaker.State() == gobreaker.StateHalfOpen
	s.end(sl, nil)
	switch {
	case sl.done == nil: // a forced visit: the breaker was wrong by now
		s.heldUntil = time.Time{}
		s.fresh()
	case wasHalfOpen: // closed by this
		s.ring.clear()
		s.turn()
	}
	s.trial, s.limited = false, 0
	sl.success = s.ring.push(false, now)
	if now.Before(s.gateUntil) || now.Before(s.heldUntil) {
		return
	}
	s.since, s.cause = time.Time{}, cause{}
}

// blame books a fault. committed tells that its visit was booked as a success
// before. It reports whether the scope opened by this.
func (s *scope) blame(sl *slot, v failover.Verdict, committed bool, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.advance(now)
	same := s.sameEvent(v)
	strike := v.Strike && !same
	current := sl.turn == s.turns
	if committed {
		if !same {
			s.ring.remove(sl.success)
		}
		strike = strike && s.admits(now)
	} else {
		strike = strike && current && sl.done != nil // a failed forced visit changes nothing
	}
	opened := strike && s.strike(sl, now)
	s.end(sl, errExcluded)
	why := cause{v.Class, v.Detail}
	if opened {
		s.leaveClosed(why, now)
	}
	if v.Hold > 0 {
		s.close(v, current, now)
	}
	return opened
}

// sameEvent reports that the fault is one that was counted already: the loss
// of a connection that several requests shared. Requires the lock.
func (s *scope) sameEvent(v failover.Verdict) bool {
	if v.Connection == nil {
		return false
	}
	again := v.Connection == s.broken
	s.broken = v.Connection
	return again
}

// admits reports that nothing stands in the way but, at most, a gate. Requires
// the lock.
func (s *scope) admits(now time.Time) bool {
	return s.breaker.State() == gobreaker.StateClosed && !s.trial && !now.Before(s.heldUntil)
}

// strike counts one failure and reports whether it opened the scope. Requires
// the lock.
func (s *scope) strike(sl *slot, now time.Time) bool {
	s.ring.push(true, now)
	if s.breaker.State() != gobreaker.StateClosed {
		s.end(sl, errStrike) // the half-open slot's
	} else if done, err := s.breaker.Allow(); err == nil {
		// Not the visit's own slot: gobreaker books an outcome to the time when
		// its visit began, and would forget a failure that takes longer than the
		// window.
		done(errStrike)
	}
	switch {
	case s.breaker.State() == gobreaker.StateOpen:
		s.tripped = now
		s.trial = false
		s.turn()
	case sl.trial:
		s.hold(now)
	default:
		return false
	}
	return true
}

// end gives the slot back to the breaker, once. Requires the lock.
func (s *scope) end(sl *slot, err error) {
	if sl.done != nil {
		sl.done(err)
		sl.done = alreadyDone
	}
	if sl.trial && sl.turn == s.turns {
		s.trialBusy = false
	}
	sl.trial = false
}

func alreadyDone(error) {}

// hold opens the scope for the breaker's time. Requires the lock.
func (s *scope) hold(now time.Time) {
	s.heldUntil = maxTime(s.heldUntil, now.Add(s.settings.OpenFor))
	s.trial = false
	s.turn()
}

// Bounds of a closed gate.
const (
	maxHold        = time.Hour
	maxLimitedHold = time.Minute // of rate limits without a hint
	jitterShare    = 0.2         // added, so that pods do not come back together
)

// close shuts the gate; a deadline is only ever extended. current tells that
// the fault is news and not one of several visits that met the same. Requires
// the lock.
func (s *scope) close(v failover.Verdict, current bool, now time.Time) {
	d := v.Hold
	if v.Class == failover.RateLimited && v.RetryAfter == 0 {
		if current || s.limited == 0 {
			s.limited++
		}
		d = min(d<<min(s.limited-1, 8), maxLimitedHold)
	}
	d += time.Duration(float64(d) * jitterShare * s.jitter())
	why := cause{v.Class, v.Detail}
	if until := now.Add(min(d, maxHold)); until.After(s.gateUntil) {
		s.gateUntil, s.gated = until, why
	}
	s.leaveClosed(why, now)
	s.turn()
}

func (s *scope) leaveClosed(why cause, now time.Time) {
	if s.since.IsZero() {
		s.since = now
	}
	s.cause = why
}
