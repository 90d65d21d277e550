package messages

import (
	"errors"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
)

var errNotAnswer = errors.New("the body is not a message")

// DecodeAnswer reads a whole message. Thinking is left out: it means nothing
// outside the provider that signed it.
func DecodeAnswer(body []byte) (*neutral.Answer, error) {
	if !failover.ValidJSON(body) {
		return nil, errNotAnswer
	}
	a := &neutral.Answer{}
	content := false
	err := failover.EachMember(body, func(name []byte, v failover.RawJSON) bool {
		switch string(name) {
		case "id":
			a.ID = v.Text()
		case "model":
			a.Model = v.Text()
		case "content":
			content = v.IsArray()
			_ = failover.EachElement(v, func(b failover.RawJSON) bool {
				answerBlock(a, b)
				return true
			})
		case "stop_reason":
			a.Finish.Reason = reasonOf(v.Text())
		case "stop_details":
			a.Finish.Explanation = v.Member("explanation").Text()
		case "usage":
			mergeUsage(&a.Usage, v)
		}
		return true
	})
	if err != nil || !content {
		return nil, errNotAnswer
	}
	called := false
	for _, b := range a.Blocks {
		called = called || b.Kind == neutral.ToolCall
	}
	a.Finish = a.Finish.Settle(called, false)
	return a, nil
}

func answerBlock(a *neutral.Answer, v failover.RawJSON) {
	switch v.Member("type").Text() {
	case "text":
		if text := v.Member("text").Text(); text != "" {
			a.Blocks = append(a.Blocks, neutral.Block{Kind: neutral.Text, Text: text})
		}
	case "tool_use":
		a.Blocks = append(a.Blocks, neutral.Block{Kind: neutral.ToolCall, Call: neutral.Call{
			ID: v.Member("id").Text(), Name: v.Member("name").Text(), Arguments: string(neutral.Compact(v.Member("input"))),
		}})
	}
}

// reasonOf maps the stop reasons; one that is unknown counts as an ordinary
// end, and never as a fault.
func reasonOf(stop string) neutral.Reason {
	switch stop {
	case "":
		return neutral.Unfinished
	case "max_tokens", "model_context_window_exceeded":
		return neutral.Length
	case "refusal":
		return neutral.Filtered
	case "tool_use":
		return neutral.ToolCalls
	}
	return neutral.Stopped
}

// rawCounts are the members of a usage object. They are kept apart until the
// end, because later events of a stream repeat only some of them.
type rawCounts struct {
	known                                 bool
	fresh, read, written, output, thought int64
}

func (c *rawCounts) merge(v failover.RawJSON) {
	if !v.IsObject() {
		return
	}
	c.known = true
	_ = failover.EachMember(v, func(name []byte, value failover.RawJSON) bool {
		set := func(to *int64) {
			if n, ok := value.Int(); ok {
				*to = max(n, 0)
			}
		}
		switch string(name) {
		case "input_tokens":
			set(&c.fresh)
		case "cache_read_input_tokens":
			set(&c.read)
		case "cache_creation_input_tokens":
			set(&c.written)
		case "output_tokens":
			set(&c.output)
		case "output_tokens_details":
			if n, ok := value.Member("thinking_tokens").Int(); ok {
				c.thought = max(n, 0)
			}
		}
		return true
	})
}

// usage adds the cached tokens to the input, where Anthropic counts them apart.
func (c *rawCounts) usage() neutral.Usage {
	return neutral.Usage{
		Known: c.known, Input: c.fresh + c.read + c.written,
		CacheRead: c.read, CacheWrite: c.written, Output: c.output, Reasoning: c.thought,
	}
}

func mergeUsage(u *neutral.Usage, v failover.RawJSON) {
	var c rawCounts
	c.merge(v)
	*u = c.usage()
}
