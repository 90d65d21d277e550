package circuit

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/understudy-dev/understudy/internal/failover"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var defaults = failover.Breaker{Failures: 3, Window: 10 * time.Minute, OpenFor: 5 * time.Minute, FailureRatioPercent: 50}

var (
	success   = failover.Verdict{Class: failover.OK}
	overload  = failover.Verdict{Class: failover.Overloaded, Blame: failover.Entry, Strike: true, Detail: "529 overloaded_error"}
	refusedBy = failover.Verdict{Class: failover.ConnectionRefused, Blame: failover.Host, Strike: true}
	badKey    = failover.Verdict{Class: failover.Unauthorized, Blame: failover.Credential, Hold: 10 * time.Minute}
	mistake   = failover.Verdict{Class: failover.InvalidRequest, Blame: failover.Caller, Action: failover.Return}
	left      = failover.Verdict{Class: failover.ClientClosed, Blame: failover.Nobody, Action: failover.Drop}
)

func limitedFor(d time.Duration) failover.Verdict {
	return failover.Verdict{Class: failover.RateLimited, Blame: failover.Entry, Hold: d, RetryAfter: d}
}

func quiet() *Registry {
	r := NewRegistry()
	r.jitter = func() float64 { return 0 }
	return r
}

func key(entry, host, model string) failover.CircuitKey {
	return failover.CircuitKey{Chain: "/test", Entry: entry, Host: host, Model: model}
}

func single(settings failover.Breaker) failover.Circuit {
	return quiet().Circuit(key("a", "https://a:443", "m"), settings)
}

// visit is one whole visit; false where it was refused.
func visit(c failover.Circuit, v failover.Verdict) bool {
	p, _ := c.Allow("k")
	if p == nil {
		return false
	}
	p.Done(v)
	return true
}

func phase(t *testing.T, c failover.Circuit, want failover.CircuitPhase) {
	t.Helper()
	if got := c.State("k").Phase; got != want {
		t.Fatalf("the circuit is %v, want %v", got, want)
	}
}

func TestItOpensAtTheThirdFailureAndNotBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := single(defaults)
		for range 2 {
			visit(c, overload)
		}
		phase(t, c, failover.Closed)
		visit(c, overload)
		phase(t, c, failover.Open)
		st := c.State("k")
		if st.Reason != failover.Overloaded || st.Detail != "529 overloaded_error" || st.Scope != failover.Entry || st.Gated {
			t.Errorf("state %+v", st)
		}
		if d := time.Until(st.Until); d != 5*time.Minute {
			t.Errorf("due in %v, want 5m", d)
		}
		if p, no := c.Allow("k"); p != nil || no.Class != failover.CircuitOpen || no.Gated {
			t.Errorf("refusal %+v", no)
		}
	})
}

func TestAnHourOfPerfectServiceDelaysATripByTheRingOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := single(defaults)
		for range 3600 {
			visit(c, success)
			time.Sleep(time.Second)
		}
		for i := range 5 {
			if c.State("k").Phase != failover.Closed {
				t.Fatalf("open after %d failures", i)
			}
			visit(c, overload)
		}
		phase(t, c, failover.Open)
	})
}

func TestFewFailuresAmongManyOpenNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := single(defaults)
		for i := range 24 * 3600 {
			v := success
			if i%200 == 0 {
				v = overload
			}
			if !visit(c, v) {
				t.Fatalf("refused at %d", i)
			}
			time.Sleep(time.Second)
		}
	})
}

func TestTwoFailuresOfThreeOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := single(defaults)
		for i := range 30 {
			v := overload
			if i%3 == 2 {
				v = success
			}
			if !visit(c, v) {
				return
			}
		}
		t.Error("67 % failures did not open the circuit")
	})
}

func TestFailuresOfOneWindowCountAcrossItsMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := single(defaults)
		time.Sleep(9*time.Minute + 50*time.Second)
		visit(c, overload)
		visit(c, overload)
		time.Sleep(20 * time.Second)
		visit(c, overload)
		phase(t, c, failover.Open)

		c = single(defaults)
		visit(c, overload)
		visit(c, overload)
		time.Sleep(11 * time.Minute)
		visit(c, overload)
		phase(t, c, failover.Closed)
	})
}

func TestTheCallersMistakeAndTheAppsLeavingAreNobodysFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := single(defaults)
		for range 100 {
			visit(c, mistake)
			visit(c, left)
		}
		phase(t, c, failover.Closed)
	})
}

func TestHalfOpenAdmitsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := opened(t)
		time.Sleep(5*time.Minute + time.Millisecond)
		phase(t, c, failover.HalfOpen)
		var admitted atomic.Int32
		var wg sync.WaitGroup
		var permit failover.Permit
		for range 100 {
			wg.Go(func() {
				if p, _ := c.Allow("k"); p != nil {
					admitted.Add(1)
					permit = p
				}
			})
		}
		wg.Wait()
		if admitted.Load() != 1 {
			t.Fatalf("half-open admitted %d", admitted.Load())
		}
		permit.Done(left) // gives the slot back, and says nothing
		phase(t, c, failover.HalfOpen)
		if !visit(c, success) {
			t.Fatal("the slot was not given back")
		}
		phase(t, c, failover.Closed)
	})
}

