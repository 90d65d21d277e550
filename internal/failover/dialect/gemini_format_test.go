package dialect_test

import (
	"testing"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect"
	"github.com/understudy-dev/understudy/internal/failover/dialect/gemini"
)

func TestProgressTellsWhatAFragmentOfGeminiMeans(t *testing.T) {
	part := func(p string) string {
		return `{"candidates":[{"content":{"role":"model","parts":[` + p + `]},"index":0}]}`
	}
	for _, tt := range []struct {
		name, data string
		want       failover.ProgressKind
		usage      failover.Usage
	}{
		{"text", part(`{"text":"Hi"}`), failover.Content, failover.Usage{}},
		{"a thought", part(`{"text":"hm","thought":true}`), failover.Content, failover.Usage{}},
		{"a call", part(`{"functionCall":{"name":"f","args":{}}}`), failover.Content, failover.Usage{}},
		{"an image", part(`{"inlineData":{"mimeType":"image/png","data":""}}`), failover.Content, failover.Usage{}},
		{"a signature alone", part(`{"text":"","thoughtSignature":"c2ln"}`), failover.Lifecycle, failover.Usage{}},
		{"no parts", `{"candidates":[{"content":{"role":"model"},"index":0}]}`, failover.Lifecycle, failover.Usage{}},
		{"counts alone", `{"usageMetadata":{"promptTokenCount":9,"cachedContentTokenCount":4,"toolUsePromptTokenCount":2,"candidatesTokenCount":3,"thoughtsTokenCount":5}}`, failover.Lifecycle, failover.Usage{Input: 11, CachedInput: 4, Output: 8}},
		{"an end", `{"candidates":[{"content":{"parts":[{"text":"."}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1}}`, failover.Ending, failover.Usage{Input: 1}},
		{"an unknown end", `{"candidates":[{"finishReason":"TIRED"}]}`, failover.Ending, failover.Usage{}},
		{"an end that is none", `{"candidates":[{"finishReason":"FINISH_REASON_UNSPECIFIED"}]}`, failover.Lifecycle, failover.Usage{}},
		{"a filtered answer", `{"candidates":[{"finishReason":"SPII"}]}`, failover.Ending, failover.Usage{}},
		{"a blocked prompt", `{"promptFeedback":{"blockReason":"OTHER"}}`, failover.Ending, failover.Usage{}},
		{"a prompt that was rated", `{"promptFeedback":{"safetyRatings":[]},"candidates":[{"content":{"parts":[{"text":"x"}]}}]}`, failover.Content, failover.Usage{}},
		{"a broken call", `{"candidates":[{"content":{"parts":[{"text":"x"}]},"finishReason":"MALFORMED_FUNCTION_CALL"}],"usageMetadata":{"promptTokenCount":1}}`, failover.Failed, failover.Usage{}},
		{"an error", `{"error":{"code":503,"status":"UNAVAILABLE"}}`, failover.Failed, failover.Usage{}},
		{"an error in a list", `[{"error":{"code":503}}]`, failover.Failed, failover.Usage{}},
		{"a null error", `{"error":null,"candidates":[{"content":{"parts":[{"text":"x"}]}}]}`, failover.Content, failover.Usage{}},
		{"a gateway's terminal event", `[DONE]`, failover.Lifecycle, failover.Usage{}},
		{"an empty data line", ``, failover.Lifecycle, failover.Usage{}},
		{"a cut fragment", `{"candidates":[{"content":{"parts":[{"te`, failover.Malformed, failover.Usage{}},
		{"text that is no JSON", `busy`, failover.Malformed, failover.Usage{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := (gemini.Format{}).Progress(event("", tt.data)); got.Kind != tt.want || got.Usage != tt.usage {
				t.Errorf("Progress = %+v, want kind %d with %+v", got, tt.want, tt.usage)
			}
		})
	}
	for raw, want := range map[string]failover.ProgressKind{
		": a comment\n\n": failover.Lifecycle,
		"{\r\n \"error\": {\"code\": 503}\r\n}\r\n\r\n": failover.Failed,
		"{\"hello\": 1}\n\n":                            failover.Lifecycle,
	} {
		if got := (gemini.Format{}).Progress(failover.Event{Raw: []byte(raw)}); got.Kind != want {
			t.Errorf("%q without an event's data: kind %d, want %d", raw, got.Kind, want)
		}
	}
}

