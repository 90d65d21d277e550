package failover_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/simulator"
)

// geminiFirst is a chain whose first entry is Gemini's own API, before one that
// speaks Chat.
func geminiFirst() failover.ChainConfig {
	chain := threeEntries()
	chain.Providers = []failover.ProviderConfig{
		{Name: "gemini", Type: failover.GeminiAPI, Model: "gemini-3.5-flash", BaseURL: "http://gemini.test.svc", Auth: failover.SecretRef{Env: "GEMINI"}},
		chain.Providers[1],
	}
	return chain
}

// geminiWorld puts a simulated Gemini behind the first entry.
func geminiWorld(t *testing.T) (*world, *simulator.Provider) {
	t.Helper()
	w := newWorld(t, geminiFirst())
	sim, err := simulator.New(simulator.Options{Providers: []simulator.ProviderConfig{{Name: "gemini", Kind: simulator.Gemini, Keys: []string{"key-of-GEMINI"}}}})
	if err != nil {
		t.Fatal(err)
	}
	w.serve("gemini", sim.Provider("gemini").Handler())
	t.Cleanup(sim.Close)
	return w, sim.Provider("gemini")
}

func TestAGeminiEntryAnswersAppsOfEveryDialect(t *testing.T) {
	for _, app := range apps {
		synctest.Test(t, func(t *testing.T) {
			w, _ := geminiWorld(t)
			defer w.close()
			g := w.call(t.Context(), app.op, app.body("say hello there"))
			if g.status != http.StatusOK || g.err != nil || g.provider() != "gemini" || !strings.Contains(g.body, app.end) || !strings.Contains(g.body, "hello") {
				t.Errorf("%s: %d from %s: %s, %v", app.name, g.status, g.provider(), g.body, g.err)
			}
		})
	}
}

func TestFaultsOfGeminiBeforeItsContentAreInvisible(t *testing.T) {
	for _, tt := range []struct {
		fault  string
		stream bool
		want   failover.Class
	}{
		{"bad-key", false, failover.Unauthorized},
		{"location-unsupported", true, failover.PermissionDenied},
		{"daily-quota", false, failover.QuotaExceeded},
		{"rate-limit", true, failover.RateLimited},
		{"model-retired", false, failover.ModelNotFound},
		{"malformed-call", false, failover.EmptyAnswer},
		{"malformed-call-stream", true, failover.EmptyAnswer},
		{"error-200", false, failover.ServiceUnavailable},
		{"error-event", true, failover.ServiceUnavailable},
		{"empty-answer", false, failover.EmptyAnswer},
		{"empty-answer", true, failover.EmptyAnswer},
		{"cut-early", true, failover.EmptyAnswer},
		{"malformed-first", true, failover.UnexpectedContent},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, gemini := geminiWorld(t)
				defer w.close()
				if err := gemini.FailNamed(tt.fault); err != nil {
					t.Fatal(err)
				}
				g := w.call(t.Context(), failover.ChatCompletions, chat("say hello", tt.stream))
				if g.err != nil || g.provider() != "openai" || !strings.Contains(w.seen.classes(), "gemini "+string(tt.want)) {
					t.Errorf("answered by %q, %v, after %s; want openai after %s", g.provider(), g.err, w.seen.classes(), tt.want)
				}
			})
		})
	}
}

func TestFaultsOfGeminiAfterItsContentEndHonestly(t *testing.T) {
	for _, fault := range []string{"error-event-late", "cut", "cut-mid-event", "reset-mid-stream", "stall"} {
		synctest.Test(t, func(t *testing.T) {
			w, gemini := geminiWorld(t)
			defer w.close()
			if err := gemini.FailNamed(fault); err != nil {
				t.Fatal(err)
			}
			g := w.call(t.Context(), failover.ChatCompletions, chat("tokens 20", true))
			if g.err != failover.ErrAborted || !strings.Contains(g.body, `data: {"error"`) || strings.Contains(g.body, "[DONE]") {
				t.Errorf("%s: the app reads %q, %v", fault, g.body, g.err)
			}
		})
	}
}

