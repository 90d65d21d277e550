package circuit

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/understudy-dev/understudy/internal/failover"
)

var (
	cut         = failover.Verdict{Class: failover.Truncated, Blame: failover.Entry, Strike: true}
	unhinted    = failover.Verdict{Class: failover.RateLimited, Blame: failover.Entry, Hold: 5 * time.Second}
	unavailable = failover.Verdict{Class: failover.ServiceUnavailable, Blame: failover.Entry, Strike: true}
)

func permits(t *testing.T, c failover.Circuit, n int) []failover.Permit {
	t.Helper()
	var all []failover.Permit
	for range n {
		p, no := c.Allow("k")
		if p == nil {
			t.Fatalf("refused: %+v", no)
		}
		all = append(all, p)
	}
	return all
}

func TestAStreamFromBeforeTheOutageDoesNotReopenIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := single(defaults)
		old := permits(t, c, 2)
		old[0].Commit()
		for visit(c, overload) {
		}
		time.Sleep(5*time.Minute + time.Second)
		phase(t, c, failover.HalfOpen)
		old[0].Done(cut)
		old[1].Done(overload)
		phase(t, c, failover.HalfOpen)
		if !visit(c, success) {
			t.Error("a stream of the past took the one request that was due")
		}
		phase(t, c, failover.Closed)
	})
}

func TestALateSuccessLiftsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := single(defaults)
		old := permits(t, c, 3)
		old[0].Done(limitedFor(time.Minute))
		old[1].Commit() // was on its way when the limit was met
		time.Sleep(time.Minute)
		phase(t, c, failover.HalfOpen)
		first := permits(t, c, 1)[0]
		old[2].Done(success)
		phase(t, c, failover.HalfOpen)
		if p, _ := c.Allow("k"); p != nil {
			t.Error("after a gate a request from before it let everybody in")
		}
		first.Done(success)
		phase(t, c, failover.Closed)
	})
}

func TestABurstOfRateLimitsIsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := single(defaults)
		for _, want := range []time.Duration{5, 10, 20, 40, 60} {
			var burst []failover.Permit
			for range 20 {
				if p, _ := c.Allow("k"); p != nil {
					burst = append(burst, p)
				}
			}
			for i, p := range burst {
				if i%2 == 1 {
					p.Done(success)
					continue
				}
				p.Done(unhinted)
			}
			if d := time.Until(c.State("k").Until); d != want*time.Second {
				t.Errorf("held for %v, want %ds", d, want)
			}
			time.Sleep(want * time.Second)
		}
	})
}

func TestFailuresThatTakeLongerThanTheWindowCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		settings := defaults
		settings.Window = 30 * time.Second
		c := single(settings)
		old := permits(t, c, 3)
		time.Sleep(time.Minute)
		for _, p := range old {
			p.Done(failover.Verdict{Class: failover.FirstTokenTimeout, Blame: failover.Entry, Strike: true})
		}
		phase(t, c, failover.Open)
	})
}

func TestAStreamCountsWhenItBreaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := single(defaults)
		streams := permits(t, c, 3)
		for _, p := range streams {
			p.Commit()
		}
		time.Sleep(15 * time.Minute)
		visit(c, success)
		for _, p := range streams {
			p.Done(cut)
		}
		phase(t, c, failover.Open) // three of the last four
	})
}

func TestTheWindowIsExact(t *testing.T) {
	for _, c := range []struct {
		after time.Duration
		want  failover.CircuitPhase
	}{{10 * time.Minute, failover.Open}, {10*time.Minute + time.Second, failover.Closed}} {
		for offset := time.Duration(0); offset < time.Minute; offset += 7 * time.Second {
			synctest.Test(t, func(t *testing.T) {
				b := single(defaults)
				time.Sleep(offset)
				visit(b, overload)
				time.Sleep(c.after / 2)
				visit(b, overload)
				time.Sleep(c.after - c.after/2)
				visit(b, overload)
				phase(t, b, c.want)
			})
		}
	}
}

func TestARecoveryForgetsTheFailuresBeforeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := opened(t)
		time.Sleep(5*time.Minute + time.Second)
		for _, v := range []failover.Verdict{success, success, success, overload, success, overload, success, overload} {
			visit(c, v)
		}
		phase(t, c, failover.Closed) // three of eight since it is back
	})
}

func TestAReloadReachesWhatEntriesShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := quiet()
		first, second := key("a", "h", "m"), key("b", "h", "n")
		c, sibling := r.Circuit(first, defaults), r.Circuit(second, defaults)
		visit(c, success)
		visit(sibling, success)
		changed := defaults
		changed.OpenFor, changed.Failures = 20*time.Second, 2
		r.Circuit(first, changed)
		r.Circuit(second, defaults)
		r.Retain([]failover.CircuitKey{first, second})
		for _, v := range []failover.Verdict{refusedBy, {Class: failover.ServerError, Blame: failover.Credential, Strike: true}} {
			visit(c, v)
			visit(c, v)
			st := c.State("k")
			if d := time.Until(st.Until); st.Phase != failover.Open || d != 20*time.Second {
				t.Errorf("with the new settings the %v is %v for %v", v.Blame, st.Phase, d)
			}
			time.Sleep(21 * time.Second)
			visit(c, success)
		}
	})
}

func TestAGateKeepsTheReasonOfItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := single(defaults)
		old := permits(t, c, 5)
		old[0].Done(limitedFor(time.Minute))
		for _, p := range old[1:4] {
			p.Done(unavailable)
		}
		old[4].Done(failover.Verdict{Class: failover.PermissionDenied, Blame: failover.Entry, Hold: time.Second})
		if _, no := c.Allow("k"); no.Class != failover.RateLimited || !no.Gated {
			t.Errorf("the refusal is %+v", no)
		}
		if st := c.State("k"); st.Reason != failover.RateLimited {
			t.Errorf("the state is %+v", st)
		}
	})
}

func TestAnOpenBreakerOutlastsAShortGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := single(defaults)
		v := overload
		v.Hold, v.RetryAfter = 10*time.Second, 10*time.Second
		old := permits(t, c, 3)
		old[0].Done(overload)
		old[1].Done(overload)
		old[2].Done(v)
		if st := c.State("k"); !st.Gated || time.Until(st.Until) != 5*time.Minute {
			t.Errorf("due in %v, want the breaker's 5m", time.Until(st.Until))
		}
		time.Sleep(11 * time.Second)
		if st := c.State("k"); st.Phase != failover.Open || st.Gated {
			t.Errorf("after the gate the state is %+v", st)
		}
	})
}

func TestRotatedKeysLeaveNothingBehind(t *testing.T) {
	r := quiet()
	a, b := r.Circuit(key("a", "h", "m"), defaults), r.Circuit(key("b", "h", "n"), defaults)
	for i := range 1000 {
		fingerprint := fmt.Sprint("key", i)
		p, _ := a.Allow(fingerprint)
		if p == nil {
			t.Fatal("a changed key is refused for its former's sake")
		}
		p.Done(badKey)
		if p, _ := b.Allow(fingerprint); p != nil {
			t.Fatal("the sibling does not share the key's gate")
		}
	}
	if n := len(r.hosts["h"].credentials); n > 3 {
		t.Errorf("%d credentials are remembered", n)
	}
}

// TestManyAtOnce is for the race detector: visits, states and reloads together,
// and no slot is lost.
func TestManyAtOnce(t *testing.T) {
	r := NewRegistry()
	settings := failover.Breaker{Failures: 3, Window: time.Minute, OpenFor: time.Millisecond, FailureRatioPercent: 50}
	keys := []failover.CircuitKey{key("a", "h", "m"), key("b", "h", "n"), key("c", "i", "m")}
	short := unhinted
	short.Hold, short.RetryAfter = time.Microsecond, time.Microsecond
	verdicts := []failover.Verdict{success, overload, refusedBy, mistake, left, short, cut}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 1000 {
				s := settings
				if i%97 == 0 {
					s.Failures = 2 + g%2
				}
				c := r.Circuit(keys[(i+g)%len(keys)], s)
				p, _ := c.Allow(fmt.Sprint("k", i/500))
				if p == nil {
					p = c.Force("k")
				}
				c.State("k")
				if p != nil {
					if i%3 == 0 {
						p.Commit()
					}
					p.Done(verdicts[(i*7+g)%len(verdicts)])
				}
				if i%101 == 0 {
					r.Retain(keys)
				}
			}
		})
	}
	wg.Wait()
	for i, k := range keys {
		c := r.Circuit(k, settings)
		for !visit(c, success) {
			if due := c.State("k").Until; time.Until(due) > 2*time.Second {
				t.Fatalf("circuit %d is wedged: %+v", i, c.State("k"))
			}
		}
	}
}
