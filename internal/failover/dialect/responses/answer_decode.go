package responses

import (
	"errors"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
	"github.com/understudy-dev/understudy/internal/failover/dialect/openai"
)

var errNotAnswer = errors.New("the body is not a finished response")

// DecodeAnswer reads a whole response. Reasoning is left out: only the
// provider that wrote it can verify it.
func DecodeAnswer(body []byte) (*neutral.Answer, error) {
	v := failover.RawJSON(body)
	if !failover.ValidJSON(body) || !v.IsObject() || !v.Member("output").IsArray() {
		return nil, errNotAnswer
	}
	a := &neutral.Answer{ID: v.Member("id").Text(), Model: v.Member("model").Text(), Usage: usageOf(v.Member("usage"))}
	called, refused := false, false
	_ = failover.EachElement(v.Member("output"), func(it failover.RawJSON) bool {
		switch it.Member("type").Text() {
		case "message":
			_ = failover.EachElement(it.Member("content"), func(part failover.RawJSON) bool {
				if b, ok := partBlock(part); ok {
					refused = refused || b.Kind == neutral.Refusal
					a.Blocks = append(a.Blocks, b)
				}
				return true
			})
		case "function_call":
			called = true
			a.Blocks = append(a.Blocks, neutral.Block{Kind: neutral.ToolCall, Call: neutral.Call{
				ID: it.Member("call_id").Text(), Name: it.Member("name").Text(), Arguments: openai.Arguments(it.Member("arguments")),
			}})
		}
		return true
	})
	a.Finish.Reason = reasonOf(v)
	if a.Finish.Reason == neutral.Unfinished {
		return nil, errNotAnswer
	}
	a.Finish = a.Finish.Settle(called, refused)
	return a, nil
}

// partBlock reads a part of a message that is not empty.
func partBlock(part failover.RawJSON) (neutral.Block, bool) {
	b := neutral.Block{Kind: neutral.Text, Text: part.Member("text").Text()}
	if part.Member("type").Text() == "refusal" {
		b = neutral.Block{Kind: neutral.Refusal, Text: part.Member("refusal").Text()}
	}
	return b, b.Text != ""
}

// reasonOf tells why a response ended; Unfinished for one that has not.
func reasonOf(response failover.RawJSON) neutral.Reason {
	switch response.Member("status").Text() {
	case completed:
		return neutral.Stopped
	case incomplete:
		if response.Member("incomplete_details").Member("reason").Text() == "content_filter" {
			return neutral.Filtered
		}
		return neutral.Length
	}
	return neutral.Unfinished
}

// usageOf reads a usage object, in which cached tokens are counted as input.
func usageOf(v failover.RawJSON) neutral.Usage {
	if !v.IsObject() {
		return neutral.Usage{}
	}
	count := func(v failover.RawJSON) int64 {
		n, _ := v.Int()
		return max(n, 0)
	}
	in, out := v.Member("input_tokens_details"), v.Member("output_tokens_details")
	return neutral.Usage{
		Known: true, Input: count(v.Member("input_tokens")), Output: count(v.Member("output_tokens")),
		CacheRead: count(in.Member("cached_tokens")), CacheWrite: count(in.Member("cache_write_tokens")),
		Reasoning: count(out.Member("reasoning_tokens")),
	}
}
