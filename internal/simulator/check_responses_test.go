package simulator

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestResponsesRequestsAreCheckedByThePublishedRules(t *testing.T) {
	user := `{"role":"user","content":"hi"}`
	call := `{"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":"{}","status":"completed"}`
	output := `{"type":"function_call_output","call_id":"c1","output":"x"}`
	body := func(items, more string) string { return `{"model":"gpt-4o","input":[` + items + `]` + more + `}` }
	parts := func(role, part string) string {
		return `{"type":"message","role":"` + role + `","content":[` + part + `]}`
	}
	schema := `{"type":"object","properties":{"a":{"type":"object","properties":{},"additionalProperties":false}},"required":["a"],"additionalProperties":false}`
	tool := func(more string) string { return `,"tools":[{"type":"function","name":"f"` + more + `}]` }
	format := func(format string) string { return `,"text":{"format":` + format + `}` }
	tests := []struct {
		name, body string
		status     int
		want       string
	}{
		{"text", `{"model":"gpt-4o","input":"hi"}`, 200, ""},
		{"a whole tool turn", body(user+","+call+","+output, tool("")), 200, ""},
		{"a turn of its own", body(user+`,{"type":"reasoning","id":"rs_1","summary":[]},`+`{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"x","annotations":[],"logprobs":[]},{"type":"refusal","refusal":"y"}]},`+user, ""), 200, ""},
		{"media", body(parts("user", `{"type":"input_image","image_url":"data:image/png;base64,iVBORw0KGgo=","detail":"auto"},{"type":"input_file","file_url":"https://x.test/a.pdf"}`), ""), 200, ""},
		{"a result with an image", body(user+","+call+","+strings.Replace(output, `"x"`, `[{"type":"input_text","text":"x"},{"type":"input_image","image_url":"https://x.test/a.png"}]`, 1), tool("")), 200, ""},
		{"a strict tool", body(user, tool(`,"strict":true,"parameters":`+schema)), 200, ""},
		{"an object as JSON", body(`{"role":"user","content":"JSON please"}`, format(`{"type":"json_object"}`)), 200, ""},
		{"a schema", body(user, format(`{"type":"json_schema","name":"n","strict":true,"schema":`+schema+`}`)), 200, ""},
		{"effort", `{"model":"gpt-5","input":"hi","reasoning":{"effort":"low"},"include":["reasoning.encrypted_content"]}`, 200, ""},

		{"no input", `{"model":"gpt-4o"}`, 400, `"param":"input","code":"missing_required_parameter"`},
		{"empty input", body("", ""), 400, `"code":"empty_array"`},
		{"input of another type", `{"model":"gpt-4o","input":5}`, 400, `"code":"invalid_type"`},
		{"member of Chat", body(user, `,"messages":[]`), 400, "Unknown parameter: 'messages'"},
		{"limit below the least", body(user, `,"max_output_tokens":15`), 400, "Expected a value >= 16"},
		{"stream as text", body(user, `,"stream":"true"`), 400, `"param":"stream"`},
		{"role of Chat", body(`{"role":"tool","content":"x"}`, ""), 400, "Invalid value: 'tool'"},
		{"part of Chat", body(parts("user", `{"type":"text","text":"x"}`), ""), 400, "Invalid value: 'text'"},
		{"input part of the assistant", body(user+","+parts("assistant", `{"type":"input_text","text":"x"}`), ""), 400, "Invalid value: 'input_text'"},
		{"image as an object", body(parts("user", `{"type":"input_image","image_url":{"url":"https://x.test/a.png"}}`), ""), 400, "Expected a valid URL"},
		{"nameless file", body(parts("user", `{"type":"input_file","file_data":"data:,x"}`), ""), 400, "input[0].content[0].file_id"},
		{"unknown member of a part", body(parts("user", `{"type":"input_text","text":"x","cache_control":{}}`), ""), 400, "content[0].cache_control'"},
		{"text without text", body(parts("user", `{"type":"input_text"}`), ""), 400, "content[0].text'"},
		{"calls in a message", body(`{"role":"assistant","content":"x","tool_calls":[]}`, ""), 400, "input[0].tool_calls'"},
		{"id of another kind", body(user+","+strings.Replace(call, "fc_1", "msg_1", 1)+","+output, ""), 400, "Expected an ID that begins with 'fc'"},
		{"call without name", body(user+","+strings.Replace(call, `"name":"f",`, "", 1)+","+output, ""), 400, "input[1].name'"},
		{"arguments as an object", body(user+","+strings.Replace(call, `"{}"`, "{}", 1)+","+output, ""), 400, "input[1].arguments"},
		{"call without output", body(user+","+call, ""), 400, "No tool output found for function call c1"},
		{"output without call", body(user+","+output, ""), 400, "No tool call found"},
		{"output of nothing", body(user+","+call+","+strings.Replace(output, `,"output":"x"`, "", 1), ""), 400, "input[2].output"},
		{"long call id", body(user+","+strings.ReplaceAll(call+","+output, "c1", strings.Repeat("c", 65)), ""), 400, "maximum length 64"},
		{"unknown item", body(user+`,{"type":"tool_use"}`, ""), 400, "Invalid value: 'tool_use'"},
		{"item that is only named", body(user+`,{"type":"item_reference","id":"msg_1"}`, ""), 404, "Item with id 'msg_1' not found"},
		{"unknown earlier response", `{"model":"gpt-4o","input":"hi","previous_response_id":"resp_1"}`, 400, `"code":"previous_response_not_found"`},
		{"nested tool", body(user, `,"tools":[{"type":"function","function":{"name":"f"}}]`), 400, "'tools[0].name'"},
		{"unknown member of a tool", body(user, tool(`,"input_schema":{}`)), 400, "tools[0].input_schema'"},
		{"strict tool that is open", body(user, tool(`,"strict":true,"parameters":{"type":"object","properties":{}}`)), 400, "'additionalProperties' is required"},
		{"strict tool with an optional member", body(user, tool(`,"strict":true,"parameters":`+strings.Replace(schema, `["a"]`, "[]", 1))), 400, "Missing 'a'"},
		{"format of Chat", body(user, format(`{"type":"json_schema","json_schema":{}}`)), 400, "'text.format.name'"},
		{"format without schema", body(user, format(`{"type":"json_schema","name":"n"}`)), 400, "'text.format.schema'"},
		{"strict format inside", body(user, format(`{"type":"json_schema","name":"n","strict":true,"schema":`+strings.Replace(schema, `"properties":{},"additionalProperties":false`, `"properties":{}`, 1)+`}`)), 400, "invalid_json_schema"},
		{"JSON without the word", body(user, format(`{"type":"json_object"}`)), 400, "must contain the word 'json'"},
		{"unknown format", body(user, format(`{"type":"yaml"}`)), 400, "Invalid value: 'yaml'"},
		{"effort where there is none", body(user, `,"reasoning":{"effort":"low"}`), 400, "'reasoning.effort' is not supported with this model"},
		{"unknown effort", `{"model":"gpt-5","input":"hi","reasoning":{"effort":"some"}}`, 400, "Invalid value: 'some'"},
		{"sampling where there is none", `{"model":"gpt-5","input":"hi","temperature":1}`, 400, "'temperature' is not supported with this model"},
		{"unknown include", body(user, `,"include":["everything"]`), 400, "Invalid value: 'everything'"},
	}
	h := newSimulator(t, Options{}).Handler()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res, got := ask(t, h, request("POST", "/v1/responses", tt.body))
			if res.StatusCode != tt.status || !strings.Contains(got, tt.want) {
				t.Errorf("got %d %s, want %d with %s", res.StatusCode, got, tt.status, tt.want)
			}
		})
	}
}

func TestAResponseCanBeContinuedWhereItWasGiven(t *testing.T) {
	h := newSimulator(t, Options{}).Handler()
	_, first := ask(t, h, request("POST", "/v1/responses", `{"model":"gpt-4o","input":"say hi"}`))
	var given struct{ ID string }
	if err := json.Unmarshal([]byte(first), &given); err != nil {
		t.Fatal(err)
	}
	body := `{"model":"gpt-4o","previous_response_id":"` + given.ID + `","input":[{"type":"function_call_output","call_id":"c","output":"x"}]}`
	if res, got := ask(t, h, request("POST", "/v1/responses", body)); res.StatusCode != 200 {
		t.Errorf("got %d %s", res.StatusCode, got)
	}
}
