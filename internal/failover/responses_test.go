package failover_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/simulator"
)

// response is a request in the Responses dialect; more are members behind a
// comma.
func response(text string, stream bool, more string) string {
	return fmt.Sprintf(`{"model":"gpt-4o",  "stream":%t,"input":%q%s}`, stream, text, more)
}

func only(entry int) failover.ChainConfig {
	chain := threeEntries()
	chain.Providers = chain.Providers[entry : entry+1]
	return chain
}

func TestAResponsesAppIsAnsweredByAnAnthropicEntry(t *testing.T) {
	for _, stream := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, only(0))
			defer w.close()
			g := w.call(t.Context(), failover.Responses, response("say hello there", stream, ""))
			if g.status != 200 || g.err != nil || g.provider() != "anthropic" {
				t.Fatalf("the app reads %d from %q, %v: %s", g.status, g.provider(), g.err, g.body)
			}
			for _, part := range []string{`"id":"resp_us_`, `"text":"hello there"`, `"status":"completed"`} {
				if !strings.Contains(g.body, part) {
					t.Errorf("%s is not in %s", part, g.body)
				}
			}
			if got := strings.Contains(g.body, "event: response.completed\n"); got != stream {
				t.Errorf("stream %v: the terminal event is there: %v", stream, got)
			}
		})
	}
}

func TestARequestAboutStateGoesToTheEntryThatMayHaveItUnchanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, threeEntries())
		defer w.close()
		body := strings.Replace(response("hi", false, `, "previous_response_id" : "resp_67"`), "gpt-4o", "gpt-4o-mini", 1)
		g := w.call(t.Context(), failover.Responses, body)
		if g.status != 200 || g.provider() != "openai" {
			t.Fatalf("the app reads %d from %q: %s", g.status, g.provider(), g.body)
		}
		if n := len(w.anthropic.Requests()); n != 0 {
			t.Errorf("the entry that cannot have the state was asked %d times", n)
		}
		if got := string(w.openai.Requests()[0].Body); got != body {
			t.Errorf("the provider reads %s, want %s", got, body)
		}
	})
}

func TestARequestAboutStateThatNoEntryCanHaveIsRefusedByName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, only(0))
		defer w.close()
		g := w.call(t.Context(), failover.Responses, response("hi", false, `,"previous_response_id":"resp_67"`))
		if g.status != 400 || !strings.Contains(g.body, "no_entry_supports_request") || !strings.Contains(g.body, "previous_response_id") {
			t.Errorf("the app reads %d: %s", g.status, g.body)
		}
	})
}

func TestNobodyIsAskedAboutAResponseThatWasTranslated(t *testing.T) {
	for entry := range threeEntries().Providers {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, only(entry))
			defer w.close()
			g := w.call(t.Context(), failover.Responses, response("hi", false, `,"previous_response_id":"resp_us_67"`))
			if g.status != 400 || !strings.Contains(g.body, `"param":"previous_response_id","code":"previous_response_not_found"`) {
				t.Errorf("the app reads %d: %s", g.status, g.body)
			}
			g = w.call(t.Context(), failover.Passed(failover.OpenAIChat, "GET", "/responses/resp_us_67/input_items"), "")
			if g.status != 404 || g.header.Get("X-Understudy-Origin") != "sidecar" {
				t.Errorf("the app reads %d: %s", g.status, g.body)
			}
			if n := len(w.anthropic.Requests()) + len(w.openai.Requests()); n != 0 {
				t.Errorf("providers were asked %d times", n)
			}
		})
	}
}

func TestATranslatedResponseThatBreaksOffFailsWithItsNumberAndItems(t *testing.T) {
	for _, effect := range []simulator.Effect{simulator.Cut, simulator.ResetMidStream, simulator.ErrorEvent} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, only(0))
			defer w.close()
			w.anthropic.Fail(simulator.Fault{Effect: effect, After: 2})
			g := w.call(t.Context(), failover.Responses, response("say one two three four", true, ""))
			if g.err != failover.ErrAborted {
				t.Fatalf("%s: the app reads %d, %v: %s", effect, g.status, g.err, g.body)
			}
			events := strings.Split(strings.TrimSuffix(g.body, "\n\n"), "\n\n")
			last := events[len(events)-1]
			for _, part := range []string{
				"event: response.failed\n", fmt.Sprintf(`"sequence_number":%d,`, len(events)-1),
				`"status":"failed"`, `"error":{"code":"server_error","message":"The provider anthropic broke off its answer`, `"text":"one two`,
				`"type":"message","status":"incomplete"`,
			} {
				if !strings.Contains(last, part) {
					t.Errorf("%s: %s is not in %s", effect, part, last)
				}
			}
		})
	}
}
