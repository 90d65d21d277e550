package simulator

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
)

const (
	geminiPath   = "/v1beta/models/gemini-3.5-flash:generateContent"
	geminiStream = "/v1beta/models/gemini-3.5-flash:streamGenerateContent?alt=sse"
	geminiHello  = `{"contents":[{"role":"user","parts":[{"text":"say Grüße, 世界!"}]}]}`
)

func TestGeminiAnswersInItsDialect(t *testing.T) {
	h := newSimulator(t, Options{}).Handler()
	const counts = `"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":2,"totalTokenCount":7},"modelVersion":"gemini-3.5-flash","responseId":"*"}`
	const early = `"usageMetadata":{"promptTokenCount":5,"totalTokenCount":5},"modelVersion":"gemini-3.5-flash","responseId":"*"}`
	fragment := func(text string) string {
		return `{"candidates":[{"content":{"parts":[{"text":"` + text + `"}],"role":"model"},"index":0}],` + early
	}
	end := `{"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP","index":0}],` + counts
	for _, tt := range []struct{ path, contentType, want string }{
		{geminiPath, "application/json", `{"candidates":[{"content":{"parts":[{"text":"Grüße, 世界!"}],"role":"model"},"finishReason":"STOP","index":0}],` + counts},
		{geminiStream, "text/event-stream; charset=utf-8", "data: " + fragment("Grüße,") + "\n\ndata: " + fragment(" 世界!") + "\n\ndata: " + end + "\n\n"},
		{strings.TrimSuffix(geminiStream, "?alt=sse"), "application/json", "[" + fragment("Grüße,") + ",\r\n" + fragment(" 世界!") + ",\r\n" + end + "]"},
		{strings.Replace(geminiPath, "generateContent", "countTokens", 1), "application/json; charset=UTF-8", `{"totalTokens":5}`},
	} {
		res, got := ask(t, h, request("POST", tt.path, geminiHello))
		if _, rest, ok := strings.Cut(got, `"responseId":"`); ok {
			id, _, _ := strings.Cut(rest, `"`)
			got = strings.ReplaceAll(got, id, "*")
		}
		if res.StatusCode != 200 || res.Header.Get("Content-Type") != tt.contentType || got != tt.want {
			t.Errorf("%s: %d %s\n got %s\nwant %s", tt.path, res.StatusCode, res.Header.Get("Content-Type"), got, tt.want)
		}
	}
}

func TestGeminiReadsScripts(t *testing.T) {
	h := newSimulator(t, Options{}).Handler()
	tools := `"tools":[{"functionDeclarations":[{"name":"f"},{"name":"g"}]}]`
	for _, tt := range []struct{ name, path, body, want string }{
		{"a refusal", geminiPath, `{"contents":[{"parts":[{"text":"refuse No."}]}]}`, `"content":{},"finishReason":"SAFETY","finishMessage":"No."`},
		{"a reason", geminiPath, `{"contents":[{"parts":[{"text":"stop OTHER"}]}]}`, `"finishReason":"OTHER"`},
		{"hidden thoughts", geminiPath, `{"contents":[{"parts":[{"text":"think hm\nsay x"}]}]}`, `[{"text":"x"}]`},
		{"their count", geminiPath, `{"contents":[{"parts":[{"text":"think hm\nsay x"}]}]}`, `"candidatesTokenCount":1,"totalTokenCount":6,"thoughtsTokenCount":1`},
		{"shown thoughts", geminiPath, `{"contents":[{"parts":[{"text":"think hm\nsay x"}]}],"generationConfig":{"thinkingConfig":{"includeThoughts":true}}}`, `[{"text":"hm","thought":true},{"text":"x"}]`},
		{"the limit", geminiPath, `{"contents":[{"parts":[{"text":"tokens 9"}]}],"generationConfig":{"maxOutputTokens":2}}`, `"word word"}],"role":"model"},"finishReason":"MAX_TOKENS"`},
		{"the cache", geminiPath, `{"contents":[{"parts":[{"text":"cached 3\nsay x"}]}]}`, `"cachedContentTokenCount":3`},
		{"a result", geminiPath, `{"contents":[{"parts":[{"text":"x"}]},{"role":"model","parts":[{"functionCall":{"id":"1","name":"f"},"thoughtSignature":"skip_thought_signature_validator"}]},{"parts":[{"functionResponse":{"id":"1","name":"f","response":{"output":"rain"}}}]}]}`, `The tool answered: rain`},
		{"a forced call", geminiPath, `{"contents":[{"parts":[{"text":"hi"}]}],` + tools + `,"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["g"]}}}`, `"name":"g","args":{}}`},
		{"no call", geminiPath, `{"contents":[{"parts":[{"text":"tool f"}]}],` + tools + `,"toolConfig":{"functionCallingConfig":{"mode":"NONE"}}}`, `There is no tool f.`},
		{"no signature", strings.Replace(geminiPath, "3.5-flash", "2.5-pro", 1), `{"contents":[{"parts":[{"text":"tool f {\"k\":1}"}]}],` + tools + `}`, `"parts":[{"functionCall":{"name":"f","args":{"k":1}}}]`},
	} {
		if res, got := ask(t, h, request("POST", tt.path, tt.body)); res.StatusCode != 200 || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %d %s, want %s in it", tt.name, res.StatusCode, got, tt.want)
		}
	}
}

