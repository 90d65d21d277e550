package simulator

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestTheLastMessageDecidesTheAnswer(t *testing.T) {
	tools := []string{"get_weather"}
	tests := []struct {
		name string
		in   prompt
		want string
		stop string
	}{
		{"plain", prompt{provider: "p", model: "m", user: "hi"}, "text:Hello from p: this is m, and your request arrived.", ""},
		{"say over lines", prompt{user: "say a\nb"}, "text:a\nb", ""},
		{"echo", prompt{user: "echo\ntool x {}\nñ"}, "text:tool x {}\nñ", ""},
		{"parallel calls", prompt{user: "tool get_weather {\"city\": \"Rome\"}\ntool get_weather", tools: tools}, `call get_weather:{"city": "Rome"}|call get_weather:{}`, ""},
		{"a tool that is not offered", prompt{user: "tool f {}"}, "text:There is no tool f.", ""},
		{"arguments that are no object", prompt{user: "tool get_weather [1]", tools: tools}, "text:These arguments are not a JSON object: [1]", ""},
		{"thought, text and stop", prompt{user: "think hm\nsay yes\nstop length"}, "thought:hm|text:yes", "length"},
		{"refusal", prompt{user: "refuse no"}, "refusal:no", ""},
		{"tokens", prompt{user: "tokens 3"}, "text:word word word", ""},
		{"a result", prompt{result: new("42")}, "text:The tool answered: 42", ""},
		{"forced", prompt{user: "hi", tools: tools, forced: "*"}, "call get_weather:{}", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := readScript(tt.in)
			var parts []string
			for _, p := range s.Parts {
				kind := []string{"text", "thought", "refusal", "call " + p.Name}[p.Kind]
				parts = append(parts, kind+":"+p.Text)
			}
			if got := strings.Join(parts, "|"); got != tt.want || s.Stop != tt.stop {
				t.Errorf("got %q and stop %q, want %q and %q", got, s.Stop, tt.want, tt.stop)
			}
		})
	}
}

func TestAStreamedToolCallAddsUpToTheUnaryOne(t *testing.T) {
	h := newSimulator(t, Options{}).Handler()
	const script = `"tool get_weather {\"city\":\"São Paulo\",\"days\":3}"`
	t.Run("messages", func(t *testing.T) {
		body := `{"model":"claude-haiku-4-5","max_tokens":99,"stream":true,"messages":[{"role":"user","content":` + script + `}],` +
			`"tools":[{"name":"get_weather","input_schema":{"type":"object"}}]}`
		_, got := ask(t, h, request("POST", "/v1/messages", body))
		var args strings.Builder
		for line := range strings.SplitSeq(got, "\n") {
			var e struct {
				Delta struct {
					Partial string `json:"partial_json"`
				}
			}
			if data, ok := strings.CutPrefix(line, "data: "); ok && json.Unmarshal([]byte(data), &e) == nil {
				args.WriteString(e.Delta.Partial)
			}
		}
		if want := `{"city":"São Paulo","days":3}`; args.String() != want || !strings.Contains(got, `"stop_reason":"tool_use"`) {
			t.Errorf("arguments %s, want %s in\n%s", args.String(), want, got)
		}
	})
	t.Run("a call that the tokens cut", func(t *testing.T) {
		body := `{"model":"claude-haiku-4-5","max_tokens":1,"messages":[{"role":"user","content":` + script + `}],` +
			`"tools":[{"name":"get_weather","input_schema":{"type":"object"}}]}`
		if _, got := ask(t, h, request("POST", "/v1/messages", body)); !strings.Contains(got, `"input":{}}],"stop_reason":"max_tokens"`) {
			t.Errorf("got %s", got)
		}
	})
	t.Run("responses", func(t *testing.T) {
		body := `{"model":"gpt-4o","stream":true,"input":` + script + `,"tools":[{"type":"function","name":"get_weather"}]}`
		_, got := ask(t, h, request("POST", "/v1/responses", body))
		want := "response.created response.in_progress response.output_item.added"
		names := strings.Join(eventNames(got), " ")
		if !strings.HasPrefix(names, want) || !strings.HasSuffix(names, "response.function_call_arguments.done response.output_item.done response.completed") {
			t.Errorf("events %s", names)
		}
	})
}