func opened(t *testing.T) failover.Circuit {
	t.Helper()
	c := single(defaults)
	for range 3 {
		visit(c, overload)
	}
	phase(t, c, failover.Open)
	return c
}

func TestAFailedTrialReopensAndKeepsTheBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := opened(t)
		began := c.State("k").Since
		time.Sleep(5*time.Minute + time.Millisecond)
		visit(c, overload)
		phase(t, c, failover.Open)
		if !c.State("k").Since.Equal(began) {
			t.Error("reopening began another incident")
		}
	})
}

func TestAStreamFreesItsSlotAtTheCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := opened(t)
		time.Sleep(5*time.Minute + time.Millisecond)
		p, _ := c.Allow("k")
		p.Commit()
		phase(t, c, failover.Closed)
		for range 50 {
			if !visit(c, success) {
				t.Fatal("a stream holds the half-open slot")
			}
		}
		p.Done(success)
	})
}

func TestStreamsThatBreakAfterTheirCommitOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := single(defaults)
		cut := failover.Verdict{Class: failover.Truncated, Blame: failover.Entry, Strike: true}
		for range 3 {
			p, _ := c.Allow("k")
			p.Commit()
			p.Done(cut)
			p.Done(cut) // counts once
		}
		phase(t, c, failover.Open)
	})
}

func TestADeadKeyTakesOutItsSiblingsAndNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := quiet()
		haiku := r.Circuit(key("haiku", "https://a:443", "haiku"), defaults)
		opus := r.Circuit(key("opus", "https://a:443", "opus"), defaults)
		visit(haiku, badKey)
		if p, no := opus.Allow("k"); p != nil || !no.Gated || no.Class != failover.Unauthorized {
			t.Errorf("the sibling's refusal is %+v", no)
		}
		p, _ := opus.Allow("another-key")
		if p == nil {
			t.Fatal("another key is held back too")
		}
		p.Done(success)
		if haiku.Force("k") != nil {
			t.Error("a gate was forced")
		}
		time.Sleep(10*time.Minute + time.Second)
		phase(t, haiku, failover.HalfOpen)
		p, _ = haiku.Allow("k")
		if q, _ := opus.Allow("k"); p == nil || q != nil {
			t.Error("after a gate one request goes first")
		}
		p.Done(success)
		phase(t, opus, failover.Closed)
	})
}

func TestAModelsOutageLeavesItsSiblingInPlay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := quiet()
		haiku := r.Circuit(key("haiku", "https://a:443", "haiku"), defaults)
		opus := r.Circuit(key("opus", "https://a:443", "opus"), defaults)
		for visit(haiku, overload) {
		}
		phase(t, haiku, failover.Open)
		phase(t, opus, failover.Closed)
		third := r.Circuit(key("sonnet", "https://a:443", "sonnet"), defaults)
		for visit(opus, overload) {
		}
		if st := third.State("k"); st.Phase != failover.Open || st.Scope != failover.Host {
			t.Errorf("two models down within 30 s leave the host %+v", st)
		}
	})
}

func TestSlotsAreGivenBackWhenAnotherScopeRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := quiet()
		a := r.Circuit(key("a", "https://a:443", "a"), defaults)
		b := r.Circuit(key("b", "https://a:443", "b"), defaults)
		for range 3 {
			visit(a, refusedBy) // opens the host
		}
		p := b.Force("k")
		p.Done(limitedFor(time.Hour)) // b itself is gated now
		time.Sleep(5*time.Minute + time.Millisecond)
		for range 10 {
			if q, _ := b.Allow("k"); q != nil {
				t.Fatal("b is gated")
			}
		}
		if !visit(a, success) {
			t.Error("the host's half-open slot was not given back")
		}
	})
}

func TestABlamedCredentialOfAnEntryWithoutOneIsTheEntrys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := single(defaults)
		p, _ := c.Allow("")
		p.Done(badKey)
		if q, no := c.Allow(""); q != nil || !no.Gated || no.Class != failover.Unauthorized {
			t.Errorf("an entry that refuses us without a key is asked again; the refusal is %+v", no)
		}
	})
}

func TestAGateIsOnlyExtended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := single(defaults)
		p, _ := c.Allow("k")
		q, _ := c.Allow("k")
		p.Done(limitedFor(time.Minute))
		q.Done(limitedFor(time.Second))
		if d := time.Until(c.State("k").Until); d != time.Minute {
			t.Errorf("the gate is due in %v, want 1m", d)
		}
	})
}

func TestRateLimitsWithoutAHintGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := single(defaults)
		v := failover.Verdict{Class: failover.RateLimited, Blame: failover.Entry, Hold: 5 * time.Second}
		for _, want := range []time.Duration{5, 10, 20, 40, 60, 60} {
			visit(c, v)
			d := time.Until(c.State("k").Until)
			if d != want*time.Second {
				t.Errorf("held for %v, want %ds", d, want)
			}
			time.Sleep(d)
		}
	})
}

func TestJitterOnlyAddsAndIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 200 {
			c := NewRegistry().Circuit(key("a", "h", "m"), defaults)
			visit(c, limitedFor(100*time.Second))
			if d := time.Until(c.State("k").Until); d < 100*time.Second || d > 120*time.Second {
				t.Fatalf("held for %v", d)
			}
			visit(c, badKey)
		}
	})
}

func TestForcedVisitsAreTheLastResort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := opened(t)
		p := c.Force("k")
		if p == nil {
			t.Fatal("a breaker alone cannot be forced")
		}
		if c.Force("k") != nil {
			t.Error("two forced visits at once")
		}
		until := c.State("k").Until
		p.Done(overload)
		if got := c.State("k"); got.Phase != failover.Open || !got.Until.Equal(until) {
			t.Errorf("a failed forced visit changed the state to %+v", got)
		}
		p = c.Force("k")
		p.Done(success)
		phase(t, c, failover.Closed)
	})
}

func TestStateOutlivesAReloadByIdentity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := quiet()
		k := key("a", "h", "m")
		c := r.Circuit(k, defaults)
		for range 3 {
			visit(c, overload)
		}
		time.Sleep(time.Minute)
		changed := defaults
		changed.OpenFor = time.Hour
		c2 := r.Circuit(k, changed)
		if d := time.Until(c2.State("k").Until); c2 != c || d != 4*time.Minute {
			t.Errorf("after other settings it is due in %v, want its old 4m", d)
		}
		time.Sleep(4*time.Minute + time.Second)
		if !visit(c2, success) {
			t.Error("not tried again after its time")
		}
		phase(t, c2, failover.Closed)
		for range 3 {
			visit(c2, overload)
		}
		r.Retain(nil)
		phase(t, r.Circuit(k, changed), failover.Closed)
	})
}

// TestRandomVisitsNeverWedgeACircuit drives circuits at random, and holds that
// no slot is lost: once the faults end, time and one request are enough.
func TestRandomVisitsNeverWedgeACircuit(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	verdicts := []failover.Verdict{success, success, overload, refusedBy, badKey, mistake, left, limitedFor(20 * time.Second)}
	synctest.Test(t, func(t *testing.T) {
		r := quiet()
		var circuits []failover.Circuit
		for i := range 4 {
			circuits = append(circuits, r.Circuit(key(fmt.Sprint(i), fmt.Sprint("host", i/2), fmt.Sprint(i)), defaults))
		}
		var open []failover.Permit
		for range 50_000 {
			c := circuits[rng.IntN(len(circuits))]
			switch n := rng.IntN(10); {
			case n < 5:
				if p, _ := c.Allow("k"); p != nil {
					open = append(open, p)
				}
			case n == 5:
				if p := c.Force("k"); p != nil {
					open = append(open, p)
				}
			case n == 6:
				time.Sleep(time.Duration(rng.IntN(120)) * time.Second)
			case len(open) > 0:
				i := rng.IntN(len(open))
				if rng.IntN(3) == 0 {
					open[i].Commit()
				}
				open[i].Done(verdicts[rng.IntN(len(verdicts))])
				open = append(open[:i], open[i+1:]...)
			}
		}
		for _, p := range open {
			p.Done(left)
		}
		time.Sleep(2 * time.Hour)
		for i, c := range circuits {
			if !visit(c, success) {
				t.Errorf("circuit %d is wedged: %+v", i, c.State("k"))
			}
			phase(t, c, failover.Closed)
		}
	})
}

func BenchmarkAllow(b *testing.B) {
	c := single(defaults)
	b.ReportAllocs()
	for b.Loop() {
		p, _ := c.Allow("k")
		p.Done(success)
	}
}

// TestALostConnectionCountsOnceForAllItsStreams also shows that several lost
// connections are an outage.
func TestALostConnectionCountsOnceForAllItsStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := single(defaults)
		lose := func(connection any, streams int) {
			t.Helper()
			permits := make([]failover.Permit, 0, streams)
			for range streams {
				p, _ := c.Allow("k")
				if p == nil {
					t.Fatal("a stream was refused")
				}
				p.Commit()
				permits = append(permits, p)
			}
			for _, p := range permits {
				p.Done(failover.Verdict{Class: failover.ConnectionReset, Blame: failover.Host, Strike: true, Connection: connection})
			}
		}
		lose(new(int), 20)
		phase(t, c, failover.Closed)
		lose(new(int), 1)
		phase(t, c, failover.Closed)
		lose(new(int), 1)
		phase(t, c, failover.Closed) // 3 of 10
		for range 2 {
			lose(new(int), 1)
		}
		phase(t, c, failover.Open)
	})
}
