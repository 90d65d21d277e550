package failover_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/understudy-dev/understudy/internal/failover"
)

// appsKeyFirst is a chain whose first entry gets the app's own key.
func appsKeyFirst() failover.ChainConfig {
	chain := threeEntries()
	chain.Providers = []failover.ProviderConfig{chain.Providers[1], chain.Providers[0]}
	chain.Providers[0].Auth = failover.SecretRef{App: true}
	return chain
}

func TestTheAppsOwnKeyIsUsedForItsOwnEntryOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, appsKeyFirst())
		defer w.close()
		const good, bad = "Bearer key-of-OPENAI", "Bearer sk-of-the-app"

		g := w.call(t.Context(), failover.ChatCompletions, chat("hello", false), "Authorization", good)
		if g.status != http.StatusOK || g.provider() != "openai" {
			t.Errorf("%d from %q: %s", g.status, g.provider(), g.body)
		}

		// A key that is not known is the app's to hear of, word for word.
		g = w.call(t.Context(), failover.ChatCompletions, chat("hello", true), "Authorization", bad)
		if g.status != http.StatusUnauthorized || g.provider() != "openai" || !strings.Contains(g.body, "invalid_api_key") || g.header.Get("X-Understudy-Origin") != "" {
			t.Errorf("%d from %q: %s", g.status, g.provider(), g.body)
		}
		g = w.call(t.Context(), failover.ChatCompletions, chat("hello", false), "Authorization", good)
		if g.status != http.StatusOK || g.provider() != "openai" || g.header.Get("X-Understudy-Attempts") != "1" {
			t.Errorf("after another app's bad key: %d from %q", g.status, g.provider())
		}

		// An account without money is no reason to stop, nor to hold anything.
		if err := w.openai.FailNamed("insufficient-quota"); err != nil {
			t.Fatal(err)
		}
		for range 4 {
			g = w.call(t.Context(), failover.ChatCompletions, chat("hello", false), "Authorization", good)
			if g.status != http.StatusOK || g.provider() != "anthropic" || g.header.Get("X-Understudy-Attempts") != "2" {
				t.Errorf("%d from %q after %s attempts: %s", g.status, g.provider(), g.header.Get("X-Understudy-Attempts"), g.body)
			}
		}
		w.openai.Heal()

		// It is good in its own dialect only.
		g = w.call(t.Context(), failover.Messages, message("hello", false), "X-Api-Key", "sk-ant-of-the-app")
		if g.status != http.StatusOK || g.provider() != "anthropic" {
			t.Errorf("%d from %q: %s", g.status, g.provider(), g.body)
		}
		for _, r := range w.anthropic.Requests() {
			if r.Key != "key-1" {
				t.Errorf("the other provider was sent another key than its own: %q", r.Key)
			}
		}
	})
}

func TestKnobsAreTheLastWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chain := threeEntries()
		chain.Providers = []failover.ProviderConfig{chain.Providers[1], chain.Providers[0]}
		knobs := failover.Knobs{
			Drop: []string{"temperature", "max_tokens"},
			Set:  []failover.Member{{Name: "service_tier", Value: failover.RawJSON(`"auto"`)}, {Name: "max_tokens", Value: failover.RawJSON(`77`)}},
		}
		chain.Providers[0].Request, chain.Providers[1].Request = knobs, knobs
		w := newWorld(t, chain)
		defer w.close()
		const body = `{ "messages":[{"role":"user","content":"caf\u00e9 <b>"}],"temperature" : 1.0, "model":"gpt-4o",` + "\n" + ` "seed":12345678901234567890 , "service_tier":"default"}`
		if g := w.call(t.Context(), failover.ChatCompletions, body); g.status != http.StatusOK || g.provider() != "openai" {
			t.Fatalf("%d from %q: %s", g.status, g.provider(), g.body)
		}
		const want = `{ "messages":[{"role":"user","content":"caf\u00e9 <b>"}], "model":"gpt-4o-mini",` + "\n" + ` "seed":12345678901234567890 , "service_tier":"auto","max_tokens":77}`
		if got := string(w.openai.Requests()[0].Body); got != want {
			t.Errorf("of the app's own dialect:\n got %s\nwant %s", got, want)
		}
		if err := w.openai.FailNamed("overloaded"); err != nil {
			t.Fatal(err)
		}
		if g := w.call(t.Context(), failover.ChatCompletions, body); g.status != http.StatusOK || g.provider() != "anthropic" {
			t.Fatalf("%d from %q: %s", g.status, g.provider(), g.body)
		}
		got := string(w.anthropic.Requests()[0].Body)
		if !strings.Contains(got, `"max_tokens":77,`) || !strings.HasSuffix(got, `,"service_tier":"auto"}`) || strings.Contains(got, "temperature") {
			t.Errorf("translated: %s", got)
		}
	})
}

func TestAStrictChainSkipsWhoWouldLoseSomething(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chain := threeEntries()
		chain.Fidelity = failover.Strict
		w := newWorld(t, chain)
		defer w.close()
		hint := strings.Replace(chat("hello", false), `{`, `{"seed":1,`, 1)
		if g := w.call(t.Context(), failover.ChatCompletions, hint); g.provider() != "openai" || g.header.Get("X-Understudy-Degraded") != "" {
			t.Errorf("%d from %q: %s", g.status, g.provider(), g.body)
		}
		if g := w.call(t.Context(), failover.ChatCompletions, chat("hello", false)); g.provider() != "anthropic" {
			t.Errorf("nothing would be lost, and yet %q answered: %s", g.provider(), g.body)
		}
	})
}

// TestACallThatNeedsAModelIsNotMadeWithoutOne asks Azure's dated API, where the
// model is the deployment in the path.
func TestACallThatNeedsAModelIsNotMadeWithoutOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chain := threeEntries()
		chain.Providers = []failover.ProviderConfig{
			{Name: "azure", Type: failover.AzureOpenAI, BaseURL: "http://openai.test.svc/openai?api-version=2024-10-21", Auth: failover.SecretRef{Env: "OPENAI"}},
			chain.Providers[1],
		}
		w := newWorld(t, chain)
		defer w.close()
		g := w.call(t.Context(), failover.ChatCompletions, `{"messages":[{"role":"user","content":"hello"}]}`)
		if g.status != http.StatusOK || g.provider() != "openai" || g.header.Get("X-Understudy-Attempts") != "1" {
			t.Errorf("%d from %q: %s", g.status, g.provider(), g.body)
		}
	})
}