func TestABlockedPromptIsAnAnswer(t *testing.T) {
	for fault, stream := range map[string]bool{"blocked-prompt": false, "blocked-prompt-stream": true} {
		synctest.Test(t, func(t *testing.T) {
			w, gemini := geminiWorld(t)
			defer w.close()
			if err := gemini.FailNamed(fault); err != nil {
				t.Fatal(err)
			}
			g := w.call(t.Context(), failover.ChatCompletions, chat("hello", stream))
			if g.status != http.StatusOK || g.err != nil || g.provider() != "gemini" || !strings.Contains(g.body, `"finish_reason":"content_filter"`) {
				t.Errorf("%d from %s: %s, %v", g.status, g.provider(), g.body, g.err)
			}
		})
	}
}

// Gemini may break into a stream with an error that is no event.
func TestAnErrorOutsideOfAnyEventIsRead(t *testing.T) {
	const bare = "{\n  \"error\": {\n    \"code\": 429,\n    \"status\": \"RESOURCE_EXHAUSTED\"\n  }\n}\n\n"
	fragment := `data: {"candidates":[{"content":{"parts":[{"text":"hello"}]}}]}` + "\r\n\r\n"
	for _, tt := range []struct {
		pieces []string
		from   string
		err    error
	}{
		{[]string{bare}, "openai", nil},
		{[]string{fragment, bare}, "gemini", failover.ErrAborted},
	} {
		synctest.Test(t, func(t *testing.T) {
			w, _ := geminiWorld(t)
			defer w.close()
			w.serve("gemini", streaming(time.Second, 0, tt.pieces...))
			g := w.call(t.Context(), failover.ChatCompletions, chat("say hello", true))
			if g.provider() != tt.from || g.err != tt.err || !strings.Contains(w.seen.classes(), "gemini RateLimited") {
				t.Errorf("answered by %q, %v, after %s: %s", g.provider(), g.err, w.seen.classes(), g.body)
			}
		})
	}
}

// A whole tool loop by way of Gemini, the app keeping what it got: the
// simulator refuses a call without its signature and without its id.
func TestAToolLoopGoesThroughGemini(t *testing.T) {
	const tools = `"tools":[{"type":"function","function":{"name":"f","strict":true,"parameters":{"type":"object","properties":{}}}}]`
	synctest.Test(t, func(t *testing.T) {
		w, gemini := geminiWorld(t)
		defer w.close()
		g := w.call(t.Context(), failover.ChatCompletions, `{"model":"gpt-4o","messages":[{"role":"user","content":"tool f {}\ntool f {\"k\":1}"}],`+tools+`}`)
		var message, first, second failover.RawJSON
		_ = failover.EachElement(failover.RawJSON(g.body).Member("choices"), func(c failover.RawJSON) bool { message = c.Member("message"); return false })
		_ = failover.EachElement(message.Member("tool_calls"), func(c failover.RawJSON) bool { first, second = second, c.Member("id"); return true })
		for _, keep := range []bool{true, false} {
			kept := string(message)
			if !keep { // many apps drop what they do not know
				at := strings.Index(kept, `,"extra_content"`)
				end := at + strings.Index(kept[at:], `}}`) + 2
				kept = kept[:at] + kept[end:]
			}
			g = w.call(t.Context(), failover.ChatCompletions, `{"model":"gpt-4o","messages":[{"role":"user","content":"x"},`+kept+
				`,{"role":"tool","tool_call_id":`+string(second)+`,"content":"two"},{"role":"tool","tool_call_id":`+string(first)+`,"content":"one"}],`+tools+`}`)
			if g.status != http.StatusOK || g.provider() != "gemini" || !strings.Contains(g.body, `The tool answered: one\ntwo`) {
				t.Errorf("kept %v: %d from %q: %s\n%s", keep, g.status, g.provider(), g.body, gemini.Requests()[len(gemini.Requests())-1].Body)
			}
		}
	})
}
