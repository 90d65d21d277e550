package dialect_test

import (
	"strings"
	"testing"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect"
)

// event makes an event of a name and its data; "-" stands for no data line.
func event(name, data string) failover.Event {
	ev := failover.Event{}
	if name != "" {
		ev.Name = []byte(name)
	}
	if data != "-" {
		ev.Data = []byte(data)
	}
	return ev
}

func TestProgressTellsWhatAnEventMeans(t *testing.T) {
	const (
		c = failover.OpenAIChat
		m = failover.AnthropicMessages
		r = failover.OpenAIResponses
	)
	tests := []struct {
		name    string
		dialect failover.Dialect
		event   string
		data    string
		want    failover.ProgressKind
		usage   failover.Usage
	}{
		{"a role chunk", c, "", `{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}`, failover.Lifecycle, failover.Usage{}},
		{"a role chunk with null content", c, "", `{"choices":[{"delta":{"role":"assistant","content":null}}]}`, failover.Lifecycle, failover.Usage{}},
		{"text", c, "", `{"choices":[{"index":0,"delta":{"content":"Hi"}}]}`, failover.Content, failover.Usage{}},
		{"text of the second choice", c, "", `{"choices":[{"index":0,"delta":{}},{"index":1,"delta":{"content":"Hi"}}]}`, failover.Content, failover.Usage{}},
		{"a refusal", c, "", `{"choices":[{"delta":{"refusal":"No"}}]}`, failover.Content, failover.Usage{}},
		{"reasoning", c, "", `{"choices":[{"delta":{"content":"","reasoning_content":"hm"}}]}`, failover.Content, failover.Usage{}},
		{"a tool call", c, "", `{"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}`, failover.Content, failover.Usage{}},
		{"an empty list of tool calls", c, "", `{"choices":[{"delta":{"tool_calls":[]}}]}`, failover.Lifecycle, failover.Usage{}},
		{"a finish reason", c, "", `{"choices":[{"delta":{},"finish_reason":"stop"}]}`, failover.Ending, failover.Usage{}},
		{"a finish reason before its delta", c, "", `{"choices":[{"finish_reason":"stop","delta":{"content":"x"}}]}`, failover.Ending, failover.Usage{}},
		{"an empty finish reason", c, "", `{"choices":[{"delta":{},"finish_reason":""}]}`, failover.Lifecycle, failover.Usage{}},
		{"the finish reason error", c, "", `{"choices":[{"delta":{"content":"x"},"finish_reason":"error"}]}`, failover.Failed, failover.Usage{}},
		{"the first chunk of Azure", c, "", `{"choices":[],"id":"","prompt_filter_results":[{}]}`, failover.Lifecycle, failover.Usage{}},
		{"a choice without delta", c, "", `{"choices":[{"index":0,"content_filter_results":{}}]}`, failover.Lifecycle, failover.Usage{}},
		{"the usage chunk", c, "", `{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":3}}}`, failover.Lifecycle, failover.Usage{Input: 9, Output: 4, CachedInput: 3}},
		{"a null usage", c, "", `{"choices":[{"delta":{"content":"x"}}],"usage":null}`, failover.Content, failover.Usage{}},
		{"done", c, "", `[DONE]`, failover.Finished, failover.Usage{}},
		{"done with spaces", c, "", ` [DONE] `, failover.Finished, failover.Usage{}},
		{"a null error", c, "", `{"error":null,"choices":[{"delta":{"content":"x"}}]}`, failover.Content, failover.Usage{}},
		{"a top-level error", c, "", `{"choices":[{"delta":{"content":"x"}}],"error":{"message":"boom"}}`, failover.Failed, failover.Usage{}},
		{"an event named error", c, "error", `not json`, failover.Failed, failover.Usage{}},
		{"a comment", c, "", "-", failover.Lifecycle, failover.Usage{}},
		{"an empty data line", c, "", "", failover.Lifecycle, failover.Usage{}},
		{"a ping", c, "ping", `{"type":"ping"}`, failover.Lifecycle, failover.Usage{}},
		{"text that is not JSON", c, "", `upstream is busy`, failover.Malformed, failover.Usage{}},
		{"a cut chunk", c, "", `{"choices":[{"delta":{"content":"x`, failover.Malformed, failover.Usage{}},
		{"choices that are no list", c, "", `{"choices":{"delta":{"content":"x"}}}`, failover.Lifecycle, failover.Usage{}},

		{"message_start", m, "message_start", `{"type":"message_start","message":{"usage":{"input_tokens":5,"cache_read_input_tokens":7,"cache_creation_input_tokens":1,"output_tokens":2}}}`, failover.Lifecycle, failover.Usage{Input: 13, CachedInput: 7, Output: 2}},
		{"an Anthropic ping", m, "ping", `{"type":"ping"}`, failover.Lifecycle, failover.Usage{}},
		{"the start of a text block", m, "content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`, failover.Lifecycle, failover.Usage{}},
		{"the start of a thinking block", m, "content_block_start", `{"type":"content_block_start","content_block":{"type":"thinking","thinking":"","signature":""}}`, failover.Lifecycle, failover.Usage{}},
		{"the start of a filled text block", m, "content_block_start", `{"type":"content_block_start","content_block":{"type":"text","text":"Hi"}}`, failover.Content, failover.Usage{}},
		{"the start of a tool block", m, "content_block_start", `{"type":"content_block_start","content_block":{"type":"tool_use","id":"a","name":"b","input":{}}}`, failover.Content, failover.Usage{}},
		{"redacted thinking", m, "content_block_start", `{"type":"content_block_start","content_block":{"type":"redacted_thinking","data":"x"}}`, failover.Content, failover.Usage{}},
		{"a text delta", m, "content_block_delta", `{"type":"content_block_delta","delta":{"type":"text_delta","text":"a"}}`, failover.Content, failover.Usage{}},
		{"an empty text delta", m, "content_block_delta", `{"type":"content_block_delta","delta":{"type":"text_delta","text":""}}`, failover.Lifecycle, failover.Usage{}},
		{"an empty argument delta", m, "content_block_delta", `{"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":""}}`, failover.Lifecycle, failover.Usage{}},
		{"a thinking delta", m, "content_block_delta", `{"type":"content_block_delta","delta":{"type":"thinking_delta","thinking":"a"}}`, failover.Content, failover.Usage{}},
		{"a signature", m, "content_block_delta", `{"type":"content_block_delta","delta":{"type":"signature_delta","signature":"a"}}`, failover.Content, failover.Usage{}},
		{"a citation", m, "content_block_delta", `{"type":"content_block_delta","delta":{"type":"citations_delta","citation":{}}}`, failover.Content, failover.Usage{}},
		{"a block's stop", m, "content_block_stop", `{"type":"content_block_stop","index":0}`, failover.Lifecycle, failover.Usage{}},
		{"message_delta with a reason", m, "message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":8}}`, failover.Ending, failover.Usage{Output: 8}},
		{"message_delta without one", m, "message_delta", `{"type":"message_delta","delta":{"stop_reason":null},"usage":{"output_tokens":8}}`, failover.Lifecycle, failover.Usage{Output: 8}},
		{"message_stop", m, "message_stop", `{"type":"message_stop"}`, failover.Finished, failover.Usage{}},
		{"message_stop by its name alone", m, "message_stop", `{}`, failover.Finished, failover.Usage{}},
		{"an Anthropic error", m, "error", `{"type":"error","error":{"type":"overloaded_error"}}`, failover.Failed, failover.Usage{}},
		{"an unnamed error", m, "", `{"error":{"message":"x"}}`, failover.Failed, failover.Usage{}},
		{"an unknown type", m, "comet", `{"type":"comet","text":"x"}`, failover.Lifecycle, failover.Usage{}},
		{"an event without data", m, "message_stop", "-", failover.Lifecycle, failover.Usage{}},
		{"HTML", m, "", `<html>`, failover.Malformed, failover.Usage{}},

		{"response.created", r, "response.created", `{"type":"response.created","response":{"error":null}}`, failover.Lifecycle, failover.Usage{}},
		{"a message item", r, "response.output_item.added", `{"type":"response.output_item.added","item":{"type":"message"}}`, failover.Lifecycle, failover.Usage{}},
		{"a call item", r, "response.output_item.added", `{"type":"response.output_item.added","item":{"type":"function_call"}}`, failover.Content, failover.Usage{}},
		{"a delta", r, "response.output_text.delta", `{"type":"response.output_text.delta","delta":"x"}`, failover.Content, failover.Usage{}},
		{"an empty delta", r, "response.output_text.delta", `{"type":"response.output_text.delta","delta":""}`, failover.Lifecycle, failover.Usage{}},
		{"a delta told by its data alone", r, "", `{"type":"response.reasoning_text.delta","delta":"x"}`, failover.Content, failover.Usage{}},
		{"completed", r, "response.completed", `{"type":"response.completed","response":{"usage":{"input_tokens":3,"output_tokens":2,"input_tokens_details":{"cached_tokens":1}}}}`, failover.Finished, failover.Usage{Input: 3, Output: 2, CachedInput: 1}},
		{"incomplete", r, "response.incomplete", `{"type":"response.incomplete","response":{}}`, failover.Finished, failover.Usage{}},
		{"failed", r, "response.failed", `{"type":"response.failed","response":{}}`, failover.Failed, failover.Usage{}},
		{"a flat error", r, "", `{"type":"error","code":"x","message":"y"}`, failover.Failed, failover.Usage{}},
		{"a stray done", r, "", `[DONE]`, failover.Lifecycle, failover.Usage{}},
		{"a cut response", r, "", `{"type":`, failover.Malformed, failover.Usage{}},
	}
	dialects := dialect.New()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := dialects.Format(tt.dialect).Progress(event(tt.event, tt.data))
			if got.Kind != tt.want || got.Usage != tt.usage {
				t.Errorf("Progress = %+v, want kind %d with %+v", got, tt.want, tt.usage)
			}
		})
	}
}

func TestAnswersAreToldFromWhatOnlyLooksLikeOne(t *testing.T) {
	const (
		c = failover.OpenAIChat
		m = failover.AnthropicMessages
		r = failover.OpenAIResponses
		e = failover.OpenAIEmbeddings
	)
	tests := []struct {
		name    string
		dialect failover.Dialect
		body    string
		want    bool
		usage   failover.Usage
	}{
		{"a completion", c, `{"choices":[{"message":{"content":"x"},"finish_reason":"stop"}],"usage":{"prompt_tokens":2,"completion_tokens":1}}`, true, failover.Usage{Input: 2, Output: 1}},
		{"an empty completion with a reason", c, `{"choices":[{"message":{"content":null},"finish_reason":"length"}]}`, true, failover.Usage{}},
		{"content without a reason", c, `{"choices":[{"message":{"content":"x"}}]}`, true, failover.Usage{}},
		{"neither content nor reason", c, `{"choices":[{"message":{"content":""},"finish_reason":null}]}`, false, failover.Usage{}},
		{"no choices", c, `{"id":"x"}`, false, failover.Usage{}},
		{"null choices", c, `{"choices":null}`, false, failover.Usage{}},
		{"empty choices", c, `{"choices":[]}`, false, failover.Usage{}},
		{"an error beside choices", c, `{"choices":[{"message":{"content":"x"}}],"error":{"code":502}}`, false, failover.Usage{}},
		{"a null error beside choices", c, `{"choices":[{"message":{"content":"x"}}],"error":null}`, true, failover.Usage{}},
		{"the finish reason error", c, `{"choices":[{"message":{"content":"x"},"finish_reason":"error"}]}`, false, failover.Usage{}},
		{"an empty body", c, ``, false, failover.Usage{}},
		{"blank lines", c, "\n\n", false, failover.Usage{}},
		{"a cut body", c, `{"choices":[{"message":{"content":"x"}`, false, failover.Usage{}},
		{"HTML", c, `<html></html>`, false, failover.Usage{}},
		{"blank lines before the answer", c, "\n\n" + `{"choices":[{"message":{"content":"x"}}]}`, true, failover.Usage{}},

		{"a message", m, `{"content":[{"type":"text","text":"x"}],"stop_reason":"end_turn","usage":{"input_tokens":2,"cache_read_input_tokens":3,"output_tokens":1}}`, true, failover.Usage{Input: 5, CachedInput: 3, Output: 1}},
		{"an empty message with a reason", m, `{"content":[],"stop_reason":"end_turn"}`, true, failover.Usage{}},
		{"an empty message", m, `{"content":[],"stop_reason":null}`, false, failover.Usage{}},
		{"a count of tokens", m, `{"input_tokens":12}`, true, failover.Usage{}},
		{"an error with status 200", m, `{"type":"error","error":{"type":"api_error"}}`, false, failover.Usage{}},

		{"a response", r, `{"status":"completed","error":null,"output":[{"type":"message"}],"usage":{"input_tokens":2,"output_tokens":1}}`, true, failover.Usage{Input: 2, Output: 1}},
		{"a response in the background", r, `{"status":"queued","output":[]}`, true, failover.Usage{}},
		{"a failed response", r, `{"status":"failed","error":{"code":"server_error"},"output":[]}`, false, failover.Usage{}},
		{"no response", r, `{}`, false, failover.Usage{}},

		{"vectors", e, `{"data":[{"embedding":[0.5]}],"usage":{"prompt_tokens":4}}`, true, failover.Usage{Input: 4}},
		{"no vectors", e, `{"data":[]}`, false, failover.Usage{}},
	}
	dialects := dialect.New()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			usage, ok := dialects.Format(tt.dialect).CheckAnswer([]byte(tt.body))
			if ok != tt.want {
				t.Fatalf("CheckAnswer = %v, want %v", ok, tt.want)
			}
			if ok && usage != tt.usage {
				t.Errorf("usage = %+v, want %+v", usage, tt.usage)
			}
		})
	}
}

func TestErrorsAreWrittenInTheWordsOfTheDialect(t *testing.T) {
	exhausted := failover.AppError{
		Status: 503, Class: failover.Exhausted, Message: `no provider of "shop" answered <now>`,
		Providers: []failover.ProviderReason{{Provider: "anthropic", Reason: failover.Overloaded}},
	}
	tests := []struct {
		name    string
		dialect failover.Dialect
		err     failover.AppError
		body    string
		event   string
	}{
		{
			"an exhausted chain to Chat", failover.OpenAIChat, exhausted,
			`{"error":{"message":"no provider of \"shop\" answered <now>","type":"service_unavailable_error","param":null,"code":"no_provider_available","providers":[{"provider":"anthropic","reason":"Overloaded"}]}}`,
			"data: {body}\n\n",
		},
		{
			"an exhausted chain to Messages", failover.AnthropicMessages, exhausted,
			`{"type":"error","error":{"type":"overloaded_error","message":"no provider of \"shop\" answered <now>","providers":[{"provider":"anthropic","reason":"Overloaded"}]}}`,
			"event: error\ndata: {body}\n\n",
		},
		{
			"a chain that is only rate-limited", failover.OpenAIChat,
			failover.AppError{Status: 429, Class: failover.Exhausted, Message: "wait"},
			`{"error":{"message":"wait","type":"rate_limit_error","param":null,"code":"rate_limit_exceeded"}}`,
			"data: {body}\n\n",
		},
		{
			"Anthropic's own words to Chat", failover.OpenAIChat,
			failover.AppError{Status: 503, Class: failover.Overloaded, Message: "busy", Type: "overloaded_error"},
			`{"error":{"message":"busy","type":"service_unavailable_error","param":null,"code":"server_is_overloaded"}}`,
			"data: {body}\n\n",
		},
		{
			"OpenAI's own words to Chat", failover.OpenAIChat,
			failover.AppError{Status: 400, Class: failover.InvalidRequest, Message: "bad", Type: "invalid_request_error", Code: "unsupported_value", Param: "temperature"},
			`{"error":{"message":"bad","type":"invalid_request_error","param":"temperature","code":"unsupported_value"}}`,
			"data: {body}\n\n",
		},
		{
			"OpenAI's own words to Messages", failover.AnthropicMessages,
			failover.AppError{Status: 404, Class: failover.ModelNotFound, Message: "gone", Type: "invalid_request_error", Code: "model_not_found"},
			`{"type":"error","error":{"type":"not_found_error","message":"gone","details":{"error_code":"model_not_found"}}}`,
			"event: error\ndata: {body}\n\n",
		},
		{
			"no eligible entry to Messages", failover.AnthropicMessages,
			failover.AppError{Status: 400, Class: failover.Ineligible, Message: "n: cannot"},
			`{"type":"error","error":{"type":"invalid_request_error","message":"n: cannot","details":{"error_code":"no_entry_supports_request"}}}`,
			"event: error\ndata: {body}\n\n",
		},
		{
			"a truncated stream to Responses", failover.OpenAIResponses,
			failover.AppError{Status: 502, Class: failover.Truncated, Message: "cut"},
			`{"error":{"message":"cut","type":"server_error","param":null,"code":"stream_truncated"}}`,
			"event: error\ndata: {\"type\":\"error\",\"code\":\"stream_truncated\",\"message\":\"cut\",\"param\":null,\"sequence_number\":0}\n\n",
		},
	}
	dialects := dialect.New()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := dialects.Format(tt.dialect)
			if got := string(f.ErrorBody(tt.err)); got != tt.body {
				t.Errorf("body:\n got %s\nwant %s", got, tt.body)
			}
			want := strings.ReplaceAll(tt.event, "{body}", tt.body)
			if got := string(f.ErrorEvent(tt.err)); got != want {
				t.Errorf("event:\n got %s\nwant %s", got, want)
			}
		})
	}
}

func TestEveryErrorEventMeansFailedToItsOwnDialect(t *testing.T) {
	for _, d := range []failover.Dialect{failover.OpenAIChat, failover.OpenAIResponses, failover.AnthropicMessages, failover.BedrockConverse} {
		f := dialect.New().Format(d)
		var s failover.Splitter
		if _, err := s.Write(f.ErrorEvent(failover.AppError{Class: failover.Internal, Message: "a\nb"})); err != nil {
			t.Fatal(err)
		}
		ev, ok := s.Next()
		if !ok || f.Progress(ev).Kind != failover.Failed || s.Pending() != 0 {
			t.Errorf("%s: the error event is not one complete event that means Failed", d)
		}
	}
}

func TestOnlyChatCompletesAStreamWithoutItsTerminalEvent(t *testing.T) {
	for d, want := range map[failover.Dialect]string{
		failover.OpenAIChat: "data: [DONE]\n\n", failover.OpenAIResponses: "", failover.OpenAIEmbeddings: "", failover.AnthropicMessages: "", failover.BedrockConverse: "",
	} {
		if got := string(dialect.New().Format(d).Closing()); got != want {
			t.Errorf("%s: Closing = %q, want %q", d, got, want)
		}
	}
}

func TestAnUnknownDialectHasNoFormat(t *testing.T) {
	if f := dialect.New().Format("Morse"); f != nil {
		t.Errorf("Format = %v, want nil", f)
	}
}

func TestProgressOfATokenAllocatesNothing(t *testing.T) {
	for name, c := range hotEvents() {
		f := dialect.New().Format(c.dialect)
		if n := testing.AllocsPerRun(100, func() { f.Progress(c.event) }); n != 0 {
			t.Errorf("%s: %v allocations, want none", name, n)
		}
	}
}

func BenchmarkProgress(b *testing.B) {
	for name, c := range hotEvents() {
		f := dialect.New().Format(c.dialect)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(c.event.Data)))
			for b.Loop() {
				f.Progress(c.event)
			}
		})
	}
}

type hotEvent struct {
	dialect failover.Dialect
	event   failover.Event
}

// hotEvents are what a stream consists of nearly entirely.
func hotEvents() map[string]hotEvent {
	return map[string]hotEvent{
		"chat":      {failover.OpenAIChat, event("", `{"id":"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG","object":"chat.completion.chunk","created":1741570283,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_06737a9306","choices":[{"index":0,"delta":{"content":" world"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"Zk3"}`)},
		"messages":  {failover.AnthropicMessages, event("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" world"}}`)},
		"responses": {failover.OpenAIResponses, event("response.output_text.delta", `{"type":"response.output_text.delta","sequence_number":17,"item_id":"msg_67c9fdcf","output_index":0,"content_index":0,"delta":" world","logprobs":[],"obfuscation":"Zk3"}`)},
	}
}
