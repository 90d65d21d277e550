package simulator

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestChatRequestsAreCheckedByThePublishedRules(t *testing.T) {
	user := `{"role":"user","content":"hi"}`
	call := `{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]}`
	result := `{"role":"tool","tool_call_id":"c1","content":"x"}`
	tool := `{"type":"function","function":{"name":"f"}}`
	body := func(messages, more string) string {
		return `{"model":"gpt-4o","messages":[` + messages + `]` + more + `}`
	}
	tests := []struct {
		name, body string
		status     int
		want       string // In the error's body; empty where the request is good.
	}{
		{"good", body(user, ""), 200, ""},
		{"assistant first", body(`{"role":"assistant","content":"x"},`+user, ""), 200, ""},
		{"a whole tool turn", body(user+","+call+","+result, `,"tools":[`+tool+`]`), 200, ""},
		{"not JSON", `{"model":`, 400, "could not parse the JSON body"},
		{"two values", body(user, "") + "{}", 400, "could not parse the JSON body"},
		{"no model", `{"messages":[` + user + `]}`, 400, "you must provide a model parameter"},
		{"no messages", `{"model":"gpt-4o"}`, 400, `"param":"messages","code":"missing_required_parameter"`},
		{"empty messages", body("", ""), 400, `"code":"empty_array"`},
		{"unknown member", body(user, `,"top_k":1`), 400, "Unrecognized request argument supplied: top_k"},
		{"both limits", body(user, `,"max_tokens":1,"max_completion_tokens":1`), 400, "invalid_parameter_combination"},
		{"limit of zero", body(user, `,"max_tokens":0`), 400, "integer_below_min_value"},
		{"stream_options without stream", body(user, `,"stream_options":{}`), 400, `"param":"stream_options"`},
		{"role", body(`{"role":"robot","content":"x"}`, ""), 400, "Invalid value: 'robot'"},
		{"null content", body(`{"role":"user","content":null}`, ""), 400, "expected a string, got null"},
		{"part of another dialect", body(`{"role":"user","content":[{"type":"image","source":{}}]}`, ""), 400, "Invalid value: 'image'"},
		{"tool first", body(result, ""), 400, "must be a response to a preceding message"},
		{"tool of another call", body(user+","+call+`,{"role":"tool","tool_call_id":"c2","content":"x"}`, ""), 400, "'c2' not found"},
		{"open call", body(user+","+call, ""), 400, "did not have response messages: c1"},
		{"call not answered before a user turn", body(user+","+call+","+user, ""), 400, "did not have response messages: c1"},
		{"long id", body(user+","+strings.ReplaceAll(call, "c1", strings.Repeat("x", 41)), ""), 400, "string_above_max_length"},
		{"empty tools", body(user, `,"tools":[]`), 400, `"param":"tools","code":"empty_array"`},
		{"tool_choice without tools", body(user, `,"tool_choice":"auto"`), 400, `"param":"tool_choice"`},
		{"flat tool", body(user, `,"tools":[{"type":"function","name":"f"}]`), 400, "Missing required parameter: 'tools[0].function'"},
		{"choice of no tool", body(user, `,"tools":[`+tool+`],"tool_choice":{"type":"function","function":{"name":"g"}}`), 400, "'g' not found"},
		{"images", body(`{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}},{"type":"image_url","image_url":{"url":"https://x.test/a.png"}}]}`, ""), 200, ""},
		{"image of another scheme", body(`{"role":"user","content":[{"type":"image_url","image_url":{"url":"ftp://x.test/a.png"}}]}`, ""), 400, "expected a base64-encoded data URL"},
		{"image as text", body(`{"role":"user","content":[{"type":"image_url","image_url":"https://x.test/a.png"}]}`, ""), 400, `"code":"invalid_type"`},
		{"no parts", body(`{"role":"user","content":[]}`, ""), 400, `"code":"empty_array"`},
		{"unknown member of a part", body(`{"role":"user","content":[{"type":"text","text":"x","cache_control":{}}]}`, ""), 400, "content[0].cache_control'"},
		{"unknown member of a message", body(`{"role":"user","content":"x","top_k":1}`, ""), 400, "messages[0].top_k'"},
		{"unknown member of a tool", body(user, `,"tools":[{"type":"function","function":{"name":"f","input_schema":{}}}]`), 400, "tools[0].function.input_schema'"},
		{"five stops", body(user, `,"stop":["1","2","3","4","5"]`), 400, "array_above_max_length"},
		{"stream as text", body(user, `,"stream":"true"`), 400, `"param":"stream","code":"invalid_type"`},
		{"temperature above two", body(user, `,"temperature":2.1`), 400, "decimal_out_of_range"},
		{"unknown model", strings.Replace(body(user, ""), "gpt-4o", "claude-haiku-4-5", 1), 404, `"code":"model_not_found"`},
	}
	h := newSimulator(t, Options{}).Handler()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res, got := ask(t, h, request("POST", "/v1/chat/completions", tt.body))
			if res.StatusCode != tt.status || !strings.Contains(got, tt.want) {
				t.Errorf("got %d %s, want %d with %s", res.StatusCode, got, tt.status, tt.want)
			}
		})
	}
}

