package failover_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/simulator"
)

// A caller's mistake may come inside a 200, as its body or as a stream's first
// event; the app gets it with the status that it should have had.
func TestAMistakeInsideA200GetsItsOwnStatus(t *testing.T) {
	const said = `{"type":"error","error":{"type":"invalid_request_error","message":"messages: too few of them"}}`
	for _, app := range apps {
		t.Run(app.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, threeEntries())
				defer w.close()
				w.anthropic.Fail(simulator.Fault{Effect: simulator.Respond, Status: 200, Body: said, Only: simulator.OnlyUnary})
				w.anthropic.Fail(simulator.Fault{Effect: simulator.ErrorEvent, Body: said})
				g := w.call(t.Context(), app.op, app.body("say hello"))
				if g.status != 400 || g.err != nil || g.provider() != "anthropic" || g.header.Get("Content-Type") != "application/json" {
					t.Fatalf("got %d %v %v", g.status, g.err, g.header)
				}
				if !strings.Contains(g.body, `"invalid_request_error"`) || !strings.Contains(g.body, "too few of them") {
					t.Errorf("the app reads %s", g.body)
				}
				if app.op == failover.Messages && g.body != said {
					t.Errorf("the provider's own words became %s", g.body)
				}
				if len(w.openai.Requests()) != 0 {
					t.Error("the mistake was taken to another provider")
				}
			})
		})
	}
}

func TestAReturnedMistakeIsDescribedAsItCame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, threeEntries())
		defer w.close()
		w.anthropic.FailNamed("context-too-long")
		w.openai.FailNamed("bad-request")
		g := w.call(t.Context(), failover.Messages, message("hello", false))
		if g.status != 400 || g.provider() != "anthropic" || !strings.Contains(g.body, "prompt is too long") {
			t.Fatalf("got %d from %q: %s", g.status, g.provider(), g.body)
		}
		if got := g.header.Get("X-Understudy-Failover"); got != "false" {
			t.Errorf("the first entry answers, and x-understudy-failover is %q", got)
		}
	})
}

func TestAnEntitlementIsTriedElsewhereAndElseReturned(t *testing.T) {
	for _, entries := range []int{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			chain := threeEntries()
			chain.Providers = chain.Providers[:entries]
			w := newWorld(t, chain)
			defer w.close()
			w.anthropic.FailNamed("long-context-entitlement")
			for range 5 {
				g := w.call(t.Context(), failover.Messages, message("hello", false))
				if entries == 2 {
					answered(t, g, "openai", "true", apps[2].end)
				} else if g.status != 429 || g.provider() != "anthropic" || !strings.Contains(g.body, "Extra usage is required") {
					t.Errorf("got %d %v: %s", g.status, g.header, g.body)
				}
			}
			if st := w.store.Load().Status().Chains[0].Providers[0]; st.State != "Closed" {
				t.Errorf("a request that was too long left the circuit %s", st.State)
			}
		})
	}
}

// stages are where a request can be when the app leaves.
var stages = []struct {
	name  string
	begin func(w *world)
	after time.Duration
}{
	{"dial", func(w *world) {
		w.dialling = func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }
	}, time.Second},
	{"head", func(w *world) { w.anthropic.FailNamed("hang") }, 5 * time.Second},
	{"held", func(w *world) { w.anthropic.FailNamed("keep-alives") }, 5 * time.Second},
	{"body", func(w *world) { w.anthropic.FailNamed("hang-after-headers") }, 5 * time.Second},
	{"pause before another try", func(w *world) {
		w.anthropic.Fail(simulator.Fault{Effect: simulator.Respond, Status: 429, Header: map[string]string{"Retry-After": "2"}})
	}, time.Second},
	{"committed", func(w *world) { w.anthropic.FailNamed("stall") }, 5 * time.Second},
}