// A tool loop works with what the provider itself sent, and with nothing else.
func TestGeminiKnowsItsOwnSignatures(t *testing.T) {
	h := newSimulator(t, Options{}).Handler()
	const tools = `"tools":[{"functionDeclarations":[{"name":"f"}]}]`
	_, got := ask(t, h, request("POST", geminiPath, `{"contents":[{"role":"user","parts":[{"text":"tool f\ntool f"}]}],`+tools+`}`))
	var answer struct {
		Candidates []struct {
			Content struct {
				Parts []struct {
					FunctionCall     struct{ ID, Name string }
					ThoughtSignature string
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(got), &answer); err != nil {
		t.Fatal(err)
	}
	parts := answer.Candidates[0].Content.Parts
	if len(parts) != 2 || parts[0].ThoughtSignature == "" || parts[1].ThoughtSignature != "" || parts[0].FunctionCall.ID == parts[1].FunctionCall.ID {
		t.Fatalf("two calls are %+v; want the first signed, and different ids", parts)
	}
	loop := func(signature, id string) string {
		return `{"contents":[{"role":"user","parts":[{"text":"tool f"}]},{"role":"model","parts":[{"functionCall":{"id":"` + parts[0].FunctionCall.ID +
			`","name":"f","args":{}},"thoughtSignature":"` + signature + `"}]},{"role":"user","parts":[{"functionResponse":{"id":"` + id + `","name":"f","response":{}}}]}],` + tools + `}`
	}
	own, id := parts[0].ThoughtSignature, parts[0].FunctionCall.ID
	for _, tt := range []struct {
		path, body, want string
		status           int
	}{
		{geminiPath, loop(own, id), "The tool answered: {}", 200},
		{geminiPath, loop(own, "other"), "does not match", 400},
		{geminiPath, loop("Zm9yZWlnbg==", id), "Corrupted thought signature", 400},
		{geminiPath, loop("", id), "missing a thought_signature", 400},
		{strings.Replace(geminiPath, "3.5-flash", "3-pro", 1), loop(own, id), "Corrupted thought signature", 400},
		{strings.Replace(geminiPath, "3.5-flash", "2.5-pro", 1), loop("", "other"), "The tool answered", 200},
	} {
		if res, got := ask(t, h, request("POST", tt.path, tt.body)); res.StatusCode != tt.status || !strings.Contains(got, tt.want) {
			t.Errorf("%s with %s: %d %s, want %d with %s", tt.path, tt.body, res.StatusCode, got, tt.status, tt.want)
		}
	}
}

func TestGeminiChecksPathsAndKeys(t *testing.T) {
	h := newSimulator(t, Options{Providers: []ProviderConfig{{Name: "gemini", Kind: Gemini, Keys: []string{"AIza-test"}}}}).Handler()
	const vertex = "/v1/projects/p/locations/global/publishers/google/models/gemini-2.5-flash:generateContent"
	for _, tt := range []struct {
		name, method, path string
		header             [2]string
		status             int
		want               string
	}{
		{"a key", "POST", geminiPath, [2]string{}, 200, "STOP"},
		{"no key", "POST", geminiPath, [2]string{"X-Goog-Api-Key", ""}, 403, "unregistered callers"},
		{"a wrong key", "POST", geminiPath, [2]string{"X-Goog-Api-Key", "x"}, 400, `"reason":"API_KEY_INVALID"`},
		{"by name", "POST", "/gemini" + geminiPath, [2]string{"X-Goog-Api-Key", "AIza-test"}, 200, "STOP"},
		{"an unknown model", "POST", strings.Replace(geminiPath, "gemini-3.5-flash", "gpt-4o", 1), [2]string{}, 404, "models/gpt-4o is not found"},
		{"an unknown method", "POST", strings.Replace(geminiPath, "generateContent", "sing", 1), [2]string{}, 404, "<html"},
		{"GET of a method", "GET", geminiPath, [2]string{}, 404, "<html"},
		{"another provider's path", "POST", "/v1beta/chat/completions", [2]string{}, 404, "<html"},
		{"models", "GET", "/v1beta/models", [2]string{}, 200, `{"models":[{"name":"models/gemini-2.5-flash"`},
		{"one model", "GET", "/v1beta/models/gemini-9", [2]string{}, 200, `"name":"models/gemini-9"`},
		{"no model", "GET", "/v1beta/models/gpt-4o", [2]string{}, 404, "NOT_FOUND"},
		{"a token at Vertex", "POST", vertex, [2]string{"Authorization", "Bearer AIza-test"}, 200, "STOP"},
		{"no token at Vertex", "POST", vertex, [2]string{"Authorization", ""}, 401, "UNAUTHENTICATED"},
		{"a key at Vertex", "POST", vertex, [2]string{"X-Goog-Api-Key", "AIza-test"}, 401, "UNAUTHENTICATED"},
	} {
		r := request(tt.method, tt.path, geminiHello)
		if tt.header[0] != "" {
			r.Header.Set(tt.header[0], tt.header[1])
		}
		if res, got := ask(t, h, r); res.StatusCode != tt.status || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %d %s, want %d with %s", tt.name, res.StatusCode, got, tt.status, tt.want)
		}
	}
}

func TestGeminiRefusesWhatTheRealOneRefuses(t *testing.T) {
	h := newSimulator(t, Options{}).Handler()
	user := `"contents":[{"role":"user","parts":[{"text":"hi"}]}]`
	call := `{"role":"model","parts":[{"functionCall":{"name":"f","args":{}}}]}`
	result := `{"role":"user","parts":[{"functionResponse":{"name":"f","response":{}}}]}`
	turns := func(t ...string) string {
		return `{"contents":[{"role":"user","parts":[{"text":"hi"}]},` + strings.Join(t, ",") + `]}`
	}
	config := func(c string) string { return `{` + user + `,"generationConfig":{` + c + `}}` }
	tools := func(t string) string { return `{` + user + `,"tools":[{"functionDeclarations":[` + t + `]}]}` }
	for _, tt := range []struct{ model, body, want string }{
		{"2.5-pro", `{`, "Invalid JSON payload"},
		{"2.5-pro", `{` + user + `,"stream":true}`, `Unknown name \"stream\": Cannot find field.`},
		{"2.5-pro", `{"contents":[]}`, "contents is not specified"},
		{"2.5-pro", `{"contents":[{"role":"assistant","parts":[{"text":"x"}]}]}`, "valid role: user, model"},
		{"2.5-pro", `{"contents":[{"role":"user","parts":[]}]}`, "parts must not be empty"},
		{"2.5-pro", `{"contents":[{"role":"user","parts":[{"text":""}]}]}`, "required oneof field 'data'"},
		{"2.5-pro", `{"contents":[{"role":"user","parts":[{"type":"text","text":"x"}]}]}`, `Unknown name \"type\" at 'contents[0].parts[0]'`},
		{"2.5-pro", `{"contents":[{"role":"model","parts":[{"text":"x"}]}]}`, "begin with a user turn"},
		{"2.5-pro", `{"contents":[{"parts":[{"inlineData":{"mimeType":"image/gif","data":"R0lGOD=="}}]}]}`, "Unsupported MIME type: image/gif"},
		{"2.5-pro", `{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":"***"}}]}]}`, "Base64 decoding failed"},
		{"2.5-pro", turns(call), "followed by a function response turn"},
		{"2.5-pro", turns(call, `{"role":"user","parts":[{"text":"x"}]}`), "number of function response parts is equal"},
		{"2.5-pro", turns(`{"role":"model","parts":[{"text":"x"}]}`, result), "number of function response parts is equal"},
		{"2.5-pro", turns(call, strings.Replace(result, `"name":"f",`, "", 1)), "Name cannot be empty"},
		{"2.5-pro", turns(call, strings.Replace(result, `"response":{}`, `"response":"x"`, 1)), "google.protobuf.Struct"},
		{"2.5-pro", turns(strings.Replace(call, "{}", `"{}"`, 1), result), "google.protobuf.Struct"},
		{"2.5-pro", turns(strings.Replace(call, "model", "user", 1), result), "valid role"},
		{"3-pro", turns(call, result), "missing a thought_signature"},
		{"3-pro", turns(strings.Replace(call, `}]}`, `,"thoughtSignature":"?"}]}`, 1), result), "Base64 decoding failed"},
		{"2.5-pro", config(`"max_tokens":5`), `Unknown name \"max_tokens\" at 'generation_config'`},
		{"2.5-pro", config(`"maxOutputTokens":128000`), "supported range"},
		{"2.5-pro", config(`"stopSequences":["a","b","c","d","e","f"]`), "stop_sequences"},
		{"2.5-pro", config(`"presencePenalty":0.5`), "Penalty is not enabled"},
		{"2.5-pro", config(`"responseJsonSchema":{}`), "only allowed with response mime type"},
		{"2.5-pro", config(`"responseMimeType":"application/json","responseJsonSchema":{"$schema":"x"}`), `Unknown name \"$schema\"`},
		{"2.5-pro", config(`"responseMimeType":"application/json","responseSchema":{"additionalProperties":false}`), `Unknown name \"additionalProperties\"`},
		{"2.5-pro", config(`"thinkingConfig":{"thinkingBudget":0}`), "only works in thinking mode"},
		{"2.5-pro", config(`"thinkingConfig":{"thinkingLevel":"LOW"}`), "not supported for this model"},
		{"3-pro", config(`"thinkingConfig":{"thinkingLevel":"LOW","thinkingBudget":1}`), "only one of thinking budget"},
		{"3-pro", config(`"thinkingConfig":{"thinkingLevel":"MEDIUM"}`), "not supported for this model"},
		{"2.0-flash", config(`"thinkingConfig":{"thinkingBudget":512}`), "not enabled"},
		{"2.5-pro", tools(`{"name":"1st"}`), "Invalid function name"},
		{"2.5-pro", tools(`{"name":"f","strict":true}`), `Unknown name \"strict\" at 'tools[0].function_declarations[0]'`},
		{"2.5-pro", tools(`{"name":"f","parameters":{"type":"object","properties":{"a":{"$ref":"x"}}}}`), `Unknown name \"$ref\"`},
		{"2.5-pro", tools(`{"name":"f","parameters":{},"parametersJsonSchema":{}}`), "cannot both be set"},
		{"2.5-pro", strings.Replace(tools(`{"name":"f"}`), `{"contents`, `{"generationConfig":{"responseMimeType":"application/json"},"contents`, 1), "is unsupported"},
		{"2.5-pro", `{` + user + `,"toolConfig":{"functionCallingConfig":{"mode":"ANY"}}}`, "without function_declarations"},
		{"2.5-pro", strings.Replace(tools(`{"name":"f"}`), `{"contents`, `{"toolConfig":{"functionCallingConfig":{"mode":"AUTO","allowedFunctionNames":["f"]}},"contents`, 1), "only be set when mode is ANY"},
		{"2.5-pro", strings.Replace(tools(`{"name":"f"}`), `{"contents`, `{"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["g"]}},"contents`, 1), "[g] is not declared"},
	} {
		res, got := ask(t, h, request("POST", "/v1beta/models/gemini-"+tt.model+":generateContent", tt.body))
		if res.StatusCode != 400 || !strings.Contains(got, tt.want) || !strings.Contains(got, `"status":"INVALID_ARGUMENT"`) {
			t.Errorf("%s: %d %s, want 400 with %s", tt.body, res.StatusCode, got, tt.want)
		}
	}
}

func TestGeminiFailsOnCommand(t *testing.T) {
	for name, want := range map[string]string{
		"malformed-call":        `"finishReason":"MALFORMED_FUNCTION_CALL"`,
		"malformed-call-stream": "data: {\"candidates\":[{\"content\":{},\"finishReason\":\"MALFORMED_FUNCTION_CALL\"",
		"blocked-prompt":        `{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"}`,
		"blocked-prompt-stream": "data: {\"promptFeedback\"",
		"daily-quota":           `"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier"`,
		"error-event":           "data: {\"error\":{\"code\":503,\"message\":\"The model is overloaded. Please try again later.\",\"status\":\"UNAVAILABLE\"}}\n\n",
		"empty-answer":          `{"candidates":[{"content":{},"index":0}]`,
		"oddities":              ": a comment\n\ndata: {\"usageMetadata\"",
		"crlf":                  "\r\n\r\n",
	} {
		sim := newSimulator(t, Options{})
		if err := sim.Provider("gemini").FailNamed(name); err != nil {
			t.Fatal(err)
		}
		path := geminiPath
		if strings.HasPrefix(want, "data:") || name == "oddities" || name == "crlf" {
			path = geminiStream
		}
		if _, got := ask(t, sim.Handler(), request("POST", path, geminiHello)); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s in it", name, got, want)
		}
		if r := sim.Provider("gemini").Requests()[0]; r.Fault != name || r.Model != "gemini-3.5-flash" || r.Stream != (path == geminiStream) || r.Key != "key-1" {
			t.Errorf("%s: the record is %+v", name, r)
		}
	}
	for _, name := range []string{"no-terminal", "double-terminal", "credit-balance"} {
		if _, err := Lookup(Gemini, name); err == nil {
			t.Errorf("Gemini shows %s, which it cannot", name)
		}
	}
}

func FuzzGeminiRequests(f *testing.F) {
	f.Add([]byte(geminiHello))
	f.Add([]byte(`{"contents":[{"parts":[{"text":"tool f {}\nthink x\nstop y\ntokens 3"}]}],"tools":[{"functionDeclarations":[{"name":"f"}]}]}`))
	sim, err := New(Options{Keep: 1})
	if err != nil {
		f.Fatal(err)
	}
	h := sim.Handler()
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, path := range []string{geminiPath, geminiStream, strings.TrimSuffix(geminiStream, "?alt=sse"), "/v1beta/models/gemini-2.5-pro:countTokens"} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, request("POST", path, string(body)))
			if w.Code != 200 && w.Code != 400 {
				t.Errorf("%s: status %d", path, w.Code)
			}
			if strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") && !json.Valid(w.Body.Bytes()) {
				t.Errorf("%s: the answer is no JSON: %s", path, w.Body)
			}
		}
	})
}