func TestMessagesRequestsAreCheckedByThePublishedRules(t *testing.T) {
	user := `{"role":"user","content":"hi"}`
	call := `{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"f","input":{}}]}`
	result := `{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":""}]}`
	tool := `{"name":"f","input_schema":{"type":"object"}}`
	body := func(messages, more string) string {
		return `{"model":"claude-haiku-4-5","max_tokens":9,"messages":[` + messages + `]` + more + `}`
	}
	text := func(role string, texts ...string) string {
		b, _ := json.Marshal(texts)
		blocks := strings.NewReplacer(`["`, `[{"type":"text","text":"`, `","`, `"},{"type":"text","text":"`, `"]`, `"}]`).Replace(string(b))
		return `{"role":"` + role + `","content":` + blocks + `}`
	}
	tests := []struct {
		name, body string
		status     int
		want       string
	}{
		{"good", body(user, ""), 200, ""},
		{"a whole tool turn", body(user+","+call+","+result, `,"tools":[`+tool+`]`), 200, ""},
		{"turns of one role", body(user+","+user, ""), 200, ""},
		{"empty assistant turn", body(user+`,{"role":"assistant","content":""},`+user, ""), 200, ""},
		{"blank beside text", body(text("user", "hi", "\\n"), ""), 200, ""},
		{"empty system", body(user, `,"system":""`), 200, ""},
		{"temperature", body(user, `,"temperature":0.5`), 200, ""},
		{"no max_tokens", `{"model":"claude-haiku-4-5","messages":[` + user + `]}`, 400, "max_tokens: Field required"},
		{"max_tokens below zero", strings.Replace(body(user, ""), ":9", ":-1", 1), 400, "greater than or equal to 0"},
		{"unknown member", body(user, `,"n":1`), 400, "n: Extra inputs are not permitted"},
		{"no messages", body("", ""), 400, "at least one message is required"},
		{"tool role", body(`{"role":"tool","content":"x"}`, ""), 400, "messages.0.role: Input should be"},
		{"assistant first", body(`{"role":"assistant","content":"x"},`+user, ""), 400, "first message must use"},
		{"empty user turn", body(`{"role":"user","content":""}`, ""), 400, "must have non-empty content"},
		{"empty text", body(text("user", "hi", ""), ""), 400, "messages: text content blocks must be non-empty"},
		{"blank text alone", body(text("user", " "), ""), 400, "must contain non-whitespace text"},
		{"empty text in system", body(user, `,"system":[{"type":"text","text":""}]`), 400, "system: text content blocks must be non-empty"},
		{"prefill with a space", body(user+`,{"role":"assistant","content":"so "}`, ""), 400, "trailing whitespace"},
		{"part of another dialect", body(`{"role":"user","content":[{"type":"image_url","image_url":{}}]}`, ""), 400, "Input tag 'image_url'"},
		{"result without call", body(user+","+result, ""), 400, "unexpected `tool_use_id`"},
		{"call without result", body(user+","+call+","+user, ""), 400, "without `tool_result` blocks immediately after: t1"},
		{"text before the result", body(user+","+call+","+strings.Replace(result, `[`, `[{"type":"text","text":"x"},`, 1), ""), 400, "immediately after: t1"},
		{"one result twice", body(user+","+call+","+result+","+result, ""), 400, "must have a single result"},
		{"one id twice", body(user+","+call+","+result+","+call+","+result, ""), 400, "ids must be unique"},
		{"id with a dot", body(user+","+strings.Replace(call, "t1", "t.1", 1), ""), 400, "String should match pattern '^[a-zA-Z0-9_-]+$'"},
		{"tool without schema", body(user, `,"tools":[{"name":"f"}]`), 400, "input_schema: Field required"},
		{"tool_choice without tools", body(user, `,"tool_choice":{"type":"any"}`), 400, "while providing tools"},
		{"tool_choice as text", body(user, `,"tools":[`+tool+`],"tool_choice":"auto"`), 400, "tool_choice: Input should be"},
		{"images", body(`{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}},{"type":"image","source":{"type":"url","url":"https://x.test/a.png"}}]}`, ""), 200, ""},
		{"a result with an image", body(user+","+call+","+strings.Replace(result, `""`, `[{"type":"text","text":"x"},{"type":"image","source":{"type":"url","url":"https://x.test/a.png"}}]`, 1), `,"tools":[`+tool+`]`), 200, ""},
		{"image/jpg", body(`{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/jpg","data":"iVBORw0KGgo="}}]}`, ""), 400, "media_type: Input should be 'image/jpeg'"},
		{"image that is not base64", body(`{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"data:,x"}}]}`, ""), 400, "Invalid base64 data"},
		{"image of another scheme", body(`{"role":"user","content":[{"type":"image","source":{"type":"url","url":"ftp://x.test/a.png"}}]}`, ""), 400, "Only HTTP(S) URLs"},
		{"call in a result", body(user+","+call+","+strings.Replace(result, `""`, `[{"type":"tool_use"}]`, 1), `,"tools":[`+tool+`]`), 400, "tool_result.content.0: Input tag 'tool_use'"},
		{"tool turn without tools", body(user+","+call+","+result, ""), 400, "must define tools"},
		{"one tool twice", body(user, `,"tools":[`+tool+","+tool+`]`), 400, "Tool names must be unique"},
		{"unknown member of a block", body(`{"role":"user","content":[{"type":"text","text":"x","prompt_cache_breakpoint":{}}]}`, ""), 400, "text.prompt_cache_breakpoint: Extra inputs"},
		{"unknown member of a call", body(user+","+strings.Replace(call, `"input"`, `"arguments":"","input"`, 1), ""), 400, "tool_use.arguments: Extra inputs"},
		{"blank stop sequence", body(user, `,"stop_sequences":["\n"]`), 400, "must contain non-whitespace"},
		{"stream as text", body(user, `,"stream":"true"`), 400, "stream: Input should be a valid boolean"},
		{"temperature above one", body(user, `,"temperature":1.5`), 400, "temperature: range: 0..1"},
		{"unknown model", strings.Replace(body(user, ""), "claude-haiku-4-5", "gpt-4o", 1), 404, `"not_found_error","message":"model: gpt-4o"`},
	}
	h := newSimulator(t, Options{}).Handler()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res, got := ask(t, h, request("POST", "/v1/messages", tt.body))
			if res.StatusCode != tt.status || !strings.Contains(got, tt.want) {
				t.Errorf("got %d %s, want %d with %s", res.StatusCode, got, tt.status, tt.want)
			}
			if id := res.Header.Get("Request-Id"); tt.status != 200 && !strings.Contains(got, `"request_id":"`+id+`"`) {
				t.Errorf("body %s does not repeat the request id %s", got, id)
			}
		})
	}
}

