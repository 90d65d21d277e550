package converse

import (
	"bytes"
	"errors"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
)

var errNotAnswer = errors.New("the body is not an answer of Converse")

// DecodeAnswer reads a whole answer. Reasoning is left out: it means nothing
// outside the provider that signed it. Bedrock names neither the answer nor the
// model.
func DecodeAnswer(body []byte) (*neutral.Answer, error) {
	v := failover.RawJSON(bytes.TrimSpace(body))
	if !v.IsObject() || !failover.ValidJSON(v) {
		return nil, errNotAnswer
	}
	content := v.Member("output").Member("message").Member("content")
	stop := v.Member("stopReason").Text()
	if !content.IsArray() || broken(stop) {
		return nil, errNotAnswer
	}
	a := &neutral.Answer{Usage: usageOf(v.Member("usage"))}
	called := false
	_ = failover.EachElement(content, func(b failover.RawJSON) bool {
		called = answerBlock(a, b) || called
		return true
	})
	a.Finish = neutral.Finish{Reason: reasonOf(stop)}.Settle(called, false)
	return a, nil
}

// answerBlock adds one block, and reports whether it is a call.
func answerBlock(a *neutral.Answer, v failover.RawJSON) bool {
	if call := v.Member("toolUse"); call.IsObject() {
		a.Blocks = append(a.Blocks, neutral.Block{Kind: neutral.ToolCall, Call: neutral.Call{
			ID: call.Member("toolUseId").Text(), Name: call.Member("name").Text(),
			Arguments: string(neutral.Compact(call.Member("input"))),
		}})
		return true
	}
	if text := v.Member("text").Text(); text != "" {
		a.Blocks = append(a.Blocks, neutral.Block{Kind: neutral.Text, Text: text})
	}
	// Text with citations is a block of its own kind.
	_ = failover.EachElement(v.Member("citationsContent").Member("content"), func(part failover.RawJSON) bool {
		if text := part.Member("text").Text(); text != "" {
			a.Blocks = append(a.Blocks, neutral.Block{Kind: neutral.Text, Text: text})
		}
		return true
	})
	return false
}