// TestTheAppMayLeaveAtEveryStage holds that nobody is blamed for it, whether
// the app's context was cancelled or had a deadline, and that the ledger is in
// balance and no goroutine left at the end.
func TestTheAppMayLeaveAtEveryStage(t *testing.T) {
	for _, stage := range stages {
		for _, app := range apps {
			for _, how := range []string{"cancelled", "deadline"} {
				t.Run(stage.name+" "+app.name+" "+how, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						w := newWorld(t, threeEntries())
						defer w.close()
						stage.begin(w)
						for range 4 {
							ctx, cancel := context.WithCancel(t.Context())
							if how == "deadline" {
								cancel()
								ctx, cancel = context.WithTimeout(t.Context(), stage.after)
							}
							time.AfterFunc(stage.after, cancel)
							g := w.call(ctx, app.op, app.body("tokens 40"))
							cancel()
							if g.took != stage.after {
								t.Errorf("it took %v, want %v", g.took, stage.after)
							}
							if got := w.seen.last(); got.Outcome != failover.Canceled {
								t.Errorf("the outcome is %q (%s)", got.Outcome, w.seen.classes())
							}
							time.Sleep(3 * time.Second) // the longest that a limit of 2 s is held
						}
						synctest.Wait()
						if n := len(w.openai.Requests()); n != 0 {
							t.Errorf("%d requests went on without the app", n)
						}
						// A limit of rate is a fact, whoever has left since, and over by now.
						if st := w.store.Load().Status().Chains[0].Providers[0]; st.State == "Open" {
							t.Errorf("the app's leaving was blamed: %+v", st)
						}
					})
				})
			}
		}
	}
}

func TestNamesThatNobodyCanLookUpAreOurOwnFault(t *testing.T) {
	lost := &net.DNSError{Err: "server misbehaving", Name: "a.test", IsTemporary: true}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, threeEntries())
		defer w.close()
		w.dialling = func(context.Context) error { return lost }
		for range 10 {
			g := w.call(t.Context(), failover.ChatCompletions, chat("hello", false))
			if g.status != 503 || strings.Count(g.body, `"reason":"EgressDown"`) != 3 {
				t.Fatalf("got %d %s", g.status, g.body)
			}
		}
		for _, p := range w.store.Load().Status().Chains[0].Providers {
			if p.State != "Closed" {
				t.Errorf("%s is blamed for our own name service: %+v", p.Name, p.Circuit)
			}
		}
		w.dialling = nil
		answered(t, w.call(t.Context(), failover.ChatCompletions, chat("hello", false)), "anthropic", "false", apps[0].end)
	})
}

func TestANameThatAloneCannotBeLookedUpIsItsHostsFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, threeEntries())
		defer w.close()
		n := 0
		w.dialling = func(context.Context) error {
			if n++; n%2 == 1 {
				w.provider.CloseIdle()
				return &net.DNSError{Err: "server misbehaving", IsTemporary: true}
			}
			return nil
		}
		for range 3 {
			g := w.call(t.Context(), failover.ChatCompletions, chat("hello", false))
			answered(t, g, "openai", "true", apps[0].end)
			w.provider.CloseIdle()
		}
		if st := w.store.Load().Status().Chains[0].Providers[0]; st.State != "Open" || st.Reason != failover.DNSError {
			t.Errorf("the circuit is %+v", st)
		}
	})
}

// TestAKeptConnectionThatWasClosedIsNobodysFault uses a server that closes a
// connection as its second request arrives.
func TestAKeptConnectionThatWasClosedIsNobodysFault(t *testing.T) {
	for _, app := range apps {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, threeEntries())
			defer w.close()
			asked := 0
			w.serve("anthropic", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if asked++; asked%2 == 0 {
					_, _ = io.Copy(io.Discard, r.Body)
					c, _, err := rw.(http.Hijacker).Hijack()
					if err == nil {
						c.Close()
					}
					return
				}
				w.anthropic.Handler().ServeHTTP(rw, r)
			}))
			for range 5 {
				g := w.call(t.Context(), app.op, app.body("hello"))
				answered(t, g, "anthropic", "false", app.end)
				if got := g.header.Get("X-Understudy-Attempts"); got != "1" {
					t.Errorf("it took %s attempts (%s)", got, w.seen.classes())
				}
				time.Sleep(time.Second)
			}
			if asked < 9 {
				t.Errorf("only %d requests reached the server; no kept connection was closed", asked)
			}
		})
	}
}

func TestOurOwnEndIsNobodysFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, threeEntries())
		defer w.close()
		w.anthropic.FailNamed("hang")
		for range 4 {
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Second, func() { cancel(failover.ErrShutdown) })
			g := w.call(ctx, failover.ChatCompletions, chat("hello", false))
			if g.status != 503 || w.seen.last().Outcome != failover.Interrupted {
				t.Errorf("got %d, %q", g.status, w.seen.last().Outcome)
			}
			cancel(errors.New("over"))
		}
		if st := w.store.Load().Status().Chains[0].Providers[0]; st.State != "Closed" {
			t.Errorf("our end was blamed: %+v", st)
		}
	})
}
