package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/understudy-dev/understudy/internal/simulator"
	"github.com/understudy-dev/understudy/internal/simulator/slack"
)

const (
	prompt = "say Grüße from the canary-prompt: ünïcode ☂ and more"
	answer = "Grüße from the canary-prompt: ünïcode ☂ and more"
)

func TestThePrimaryAnswersWhileItIsHealthy(t *testing.T) {
	w := newWorld(t)
	w.start(w.chainOfThree("2s"))
	for _, app := range apps() {
		t.Run(app.name, func(t *testing.T) {
			app.ask(t.Context(), w.url, prompt).provider(t, "anthropic", "false", answer)
		})
	}
}

func TestADeadKeyTakesOutItsSiblings(t *testing.T) {
	for _, app := range apps() {
		t.Run(app.name, func(t *testing.T) {
			w := newWorld(t)
			w.secret("llm-keys", "anthropic", "sk-ant-canary-revoked")
			w.start(w.chainOfThree("2s"))
			for range 3 {
				app.ask(t.Context(), w.url, prompt).provider(t, "openai", "true", answer)
			}
			if n := asked(w.anthropic, "claude-opus-4-5"); n != 0 {
				t.Errorf("Opus was asked %d times with the key that is dead", n)
			}
			if n := asked(w.anthropic, "claude-haiku-4-5"); n != 1 {
				t.Errorf("the dead key was tried %d times, want once", n)
			}
			// A rotated key is used without a restart.
			w.secret("llm-keys", "anthropic", anthropicKey)
			eventually(t, "the primary to be used with its new key", func() bool {
				return app.ask(t.Context(), w.url, prompt).header.Get("X-Understudy-Provider") == "anthropic"
			})
		})
	}
}

func TestAnOverloadedModelLeavesItsSiblingInPlay(t *testing.T) {
	for _, app := range apps() {
		t.Run(app.name, func(t *testing.T) {
			w := newWorld(t)
			w.start(w.chainOfThree("2s"))
			haikuOverloaded(t, w)
			for range 3 {
				app.ask(t.Context(), w.url, prompt).provider(t, "openai", "true", answer)
			}
			before := asked(w.anthropic, "claude-haiku-4-5")
			if before != 3 {
				t.Errorf("Haiku was tried %d times before its breaker opened, want 3", before)
			}
			app.ask(t.Context(), w.url, prompt).provider(t, "openai", "true", answer)
			if n := asked(w.anthropic, "claude-haiku-4-5"); n != before {
				t.Errorf("a request waited for the entry that its breaker holds back")
			}

			w.servers["openai"].Stop()
			app.ask(t.Context(), w.url, prompt).provider(t, "anthropic-opus", "true", answer)

			w.servers["anthropic"].Stop()
			if r := app.ask(t.Context(), w.url, prompt); r.err == nil {
				t.Error("with everything down the app got an answer")
			} else if !strings.Contains(r.err.Error(), "503") || !strings.Contains(r.text, "anthropic-opus") {
				t.Errorf("the app's error is %v %s, want a 503 that lists the providers", r.err, r.text)
			}

			w.anthropic.Heal()
			for _, s := range w.servers {
				if err := s.Start(); err != nil {
					t.Fatal(err)
				}
			}
			eventually(t, "the primary to be used again", func() bool {
				r := app.ask(t.Context(), w.url, prompt)
				return r.err == nil && r.header.Get("X-Understudy-Provider") == "anthropic"
			})
		})
	}
}

func TestOneMessageForAnOutageAndOneForItsEnd(t *testing.T) {
	w := newWorld(t)
	w.start(w.chainOfThree("10s")) // longer than the grouping of messages
	haikuOverloaded(t, w)
	for range 5 {
		askOpenAI(t.Context(), w.url, prompt).provider(t, "openai", "true", answer)
	}
	first := w.message(t, 1)
	want := ":rotating_light: AI Failover Activated\nPrimary: `anthropic` is down\nActive: `openai` is handling requests\nError: 529 overloaded_error"
	if !strings.HasPrefix(first.Text, want) {
		t.Errorf("the message begins\n%s\nwant\n%s", first.Text, want)
	}
	w.anthropic.Heal()
	// An incident ends when the provider has served for a minute.
	stop := time.After(100 * time.Second)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for len(w.slack.Messages()) < 2 {
		select {
		case <-tick.C:
			if r := askAnthropic(t.Context(), w.url, prompt); r.err != nil {
				t.Fatal(r.err)
			}
		case <-stop:
			t.Fatalf("no message said that it is over; the status is %s", w.get("/status"))
		}
	}
	if second := w.slack.Messages()[1]; !strings.Contains(second.Text, "anthropic") || !strings.Contains(strings.ToLower(second.Text), "recover") {
		t.Errorf("the second message is %q", second.Text)
	}
	t.Logf("Slack got:\n%s\n\n%s", first.Text, w.slack.Messages()[1].Text)
}

func TestACallersMistakeIsReturnedAtOnce(t *testing.T) {
	w := newWorld(t)
	w.start(w.chainOfThree("2s"))
	if err := w.anthropic.FailNamed("bad-request"); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		r := askAnthropic(t.Context(), w.url, prompt)
		if r.err == nil || !strings.Contains(r.err.Error(), "400") {
			t.Fatalf("the app got %v, want the provider's 400", r.err)
		}
	}
	if n := len(w.openai.Requests()); n != 0 {
		t.Errorf("the caller's mistake was sent to %d others", n)
	}
	if s := w.state("anthropic"); s != "Closed" {
		t.Errorf("the caller's mistake left the circuit %s", s)
	}
}

// haikuOverloaded makes one model answer 529.
func haikuOverloaded(t *testing.T, w *world) {
	t.Helper()
	f, err := simulator.Lookup(simulator.Anthropic, "overloaded")
	if err != nil {
		t.Fatal(err)
	}
	f.Model = "claude-haiku-4-5"
	w.anthropic.Fail(f)
}

// message waits for Slack's n-th message.
func (w *world) message(t *testing.T, n int) slack.Message {
	t.Helper()
	var got slack.Message
	eventually(t, "a Slack message", func() bool {
		if m := w.slack.Messages(); len(m) >= n {
			got = m[n-1]
			return true
		}
		return false
	})
	return got
}

// eventually polls for what happens on the sidecar's own time.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestHeadersOfTheSidecarsOwnErrors(t *testing.T) {
	w := newWorld(t)
	w.start(w.chainOfThree("2s"))
	for _, c := range []struct {
		name, method, path, host, body, want string
		status                               int
	}{
		{"not JSON", "POST", "/v1/chat/completions", "", `{"model":`, "not valid JSON", 400},
		{"/v1 twice", "POST", "/v1/v1/chat/completions", "", `{}`, "/v1 twice", 404},
		{"a path that is none", "POST", "/v1/files/%2e%2e/models", "", `{}`, "cannot be passed", 404},
		{"foreign host", "POST", "/v1/chat/completions", "evil.example", `{}`, "", 421},
		{"wrong method", "GET", "/v1/embeddings", "", "", "POST", 405},
	} {
		t.Run(c.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), c.method, w.url+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			if c.host != "" {
				req.Host = c.host
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			b := make([]byte, 4096)
			n, _ := resp.Body.Read(b)
			if resp.StatusCode != c.status || !strings.Contains(string(b[:n]), c.want) {
				t.Errorf("got %d %s, want %d with %q", resp.StatusCode, b[:n], c.status, c.want)
			}
			if resp.Header.Get("X-Understudy-Origin") != "sidecar" {
				t.Error("the answer does not say that it is the sidecar's own")
			}
		})
	}
}
