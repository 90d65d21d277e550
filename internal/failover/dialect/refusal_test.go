package dialect_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect"
)

func TestARequestWithoutAWayIsRefused(t *testing.T) {
	for _, d := range []direction{
		{failover.OpenAIResponses, failover.OpenAIResponses},
		{failover.OpenAIChat, failover.OpenAIEmbeddings},
		{failover.OpenAIChat, failover.OpenAIChat},
		{failover.BedrockConverse, failover.OpenAIChat},
	} {
		tr, err := dialect.New().Translate(d.app, d.entry, []byte(`{}`), failover.TranslateOptions{})
		if _, ok := err.(*failover.IneligibleError); !ok || tr != nil {
			t.Errorf("%v: %v, %v; want a refusal", d, tr, err)
		}
	}
}

func TestABodyThatIsNoRequestIsAnError(t *testing.T) {
	for _, body := range []string{
		``, `[]`, `{}`, `{"messages":{}}`, `{"messages":[1]}`, `{"messages":[`, `{"messages":[{"role":"user","content":tru}]}`,
		`{"messages":[{"role":"user","content":5}]}`, `{"messages":[{"role":"user","content":{"type":"text","text":"x"}}]}`,
		`{"input":5}`, `{"input":[1]}`, `{"input":[{"role":"user","content":5}]}`, `{"input":null}`, `{"input":{"role":"user"}}`,
		`{"instructions":"x"}`, `{"input":"x","instructions":5}`,
	} {
		for _, d := range directions {
			_, err := dialect.New().Translate(d.app, d.entry, []byte(body), failover.TranslateOptions{})
			if _, ineligible := err.(*failover.IneligibleError); err == nil || ineligible {
				t.Errorf("%s of %s: %v, want an error that is no refusal", body, d.app, err)
			}
		}
	}
}

func TestSchemasAndArgumentsKeepTheirBytes(t *testing.T) {
	const raw = `{"type":"object", "properties" : {"<z>":{"maximum":9007199254740993.10}},  "a\u0062":"\/"}`
	arguments, _ := json.Marshal(raw)
	request := map[string]string{
		"chat-to-messages": `{"messages":[{"role":"user","content":"x"},{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":` +
			string(arguments) + `}}]},{"role":"tool","tool_call_id":"c","content":"y"}],"tools":[{"type":"function","function":{"name":"f","parameters":` + raw + `}}]}`,
		"messages-to-chat": `{"max_tokens":1,"messages":[{"role":"user","content":"x"}],"tools":[{"name":"f","input_schema":` + raw +
			`}],"output_config":{"format":{"type":"json_schema","schema":` + raw + `}}}`,
		"chat-to-converse": `{"messages":[{"role":"user","content":"x"},{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":` +
			string(arguments) + `}}]},{"role":"tool","tool_call_id":"c","content":"y"}],"tools":[{"type":"function","function":{"name":"f","parameters":` + raw + `}}]}`,
		"messages-to-converse": `{"max_tokens":1,"messages":[{"role":"user","content":"x"}],"tools":[{"name":"f","input_schema":` + raw +
			`},{"name":"g","input_schema":` + raw + `}]}`,
	}
	request["responses-to-chat"] = `{"input":"x","tools":[{"type":"function","name":"f","parameters":` + raw + `}],"text":{"format":{"type":"json_schema","name":"s","schema":` + raw + `}}}`
	request["responses-to-messages"] = `{"input":[{"role":"user","content":"x"},{"type":"function_call","call_id":"c","name":"f","arguments":` + string(arguments) +
		`},{"type":"function_call_output","call_id":"c","output":"y"}],"tools":[{"type":"function","name":"f","parameters":` + raw + `}]}`
	request["chat-to-responses"] = strings.ReplaceAll(request["chat-to-messages"], `"arguments":`+string(arguments), `"arguments":"{}"`)
	request["chat-to-responses"] = strings.TrimSuffix(request["chat-to-responses"], "}") + `,"response_format":{"type":"json_schema","json_schema":{"name":"s","schema":` + raw + `}}}`
	request["messages-to-responses"] = request["messages-to-chat"]
	request["responses-to-gemini"] = request["responses-to-messages"]
	request["responses-to-converse"] = request["responses-to-messages"]
	request["chat-to-gemini"], request["messages-to-gemini"] = request["chat-to-messages"], request["messages-to-chat"]
	for name, d := range directions {
		model := map[failover.Dialect]string{failover.Gemini: "gemini-3-pro"}[d.entry]
		tr, err := dialect.New().Translate(d.app, d.entry, []byte(request[name]), failover.TranslateOptions{Model: model})
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(tr.Body()), raw); n != 2 {
			t.Errorf("%s: the text stands %d times in the body, want 2:\n%s", name, n, tr.Body())
		}
	}
}

func TestArgumentsInAStringKeepTheirBytes(t *testing.T) {
	const arguments = `"{ \"b\": 1.10,  \"a\": 12345678901234567890 }"`
	chat := `{"messages":[{"role":"user","content":"x"},{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":` +
		arguments + `}}]},{"role":"tool","tool_call_id":"c","content":"y"}]}`
	items := `{"input":[{"role":"user","content":"x"},{"type":"function_call","call_id":"c","name":"f","arguments":` + arguments +
		`},{"type":"function_call_output","call_id":"c","output":"y"}]}`
	for _, c := range []struct {
		d    direction
		body string
	}{{directions["chat-to-responses"], chat}, {directions["responses-to-chat"], items}} {
		tr, err := dialect.New().Translate(c.d.app, c.d.entry, []byte(c.body), failover.TranslateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(tr.Body()), `"arguments":`+arguments) {
			t.Errorf("%v: the arguments became %s", c.d, tr.Body())
		}
	}
}

func TestASchemaOfGreatDepthIsNotPromised(t *testing.T) {
	nested := func(levels int) string {
		return strings.Repeat(`{"type":"object","additionalProperties":false,"required":["a"],"properties":{"a":`, levels) + `true` + strings.Repeat(`}}`, levels)
	}
	for levels, promised := range map[int]bool{32: true, 33: false} {
		body := `{"messages":[{"role":"user","content":"x"}],"response_format":{"type":"json_schema","json_schema":{"name":"f","strict":true,"schema":` + nested(levels) + `}}}`
		_, err := dialect.New().Translate(failover.OpenAIChat, failover.AnthropicMessages, []byte(body), failover.TranslateOptions{Model: "m"})
		if _, refused := err.(*failover.IneligibleError); refused == promised {
			t.Errorf("%d levels in Messages: %v, want promised %v", levels, err, promised)
		}
		body = `{"max_tokens":1,"messages":[{"role":"user","content":"x"}],"output_config":{"format":{"type":"json_schema","schema":` + nested(levels) + `}}}`
		tr, err := dialect.New().Translate(failover.AnthropicMessages, failover.OpenAIChat, []byte(body), failover.TranslateOptions{Model: "m"})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(tr.Body()), `"strict":true`); got != promised || (tr.Degraded().String() == "") != promised {
			t.Errorf("%d levels in Chat: strict %v, degraded %q, want strict %v", levels, got, tr.Degraded(), promised)
		}
	}
}