func TestAnswersOfGeminiAreToldFromWhatOnlyLooksLikeOne(t *testing.T) {
	for body, want := range map[string]bool{
		`{"candidates":[{"content":{"parts":[{"text":"x"}]},"finishReason":"STOP"}]}`: true,
		`{"candidates":[{"content":{"parts":[{"text":"x"}]}}]}`:                       true,
		`{"candidates":[{"finishReason":"MAX_TOKENS"}]}`:                              true,
		`{"candidates":[{"content":{},"finishReason":"STOP"}]}`:                       true,
		`{"promptFeedback":{"blockReason":"SAFETY"}}`:                                 true,
		"\n{\"candidates\":[{\"finishReason\":\"SAFETY\"}]}":                          true,
		`{"candidates":[{"content":{}}]}`:                                             false,
		`{"candidates":[{"finishReason":"OTHER"}]}`:                                   false,
		`{"candidates":[]}`:                                             false,
		`{"usageMetadata":{"promptTokenCount":3}}`:                      false,
		`{"candidates":[{"finishReason":"STOP"}],"error":{"code":500}}`: false,
		`[{"error":{"code":429}}]`:                                      false,
		`{"candidates":[{"content`:                                      false,
		`<html>`:                                                        false,
		``:                                                              false,
	} {
		if _, ok := (gemini.Format{}).CheckAnswer([]byte(body)); ok != want {
			t.Errorf("CheckAnswer(%s) = %v, want %v", body, ok, want)
		}
	}
}

func TestMediaInAnAnswerOfGeminiIsNotLeftOutSilently(t *testing.T) {
	const image = `{"candidates":[{"content":{"parts":[{"text":"Here:"},{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}}]},"finishReason":"STOP"}]}`
	if a, err := gemini.DecodeAnswer([]byte(image)); err == nil {
		t.Errorf("the answer is %+v, want an error", a)
	}
	events, kind := gemini.NewStreamDecoder().Decode(nil, event("", image))
	if kind != failover.Malformed || len(events) > 0 {
		t.Errorf("the fragment means %d with %+v, want that it cannot be read", kind, events)
	}
}

func TestErrorsAreWrittenInGooglesWords(t *testing.T) {
	e := failover.AppError{Status: 503, Class: failover.Exhausted, Message: `nobody "here"`, Providers: []failover.ProviderReason{{Provider: "a", Reason: failover.Overloaded}}}
	const want = `{"error":{"code":503,"message":"nobody \"here\"","status":"UNAVAILABLE","providers":[{"provider":"a","reason":"Overloaded"}]}}`
	f := dialect.New().Format(failover.Gemini)
	if got := string(f.ErrorBody(e)); got != want {
		t.Errorf("ErrorBody = %s, want %s", got, want)
	}
	if got := string(f.ErrorEvent(e)); got != "data: "+want+"\n\n" {
		t.Errorf("ErrorEvent = %q", got)
	}
	if got := f.Progress(event("", string(f.ErrorBody(failover.AppError{Status: 418})))); got.Kind != failover.Failed {
		t.Errorf("our own error event means %d", got.Kind)
	}
	if c := f.Closing(); c == nil || len(c) > 0 {
		t.Errorf("Closing = %q, want nothing, since the reason completes a stream", c)
	}
}

func TestNobodyIsAskedInGeminisDialect(t *testing.T) {
	for _, to := range []failover.Dialect{failover.OpenAIChat, failover.AnthropicMessages} {
		if _, err := dialect.New().Translate(failover.Gemini, to, []byte(`{"contents":[]}`), failover.TranslateOptions{Model: "m"}); err == nil {
			t.Errorf("a request of Gemini was translated into %s", to)
		}
	}
}
