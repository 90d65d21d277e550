package failover_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/simulator"
)

func TestWhenOnlyBreakersAreInTheWayOneRequestGoesAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, openAIOnly())
		defer w.close()
		w.openai.Fail(simulator.Fault{Effect: simulator.Respond, Status: 500})
		for range 3 {
			w.call(t.Context(), failover.ChatCompletions, chat("hello", false))
		}
		if st := w.store.Load().Status().Chains[0].Providers[0]; st.State != "Open" {
			t.Fatalf("the circuit is %+v", st)
		}
		w.openai.Heal()
		w.openai.Fail(simulator.Fault{Effect: simulator.Hang, Delay: 10 * time.Second})
		asked := len(w.openai.Requests())
		forced := make(chan got)
		go func() { forced <- w.call(t.Context(), failover.ChatCompletions, chat("hello", false)) }()
		synctest.Wait()
		g := w.call(t.Context(), failover.ChatCompletions, chat("hello", false))
		if g.status != 503 || g.took != 0 || !strings.Contains(g.body, `"reason":"CircuitOpen"`) || g.header.Get("X-Should-Retry") != "false" {
			t.Errorf("the second gets %d %v after %v: %s", g.status, g.header, g.took, g.body)
		}
		answered(t, <-forced, "openai", "false", apps[0].end)
		if n := len(w.openai.Requests()) - asked; n != 1 {
			t.Errorf("%d requests went past the open breaker", n)
		}
		if st := w.store.Load().Status().Chains[0].Providers[0]; st.State != "Closed" {
			t.Errorf("its success left the circuit %+v", st)
		}
	})
}

func TestExhaustionSaysWhenItIsWorthwhileToAskAgain(t *testing.T) {
	for _, tt := range []struct {
		name          string
		fault         simulator.Fault
		status        int
		again         string // x-should-retry
		least, longer int    // bounds of Retry-After
	}{
		{"a limit of rate", simulator.Fault{Effect: simulator.Respond, Status: 429, Header: map[string]string{"Retry-After": "20"}}, 429, "", 20, 24},
		{"a longer one", simulator.Fault{Effect: simulator.Respond, Status: 429, Header: map[string]string{"Retry-After": "60"}}, 429, "false", 60, 72},
		{"no money", simulator.Fault{Effect: simulator.Respond, Status: 402}, 503, "false", 900, 1080},
		{"a failure", simulator.Fault{Effect: simulator.Respond, Status: 500}, 503, "", 1, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, threeEntries())
				defer w.close()
				w.anthropic.Fail(tt.fault)
				w.openai.Fail(tt.fault)
				g := w.call(t.Context(), failover.Messages, message("hello", true))
				after, _ := strconv.Atoi(g.header.Get("Retry-After"))
				if g.status != tt.status || g.header.Get("X-Should-Retry") != tt.again || after < tt.least || after > tt.longer {
					t.Errorf("got %d %v %s", g.status, g.header, g.body)
				}
			})
		})
	}
}

func TestARequestThatNoEntryCanServeIsTheCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chain := threeEntries()
		chain.Providers = chain.Providers[:1]
		w := newWorld(t, chain)
		defer w.close()
		g := w.call(t.Context(), failover.Embeddings, `{"model":"text-embedding-3-small","input":"hello"}`)
		if g.status != 400 || g.header.Get("X-Should-Retry") != "false" || !strings.Contains(g.body, "/embeddings") || g.header.Get("X-Understudy-Origin") != "sidecar" {
			t.Errorf("got %d %v %s", g.status, g.header, g.body)
		}
		if len(w.anthropic.Requests()) != 0 {
			t.Error("it was asked all the same")
		}
	})
}

func TestTheWalkEndsAtItsDeadline(t *testing.T) {
	for _, app := range apps {
		synctest.Test(t, func(t *testing.T) {
			chain := threeEntries()
			chain.Timeouts.Chain = 40 * time.Second
			w := newWorld(t, chain)
			defer w.close()
			w.anthropic.FailNamed("keep-alives")
			w.openai.FailNamed("keep-alives")
			g := w.call(t.Context(), app.op, app.body("hello"))
			if g.status != 503 || g.took != 40*time.Second {
				t.Errorf("%s: got %d after %v: %s", app.name, g.status, g.took, g.body)
			}
			// Half of what is left, half of the rest, the rest.
			for i, want := range []time.Duration{20 * time.Second, 10 * time.Second, 10 * time.Second} {
				if a := w.seen.attempts[i]; a.Duration != want {
					t.Errorf("%s: %s had %v, want %v", app.name, a.Provider, a.Duration, want)
				}
			}
		})
	}
}

func TestWhatIsHeldIsReleasedUnchanged(t *testing.T) {
	pieces := []string{
		": queued\r\n\r\n",
		"event: x\r\ndata: {\"choices\":[],\"prompt_filter_results\":[]}\r\n\r\n",
		`data: {"id":"1",  "choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"extra":1.50}` + "\n\n",
		chunk + "\n\n" + chunk, "\n\n",
		stop + "\n\n" + `data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}` + "\n\n",
		"data: [DONE]\n\n",
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, openAIOnly())
		defer w.close()
		w.serve("openai", streaming(time.Second, 0, pieces...))
		from := time.Now()
		a := w.engine.Serve(t.Context(), &failover.Request{
			Operation: failover.ChatCompletions, Header: http.Header{}, Body: failover.NewReplay([]byte(chat("hello", true))), Received: from,
		})
		defer a.Close()
		if took := time.Since(from); took != 3*time.Second {
			t.Errorf("the commit came after %v, want the first content's 3s", took)
		}
		first, err := a.Next()
		if err != nil {
			t.Fatal(err)
		}
		body := string(first)
		if want := strings.Join(pieces[:3], "") + chunk + "\n\n"; body != want {
			t.Errorf("the first piece is %q, want %q", body, want)
		}
		for {
			piece, err := a.Next()
			body += string(piece)
			if err != nil {
				break
			}
		}
		if want := strings.Join(pieces, ""); body != want {
			t.Errorf("the app reads %q, want %q", body, want)
		}
	})
}
