package dialect_test

import (
	"testing"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect"
)

func TestProgressOfConverse(t *testing.T) {
	for _, tt := range []struct {
		name, event, data string
		want              failover.ProgressKind
		usage             failover.Usage
	}{
		{"the start", "messageStart", `{"role":"assistant"}`, failover.Lifecycle, failover.Usage{}},
		{"the start of a call", "contentBlockStart", `{"contentBlockIndex":0,"start":{"toolUse":{"name":"a","toolUseId":"b"}}}`, failover.Content, failover.Usage{}},
		{"the start of nothing", "contentBlockStart", `{"contentBlockIndex":0,"start":{}}`, failover.Lifecycle, failover.Usage{}},
		{"text", "contentBlockDelta", `{"delta":{"text":"a"}}`, failover.Content, failover.Usage{}},
		{"empty text", "contentBlockDelta", `{"delta":{"text":""}}`, failover.Lifecycle, failover.Usage{}},
		{"empty arguments", "contentBlockDelta", `{"delta":{"toolUse":{"input":""}}}`, failover.Lifecycle, failover.Usage{}},
		{"reasoning", "contentBlockDelta", `{"delta":{"reasoningContent":{"text":"a"}}}`, failover.Content, failover.Usage{}},
		{"the reason", "messageStop", `{"stopReason":"end_turn"}`, failover.Ending, failover.Usage{}},
		{"a call that is none", "messageStop", `{"stopReason":"malformed_tool_use"}`, failover.Failed, failover.Usage{}},
		{"output that is none", "messageStop", `{"stopReason":"malformed_model_output"}`, failover.Failed, failover.Usage{}},
		{"the counts", "metadata", `{"usage":{"inputTokens":1,"outputTokens":2,"cacheReadInputTokens":3,"cacheWriteInputTokens":4}}`, failover.Finished, failover.Usage{Input: 8, CachedInput: 3, Output: 2}},
		{"an exception", "exception", `{"type":"throttlingException","message":"Too many tokens"}`, failover.Failed, failover.Usage{}},
		{"a comment", "", "-", failover.Lifecycle, failover.Usage{}},
		{"half an event", "messageStop", `{"stopReason":"end_tu`, failover.Malformed, failover.Usage{}},
		{"a page", "", `<html>`, failover.Malformed, failover.Usage{}},
	} {
		got := dialect.New().Format(failover.BedrockConverse).Progress(event(tt.event, tt.data))
		if got.Kind != tt.want || got.Usage != tt.usage {
			t.Errorf("%s: Progress = %+v, want kind %d with %+v", tt.name, got, tt.want, tt.usage)
		}
	}
}

func TestAnswersOfConverse(t *testing.T) {
	for body, want := range map[string]bool{
		`{"output":{"message":{"role":"assistant","content":[{"text":"x"}]}},"stopReason":"end_turn"}`: true,
		`{"output":{"message":{"role":"assistant","content":[]}},"stopReason":"content_filtered"}`:     true,
		`{"output":{"message":{"role":"assistant","content":[{"text":"x"}]}}}`:                         true,
		`{"output":{"message":{"role":"assistant","content":[]}}}`:                                     false,
		`{"output":{"message":{"content":[{"text":"x"}]}},"stopReason":"malformed_model_output"}`:      false,
		`{"message":"The security token included in the request is expired"}`:                          false,
		`{}`: false, ``: false, `[]`: false, `<html>`: false, `{"output":{"message":{"content":[{"text":"x"}`: false,
	} {
		if _, ok := dialect.New().Format(failover.BedrockConverse).CheckAnswer([]byte(body)); ok != want {
			t.Errorf("CheckAnswer(%s) = %v, want %v", body, ok, want)
		}
	}
}
