package failover_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/simulator"
)

// answered asserts a complete answer and who gave it.
func answered(t *testing.T, g got, provider, failedOver, end string) {
	t.Helper()
	if g.status != 200 || g.err != nil || !strings.Contains(g.body, end) {
		t.Fatalf("got %d %v %.500s", g.status, g.err, g.body)
	}
	if g.provider() != provider || g.header.Get("X-Understudy-Failover") != failedOver {
		t.Errorf("%q answered with x-understudy-failover %q, want %q and %q", g.provider(), g.header.Get("X-Understudy-Failover"), provider, failedOver)
	}
	if errorsIn(g.body) > 0 {
		t.Errorf("the answer holds an error: %.500s", g.body)
	}
}

func TestThePrimaryAnswers(t *testing.T) {
	for _, app := range apps {
		t.Run(app.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, threeEntries())
				defer w.close()
				g := w.call(t.Context(), app.op, app.body("say hello world"))
				answered(t, g, "anthropic", "false", app.end)
				for name, want := range map[string]string{"Chain": "support-bot", "Model": "claude-haiku-4-5", "Attempts": "1"} {
					if got := g.header.Get("X-Understudy-" + name); got != want {
						t.Errorf("x-understudy-%s is %q, want %q", name, got, want)
					}
				}
			})
		})
	}
}

// beforeContent are faults of the primary that show before any content; the
// app must see none of them.
var beforeContent = []struct {
	fault string
	class string // of the primary's last try
	tries int
}{
	{"bad-key", "Unauthorized", 1},
	{"forbidden", "PermissionDenied", 1},
	{"payment-required", "QuotaExceeded", 1},
	{"credit-balance", "QuotaExceeded", 1},
	{"usage-limit", "QuotaExceeded", 1},
	{"spend-limit", "QuotaExceeded", 1},
	{"organization-on-hold", "PermissionDenied", 1},
	{"rate-limit", "RateLimited", 1},
	{"rate-limit-ms", "RateLimited", 2},
	{"rate-limit-no-hint", "RateLimited", 1},
	{"rate-limit-zero", "RateLimited", 1},
	{"model-retired", "ModelNotFound", 1},
	{"timeout-408", "GatewayTimeout", 1},
	{"server-error", "ServerError", 2},
	{"unavailable", "ServiceUnavailable", 2},
	{"gateway-timeout", "GatewayTimeout", 2},
	{"overloaded", "Overloaded", 1},
	{"bad-gateway", "BadGateway", 2},
	{"challenge", "Blocked", 1},
	{"redirect", "Redirected", 1},
	{"html-200", "UnexpectedContent", 1},
	{"empty-200", "EmptyAnswer", 1},
	{"blank-200", "EmptyAnswer", 1},
	{"close", "ConnectionReset", 2},
	{"reset", "ConnectionReset", 2},
	{"edge-520", "BadGateway", 2},
	{"error-200", "Overloaded", 1},
	{"invalid-json", "UnexpectedContent", 1},
	{"empty-answer", "EmptyAnswer", 1},
}

func TestFaultsBeforeTheContentAreInvisible(t *testing.T) {
	for _, f := range beforeContent {
		for _, app := range apps {
			t.Run(f.fault+" "+app.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, threeEntries())
					defer w.close()
					if err := w.anthropic.FailNamed(f.fault); err != nil {
						t.Fatal(err)
					}
					g := w.call(t.Context(), app.op, app.body("say hello world"))
					answered(t, g, "openai", "true", app.end)
					if n := len(w.anthropic.Requests()); n != f.tries {
						t.Errorf("the primary was asked %d times, want %d (%s)", n, f.tries, w.seen.classes())
					}
					if first, _, _ := strings.Cut(w.seen.classes(), ","); first != "anthropic "+f.class {
						t.Errorf("the verdict is %q, want %q", first, f.class)
					}
				})
			})
		}
	}
}

