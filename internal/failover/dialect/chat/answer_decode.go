package chat

import (
	"errors"
	"strings"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
)

var errNotAnswer = errors.New("the body is not a chat completion")

// DecodeAnswer reads a whole completion, of which one choice was asked for.
// Reasoning is left out: a thinking block without a valid signature would
// poison the conversation when it goes back to its own provider.
func DecodeAnswer(body []byte) (*neutral.Answer, error) {
	if !failover.ValidJSON(body) {
		return nil, errNotAnswer
	}
	a := &neutral.Answer{}
	var choice failover.RawJSON
	err := failover.EachMember(body, func(name []byte, v failover.RawJSON) bool {
		switch string(name) {
		case "id":
			a.ID = v.Text()
		case "model":
			a.Model = v.Text()
		case "usage":
			if v.IsObject() {
				a.Usage = usageOf(v)
			}
		case "choices":
			_ = failover.EachElement(v, func(c failover.RawJSON) bool { choice = c; return false })
		}
		return true
	})
	if err != nil || !choice.IsObject() {
		return nil, errNotAnswer
	}
	message := choice.Member("message")
	if text := contentText(message.Member("content")); text != "" {
		a.Blocks = append(a.Blocks, neutral.Block{Kind: neutral.Text, Text: text})
	}
	refusal := message.Member("refusal").Text()
	if refusal != "" {
		a.Blocks = append(a.Blocks, neutral.Block{Kind: neutral.Refusal, Text: refusal})
	}
	called := answerCalls(a, message)
	a.Finish.Reason = reasonOf(choice.Member("finish_reason").Text())
	a.Finish = a.Finish.Settle(called, refusal != "")
	return a, nil
}

func answerCalls(a *neutral.Answer, message failover.RawJSON) bool {
	called := false
	add := func(id string, function failover.RawJSON) {
		called = true
		a.Blocks = append(a.Blocks, callBlock("", id, function))
	}
	_ = failover.EachElement(message.Member("tool_calls"), func(c failover.RawJSON) bool {
		if c.Member("function").IsObject() {
			add(c.Member("id").Text(), c.Member("function"))
		}
		return true
	})
	if f := message.Member("function_call"); f.IsObject() && !called {
		add("", f)
	}
	return called
}

// contentText joins the text of a string or of a list of parts, which some
// servers send.
func contentText(v failover.RawJSON) string {
	if v.IsString() {
		return v.Text()
	}
	var text strings.Builder
	_ = failover.EachElement(v, func(part failover.RawJSON) bool {
		if part.Member("type").Text() == "text" {
			text.WriteString(part.Member("text").Text())
		}
		return true
	})
	return text.String()
}

// reasonOf maps the finish reasons; one that is unknown counts as an ordinary
// end.
func reasonOf(finish string) neutral.Reason {
	switch finish {
	case "":
		return neutral.Unfinished
	case "length":
		return neutral.Length
	case "content_filter":
		return neutral.Filtered
	case "tool_calls", "function_call":
		return neutral.ToolCalls
	}
	return neutral.Stopped
}

// usageOf reads a usage object. Chat counts cached tokens as input already.
func usageOf(v failover.RawJSON) neutral.Usage {
	u := neutral.Usage{Known: true}
	count := func(v failover.RawJSON) int64 {
		n, _ := v.Int()
		return max(n, 0)
	}
	_ = failover.EachMember(v, func(name []byte, value failover.RawJSON) bool {
		switch string(name) {
		case "prompt_tokens":
			u.Input = count(value)
		case "completion_tokens":
			u.Output = count(value)
		case "prompt_tokens_details":
			u.CacheRead = count(value.Member("cached_tokens"))
			u.CacheWrite = count(value.Member("cache_write_tokens"))
		case "completion_tokens_details":
			u.Reasoning = count(value.Member("reasoning_tokens"))
		}
		return true
	})
	return u
}
