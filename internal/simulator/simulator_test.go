package simulator

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newSimulator returns a simulator that ends with the test.
func newSimulator(t *testing.T, opts Options) *Simulator {
	t.Helper()
	s, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// request makes a valid request of the dialect that the path belongs to.
func request(method, path, body string) *http.Request {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if strings.HasPrefix(path, "/v1/messages") {
		r.Header.Set("X-Api-Key", "sk-ant-test")
		r.Header.Set("Anthropic-Version", "2023-06-01")
		return r
	}
	if strings.HasPrefix(path, "/v1beta/") {
		r.Header.Set("X-Goog-Api-Key", "AIza-test")
		return r
	}
	r.Header.Set("Authorization", "Bearer sk-test")
	return r
}

// ask sends a request to the handler without a socket.
func ask(t *testing.T, h http.Handler, r *http.Request) (*http.Response, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	res := w.Result()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

const (
	chatHello     = `{"model":"gpt-4o","messages":[{"role":"user","content":"say Grüße, 世界!"}]}`
	chatStream    = `{"model":"gpt-4o","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"say Grüße, 世界!"}]}`
	messageHello  = `{"model":"claude-haiku-4-5","max_tokens":100,"messages":[{"role":"user","content":"say Grüße, 世界!"}]}`
	messageStream = `{"model":"claude-haiku-4-5","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"say Grüße, 世界!"}]}`
)

func TestUnaryAnswersHaveTheShapeOfTheDialect(t *testing.T) {
	h := newSimulator(t, Options{}).Handler()
	tests := []struct{ name, path, body, want string }{
		{"chat", "/v1/chat/completions", chatHello, `{"id":"*","object":"chat.completion","created":"*","model":"gpt-4o",` +
			`"choices":[{"index":0,"message":{"role":"assistant","content":"Grüße, 世界!","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],` +
			`"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},` +
			`"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},` +
			`"service_tier":"default","system_fingerprint":"fp_simulated"}`},
		{"messages", "/v1/messages", messageHello, `{"id":"*","type":"message","role":"assistant","model":"claude-haiku-4-5",` +
			`"content":[{"type":"text","text":"Grüße, 世界!"}],"stop_reason":"end_turn","stop_sequence":null,` +
			`"usage":{"input_tokens":5,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,` +
			`"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":2,"service_tier":"standard"}}`},
		{"count_tokens", "/v1/messages/count_tokens", strings.Replace(messageHello, `"max_tokens":100,`, "", 1), `{"input_tokens":5}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res, got := ask(t, h, request("POST", tt.path, tt.body))
			if res.StatusCode != 200 {
				t.Fatalf("status %d: %s", res.StatusCode, got)
			}
			if got = maskVolatile(t, got); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// maskVolatile replaces what differs from run to run.
func maskVolatile(t *testing.T, body string) string {
	t.Helper()
	var v struct {
		ID      string      `json:"id"`
		Created json.Number `json:"created"`
	}
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatal(err)
	}
	if v.ID != "" {
		body = strings.ReplaceAll(body, v.ID, "*")
	}
	if v.Created != "" {
		body = strings.ReplaceAll(body, `"created":`+v.Created.String(), `"created":"*"`)
	}
	return body
}

func TestStreamsHaveTheEventsOfTheDialectInOrder(t *testing.T) {
	h := newSimulator(t, Options{}).Handler()
	t.Run("chat", func(t *testing.T) {
		res, got := ask(t, h, request("POST", "/v1/chat/completions", chatStream))
		if ct := res.Header.Get("Content-Type"); ct != "text/event-stream; charset=utf-8" {
			t.Errorf("content type %q", ct)
		}
		want := []string{
			`"delta":{"role":"assistant","content":""}`, `"delta":{"content":"Grüße,"}`, `"delta":{"content":" 世界!"}`,
			`"delta":{},"logprobs":null,"finish_reason":"stop"`, `"choices":[],"service_tier":"default","system_fingerprint":"fp_simulated","usage":{`, "[DONE]",
		}
		events := strings.Split(strings.TrimSuffix(got, "\n\n"), "\n\n")
		if len(events) != len(want) {
			t.Fatalf("got %d events, want %d:\n%s", len(events), len(want), got)
		}
		for i := range want {
			if !strings.HasPrefix(events[i], "data: ") || !strings.Contains(events[i], want[i]) {
				t.Errorf("event %d is %s, want one with %s", i, events[i], want[i])
			}
		}
		if n := strings.Count(got, `"usage":null`); n != 4 {
			t.Errorf("%d chunks with a null usage, want 4", n)
		}
	})
	t.Run("messages", func(t *testing.T) {
		_, got := ask(t, h, request("POST", "/v1/messages", messageStream))
		want := []string{
			"message_start", "content_block_start", "ping", "content_block_delta", "content_block_delta",
			"content_block_stop", "message_delta", "message_stop",
		}
		if names := eventNames(got); strings.Join(names, " ") != strings.Join(want, " ") {
			t.Errorf("events %v, want %v", names, want)
		}
		if !strings.Contains(got, `"delta":{"type":"text_delta","text":" 世界!"}`) {
			t.Errorf("no second delta in %s", got)
		}
	})
}

// eventNames returns the names of a stream's events.
func eventNames(stream string) []string {
	var names []string
	for line := range strings.SplitSeq(stream, "\n") {
		if name, ok := strings.CutPrefix(line, "event: "); ok {
			names = append(names, strings.TrimSpace(name))
		}
	}
	return names
}
