package dialect_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect"
)

func TestFidelityDecidesWhatMayBeLost(t *testing.T) {
	const begin = `{"model":"m","messages":[{"role":"user","content":"hi"}]`
	tools := `,"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}]`
	for _, c := range []struct {
		name  string
		body  string
		model string
		to    failover.Dialect
		// Where an entry is skipped, the field; else empty.
		strict, balanced, lenient string
		// What Lenient says and sends.
		dropped, approximated []string
		sent                  string
	}{
		{"nothing to lose", begin + `}`, "claude-haiku-4-5", failover.AnthropicMessages, "", "", "", nil, nil, `"hi"`},
		{"a hint", begin + `,"seed":1}`, "claude-haiku-4-5", failover.AnthropicMessages, "seed", "", "", []string{"seed"}, nil, `"hi"`},
		{"choices", begin + `,"n":2}`, "claude-haiku-4-5", failover.AnthropicMessages, "n", "n", "", []string{"n"}, nil, `"hi"`},
		{"probabilities", begin + `,"logprobs":true}`, "gemini-3.5-flash", failover.Gemini, "logprobs", "logprobs", "", []string{"logprobs"}, nil, `"hi"`},
		{"two of them", begin + `,"n":2,"logprobs":true}`, "claude-haiku-4-5", failover.AnthropicMessages, "n", "n", "", []string{"n", "logprobs"}, nil, `"hi"`},
		{"a demanded call", begin + tools + `,"tool_choice":"required"}`, "claude-opus-5-5", failover.AnthropicMessages, "tool_choice", "tool_choice", "", nil, []string{"tool_choice"}, `"type":"auto"`},
		{"content", `{"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"f1"}}]}]}`, "claude-haiku-4-5", failover.AnthropicMessages, "messages[0].content[0].file.file_id", "messages[0].content[0].file.file_id", "messages[0].content[0].file.file_id", nil, nil, ""},
	} {
		for fidelity, skipped := range map[failover.Fidelity]string{failover.Strict: c.strict, "": c.balanced, failover.Balanced: c.balanced, failover.Lenient: c.lenient} {
			tr, err := dialect.New().Translate(failover.OpenAIChat, c.to, []byte(c.body), failover.TranslateOptions{Model: c.model, Fidelity: fidelity})
			var refusal *failover.IneligibleError
			switch {
			case skipped != "":
				if !errors.As(err, &refusal) || refusal.Field != skipped {
					t.Errorf("%s, %q: %v, want the entry skipped for %s", c.name, fidelity, err, skipped)
				}
				continue
			case err != nil:
				t.Errorf("%s, %q: %v", c.name, fidelity, err)
				continue
			case fidelity != failover.Lenient:
				continue
			}
			if d := tr.Degraded(); !slices.Equal(d.Dropped, c.dropped) || !slices.Equal(d.Approximated, c.approximated) {
				t.Errorf("%s: the notes are %+v", c.name, d)
			}
			if body := string(tr.Body()); !strings.Contains(body, c.sent) {
				t.Errorf("%s: the body is %s", c.name, body)
			}
		}
	}
}