func TestHeadersPathsAndKeysAreChecked(t *testing.T) {
	tests := []struct {
		name, method, path, body string
		headers                  map[string]string
		status                   int
		want                     string
	}{
		{"no OpenAI key", "POST", "/v1/chat/completions", chatHello, map[string]string{"Authorization": ""}, 401, "You didn't provide an API key"},
		{"wrong OpenAI key", "POST", "/v1/chat/completions", chatHello, map[string]string{"Authorization": "Bearer sk-wrong-0123456789"}, 401, "sk-wrong*******6789"},
		{"no Anthropic key", "POST", "/v1/messages", messageHello, map[string]string{"X-Api-Key": ""}, 401, "authentication_error"},
		{"wrong Anthropic key", "POST", "/v1/messages", messageHello, map[string]string{"X-Api-Key": "x"}, 401, "invalid x-api-key"},
		{"Anthropic bearer", "POST", "/v1/messages", messageHello, map[string]string{"X-Api-Key": "", "Authorization": "Bearer sk-ant-test"}, 200, ""},
		{"no version", "POST", "/v1/messages", messageHello, map[string]string{"Anthropic-Version": ""}, 400, "anthropic-version: header is required"},
		{"wrong version", "POST", "/v1/messages", messageHello, map[string]string{"Anthropic-Version": "2020"}, 400, "is not a valid version"},
		{"sampling in the new version", "POST", "/v1/messages", strings.Replace(messageHello, "{", `{"temperature":1,`, 1), map[string]string{"Anthropic-Version": "2026-10-21"}, 400, "temperature: Extra inputs"},
		{"Anthropic content type", "POST", "/v1/messages", messageHello, map[string]string{"Content-Type": ""}, 400, "Content-Type"},
		{"OpenAI content type", "POST", "/v1/chat/completions", chatHello, map[string]string{"Content-Type": "text/plain"}, 400, "unsupported_content_type"},
		{"GET on a POST path", "GET", "/v1/chat/completions", "", nil, 405, "method_not_supported"},
		{"GET on an Anthropic POST path", "GET", "/v1/messages", "", nil, 405, "Method Not Allowed"},
		{"unknown path", "POST", "/v1/foo", "{}", nil, 404, "Invalid URL (POST /v1/foo)"},
		{"unknown Anthropic path", "POST", "/v1/messages/foo", "{}", nil, 404, "not_found_error"},
		{"OpenAI models", "GET", "/v1/models", "", nil, 200, `{"object":"list","data":[{"id":"gpt-4o","object":"model"`},
		{"Anthropic models", "GET", "/v1/models", "", map[string]string{"Anthropic-Version": "2023-06-01", "X-Api-Key": "sk-ant-test"}, 200, `"has_more":false,"first_id":"claude-opus-4-5"`},
		{"by provider name", "POST", "/anthropic/v1/messages", messageHello, map[string]string{"Anthropic-Version": "2023-06-01", "X-Api-Key": "sk-ant-test"}, 200, ""},
	}
	h := newSimulator(t, Options{Providers: []ProviderConfig{
		{Name: "openai", Kind: OpenAI, Keys: []string{"sk-test"}}, {Name: "anthropic", Kind: Anthropic, Keys: []string{"sk-ant-test"}},
	}}).Handler()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := request(tt.method, tt.path, tt.body)
			for name, value := range tt.headers {
				r.Header.Set(name, value)
			}
			if res, got := ask(t, h, r); res.StatusCode != tt.status || !strings.Contains(got, tt.want) {
				t.Errorf("got %d %s, want %d with %s", res.StatusCode, got, tt.status, tt.want)
			}
		})
	}
}

// FuzzRequests proves that no body breaks a provider: the answer is an answer, or an error of the caller.
func FuzzRequests(f *testing.F) {
	for _, body := range []string{
		chatHello, chatStream, messageHello, messageStream, longInput, `{"model":"gpt-4o","input":["a","b"]}`,
		`{"model":"gpt-4o","messages":[{"role":"user","content":"tool f {}\nthink x\nstop y\ntokens 3"}],"tools":[{"type":"function","function":{"name":"f"}}]}`,
	} {
		f.Add([]byte(body))
	}
	sim, err := New(Options{Keep: 1})
	if err != nil {
		f.Fatal(err)
	}
	h := sim.Handler()
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, path := range []string{"/v1/chat/completions", "/v1/responses", "/v1/embeddings", "/v1/messages", "/v1/messages/count_tokens"} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, request("POST", path, string(body)))
			if w.Code != 200 && w.Code != 400 && w.Code != 404 {
				t.Errorf("%s: status %d", path, w.Code)
			}
			if w.Header().Get("Content-Type") == "application/json" && !json.Valid(w.Body.Bytes()) {
				t.Errorf("%s: answer is not JSON: %s", path, w.Body)
			}
		}
	})
}