func TestFaultsOfAStreamBeforeItsContentAreInvisible(t *testing.T) {
	for fault, class := range map[string]string{
		"error-event": "Overloaded", "cut-early": "Truncated", "malformed-first": "UnexpectedContent",
		"keep-alives": "FirstTokenTimeout", "hang-after-headers": "FirstTokenTimeout", "hang": "FirstByteTimeout", "reset-after-headers": "ConnectionReset",
	} {
		for _, app := range apps {
			if !strings.Contains(app.name, "stream") {
				continue
			}
			t.Run(fault+" "+app.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, threeEntries())
					defer w.close()
					if err := w.anthropic.FailNamed(fault); err != nil {
						t.Fatal(err)
					}
					g := w.call(t.Context(), app.op, app.body("say hello world"))
					answered(t, g, "openai", "true", app.end)
					if first, _, _ := strings.Cut(w.seen.classes(), ","); first != "anthropic "+class {
						t.Errorf("the verdict is %q, want %q", first, class)
					}
					limit := map[string]time.Duration{"FirstTokenTimeout": time.Minute, "FirstByteTimeout": 15 * time.Second}[class]
					if g.took < limit || g.took > limit+time.Second {
						t.Errorf("it took %v, want about %v", g.took, limit)
					}
				})
			})
		}
	}
}

func TestFaultsAfterTheContentEndHonestly(t *testing.T) {
	for fault, class := range map[string]string{
		"error-event-late": "Overloaded", "cut": "Truncated", "cut-mid-event": "Truncated", "reset-mid-stream": "ConnectionReset", "stall": "IdleTimeout",
	} {
		for _, app := range apps {
			if !strings.Contains(app.name, "stream") {
				continue
			}
			t.Run(fault+" "+app.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, threeEntries())
					defer w.close()
					if err := w.anthropic.FailNamed(fault); err != nil {
						t.Fatal(err)
					}
					g := w.call(t.Context(), app.op, app.body("tokens 40"))
					if g.err != failover.ErrAborted {
						t.Fatalf("the answer ended with %v: %.300s", g.err, g.body)
					}
					if strings.Contains(g.body, app.end) {
						t.Error("a truncated answer looks complete")
					}
					if n := strings.Count(g.body, `"error"`); n == 0 {
						t.Errorf("there is no error event: %s", g.body)
					}
					if got := w.seen.last(); got.Outcome != failover.Interrupted {
						t.Errorf("the outcome is %q", got.Outcome)
					}
					if got := w.seen.classes(); got != "anthropic "+class {
						t.Errorf("the verdict is %q, want %q", got, class)
					}
					if n := len(w.openai.Requests()); n != 0 {
						t.Error("a committed answer was replayed")
					}
				})
			})
		}
	}
}

func TestHarmlessOdditiesPass(t *testing.T) {
	for _, fault := range []string{"no-terminal", "hold-open", "double-terminal", "oddities", "crlf", "drip", "stall-60s"} {
		for _, native := range []bool{true, false} {
			t.Run(fault, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					chain := threeEntries()
					chain.Providers = chain.Providers[1:2]
					w := newWorld(t, chain)
					defer w.close()
					if err := w.openai.FailNamed(fault); err != nil {
						t.Fatal(err)
					}
					app := apps[1]
					if !native {
						app = apps[3]
					}
					g := w.call(t.Context(), app.op, app.body("tokens 8"))
					answered(t, g, "openai", "false", app.end)
				})
			})
		}
	}
}

func TestTheCallersMistakeIsReturnedVerbatim(t *testing.T) {
	for _, fault := range []string{"bad-request", "too-large", "unprocessable", "conflict"} {
		t.Run(fault, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, threeEntries())
				defer w.close()
				if err := w.anthropic.FailNamed(fault); err != nil {
					t.Fatal(err)
				}
				for range 10 {
					g := w.call(t.Context(), failover.Messages, message("hello", false))
					if g.status < 400 || g.status > 499 || g.provider() != "anthropic" || g.header.Get("X-Understudy-Failover") != "false" {
						t.Fatalf("got %d from %q: %s", g.status, g.provider(), g.body)
					}
				}
				if len(w.openai.Requests()) != 0 {
					t.Error("the mistake was taken to another provider")
				}
				if st := w.store.Load().Status().Chains[0].Providers[0]; st.State != "Closed" {
					t.Errorf("the mistake left the circuit %s", st.State)
				}
			})
		})
	}
}

func TestAMistakeThatOnlyALaterEntrySeesDoesNotHideTheOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, threeEntries())
		defer w.close()
		w.anthropic.Fail(simulator.Fault{Effect: simulator.Respond, Status: 529})
		w.openai.Fail(simulator.Fault{Effect: simulator.Respond, Status: 400})
		g := w.call(t.Context(), failover.Messages, message("hello", false))
		if g.status != 503 || g.header.Get("X-Understudy-Origin") != "sidecar" {
			t.Errorf("got %d %s", g.status, g.body)
		}
		for _, part := range []string{`"provider":"anthropic","reason":"Overloaded"`, `"provider":"openai","reason":"InvalidRequest"`, `"provider":"anthropic-opus","reason":"Overloaded"`} {
			if !strings.Contains(g.body, part) {
				t.Errorf("the list has no %s: %s", part, g.body)
			}
		}
	})
}

