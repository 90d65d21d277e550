package dialect_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect"
)

func TestAnAnswerRepeatsItsRequestInOneLine(t *testing.T) {
	const request = `{"model":"gpt-5", "input":"hi", "metadata" : { "a":
		"b" }, "instructions":"Be\nbrief.", "temperature":0.10, "max_output_tokens":64, "tools":[ {"type":"function", "name":"f",
		"parameters":{"x": 1.0}} ], "parallel_tool_calls":false, "text":{"verbosity":"low"}, "stream":true}`
	tr, err := dialect.New().Translate(failover.OpenAIResponses, failover.OpenAIChat, []byte(request), failover.TranslateOptions{Model: "m"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"metadata": `{"a":"b"}`, "instructions": `"Be\nbrief."`, "temperature": `0.10`, "max_output_tokens": `64`, "parallel_tool_calls": `false`,
		"tools": `[{"type":"function","name":"f","parameters":{"x":1.0}}]`, "text": `{"verbosity":"low"}`, "top_p": `1.0`, "tool_choice": `"auto"`,
	}
	answer, err := tr.Answer([]byte(`{"id":"chatcmpl-1","choices":[{"message":{"content":"x"},"finish_reason":"stop"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	out, _, _, _ := run(tr.Stream(), []byte("data: {\"id\":\"chatcmpl-1\",\"choices\":[{\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"))
	events := split(out)
	for name, value := range want {
		if got := string(failover.RawJSON(answer).Member(name)); got != value {
			t.Errorf("the answer's %s is %s, want %s", name, got, value)
		}
		for _, at := range []int{0, 1, len(events) - 1} {
			if got := string(failover.RawJSON(bytes.TrimSpace(events[at].Data)).Member("response").Member(name)); got != value {
				t.Errorf("event %d: %s is %s, want %s", at, name, got, value)
			}
		}
	}
	if id := failover.RawJSON(answer).Member("id").Text(); !strings.HasPrefix(id, failover.OwnResponse) {
		t.Errorf("the id is %q, which does not tell where the answer comes from", id)
	}
}
