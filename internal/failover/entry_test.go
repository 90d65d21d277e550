package failover_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/understudy-dev/understudy/internal/failover"
)

// An app may send its own key to one entry. What becomes of it is the app's
// affair: it is told, and nobody else's calls are held back.
func TestTheAppsOwnKeyIsTheAppsAffair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chain := threeEntries()
		chain.Providers[1].Auth = failover.SecretRef{App: true}
		chain.Providers = chain.Providers[1:]
		w := newWorld(t, chain)
		defer w.close()
		ask := func(op failover.Operation, body, key string) got {
			return w.call(t.Context(), op, body, "Authorization", "Bearer "+key)
		}
		for range 6 {
			g := ask(failover.ChatCompletions, chat("hello", false), "key-of-somebody")
			if g.status != 401 || g.provider() != "openai" {
				t.Fatalf("got %d from %q: %s", g.status, g.provider(), g.body)
			}
		}
		if g := ask(failover.ChatCompletions, chat("hello", false), "key-of-OPENAI"); g.status != 200 || g.provider() != "openai" {
			t.Errorf("another app's good key: %d from %q: %s", g.status, g.provider(), g.body)
		}
		if g := ask(failover.Messages, message("hello", false), "key-of-OPENAI"); g.status != 200 || g.provider() != "anthropic-opus" || g.header.Get("X-Understudy-Failover") != "false" {
			t.Errorf("a dialect that the key is not for: %d from %q", g.status, g.provider())
		}
	})
}

func TestKnobsAreAppliedLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chain := threeEntries()
		for i := range chain.Providers {
			chain.Providers[i].Request = failover.Knobs{Drop: []string{"temperature"}, Set: []failover.Member{{Name: "metadata", Value: failover.RawJSON(`{"user_id":"u-1"}`)}}}
		}
		w := newWorld(t, chain)
		defer w.close()
		for _, op := range []failover.Operation{failover.Messages, failover.ChatCompletions} {
			body := `{"model":"x","max_tokens":10,"temperature":0.5,"messages":[{"role":"user","content":"hello"}]}`
			if g := w.call(t.Context(), op, body); g.status != 200 {
				t.Fatalf("%s: %d %s", op.Path, g.status, g.body)
			}
			asked := w.anthropic.Requests()
			sent := string(asked[len(asked)-1].Body)
			if strings.Contains(sent, "temperature") || !strings.Contains(sent, `"metadata":{"user_id":"u-1"}`) || !strings.Contains(sent, `"claude-haiku-4-5"`) {
				t.Errorf("%s: the provider got %s", op.Path, sent)
			}
		}
	})
}