func TestALimitOfRateAloneIsA429(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, threeEntries())
		defer w.close()
		w.anthropic.FailNamed("rate-limit")
		w.openai.FailNamed("rate-limit")
		w.call(t.Context(), failover.ChatCompletions, chat("hello", false))
		g := w.call(t.Context(), failover.ChatCompletions, chat("hello", false))
		if g.status != 429 || g.header.Get("Retry-After") == "" || g.header.Get("X-Should-Retry") != "" {
			t.Errorf("got %d %v %s", g.status, g.header, g.body)
		}
	})
}

func TestTooLongGoesToALargerWindowOnly(t *testing.T) {
	for window, want := range map[int]string{0: "openai", 400_000: "openai", 100_000: ""} {
		synctest.Test(t, func(t *testing.T) {
			chain := threeEntries()
			chain.Providers = chain.Providers[:2]
			chain.Providers[0].ContextWindow, chain.Providers[1].ContextWindow = 200_000, window
			w := newWorld(t, chain)
			defer w.close()
			w.anthropic.FailNamed("context-too-long")
			g := w.call(t.Context(), failover.Messages, message("hello", false))
			switch {
			case want == "" && (g.status != 400 || g.provider() != "anthropic"):
				t.Errorf("got %d from %q", g.status, g.provider())
			case want != "" && g.provider() != want:
				t.Errorf("window %d: got %d from %q", window, g.status, g.provider())
			}
		})
	}
}

func TestAHangingUnaryCallIsAnsweredWithinTheAppsPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, threeEntries())
		defer w.close()
		w.anthropic.FailNamed("hang")
		g := w.call(t.Context(), failover.ChatCompletions, chat("hello", false), "X-Stainless-Timeout", "60")
		answered(t, g, "openai", "true", apps[0].end)
		if g.took >= 60*time.Second {
			t.Errorf("it took %v", g.took)
		}
	})
}

func TestAHealthyUnaryCallOf50SecondsIsNotCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, threeEntries())
		defer w.close()
		w.anthropic.Fail(simulator.Fault{Effect: simulator.Hang, Delay: 50 * time.Second})
		g := w.call(t.Context(), failover.ChatCompletions, chat("hello", false))
		answered(t, g, "anthropic", "false", apps[0].end)
	})
}

func TestTheAppsLeavingReachesTheProviderAndBlamesNobody(t *testing.T) {
	for _, app := range apps {
		t.Run(app.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, threeEntries())
				defer w.close()
				w.anthropic.Fail(simulator.Fault{Effect: simulator.Drip, Delay: 10 * time.Second})
				ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
				defer cancel()
				w.call(ctx, app.op, app.body("tokens 100"))
				synctest.Wait()
				if r := w.anthropic.Requests(); len(r) != 1 || !r[0].Cancelled {
					t.Errorf("the provider did not learn that the app left: %+v", r)
				}
				if got := w.seen.last(); got.Outcome != failover.Canceled {
					t.Errorf("the outcome is %q", got.Outcome)
				}
				if st := w.store.Load().Status().Chains[0].Providers[0]; st.State != "Closed" || len(w.openai.Requests()) != 0 {
					t.Errorf("the app's leaving was blamed: %+v", st)
				}
			})
		})
	}
}

func TestRequestsKeepTheSnapshotTheyBeganWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, threeEntries())
		defer w.close()
		w.anthropic.Fail(simulator.Fault{Effect: simulator.Drip, Delay: time.Second})
		done := make(chan got)
		go func() { done <- w.call(t.Context(), failover.ChatCompletions, chat("tokens 20", true)) }()
		time.Sleep(5 * time.Second)
		chain := threeEntries()
		chain.Providers = chain.Providers[1:2]
		if err := w.store.Apply(failover.Config{Chains: []failover.ChainConfig{chain}}); err != nil {
			t.Fatal(err)
		}
		g := w.call(t.Context(), failover.ChatCompletions, chat("hello", false))
		answered(t, g, "openai", "false", apps[0].end)
		answered(t, <-done, "anthropic", "false", apps[1].end)
	})
}
