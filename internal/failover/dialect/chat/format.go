// Package chat is the wire format of OpenAI Chat Completions: what its streams
// and answers mean (Format), and the way from and to the neutral form.
package chat

import (
	"bytes"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/openai"
	"github.com/understudy-dev/understudy/internal/failover/dialect/wire"
)

// Format implements failover.Format.
type Format struct{}

// Dialect returns OpenAIChat.
func (Format) Dialect() failover.Dialect { return failover.OpenAIChat }

var done = []byte("[DONE]")

// Progress tells what one chunk means. A finish reason is Ending; where the
// app asked for several choices, content of another choice may follow, and
// only [DONE] is the end of all.
func (Format) Progress(ev failover.Event) failover.Progress {
	data := bytes.TrimSpace(ev.Data)
	switch {
	case string(ev.Name) == "error":
		return failover.Progress{Kind: failover.Failed}
	case len(data) == 0:
		return failover.Progress{Kind: failover.Lifecycle}
	case bytes.Equal(data, done):
		return failover.Progress{Kind: failover.Finished}
	}
	p := failover.Progress{Kind: failover.Lifecycle}
	err := failover.EachMember(data, func(name []byte, value failover.RawJSON) bool {
		switch string(name) {
		case "error":
			if value.Present() {
				p.Kind = failover.Failed
				return false
			}
		case "choices":
			p.Kind = choicesKind(value)
		case "usage":
			p.Usage = openai.Usage(value)
		}
		return p.Kind != failover.Failed
	})
	if err != nil {
		return failover.Progress{Kind: failover.Malformed}
	}
	return p
}

// choicesKind is the most that any choice of a chunk means.
func choicesKind(choices failover.RawJSON) failover.ProgressKind {
	kind := failover.Lifecycle
	if !choices.IsArray() {
		return kind
	}
	_ = failover.EachElement(choices, func(choice failover.RawJSON) bool {
		if choice.IsObject() {
			kind = max(kind, choiceKind(choice))
		}
		return true
	})
	return kind
}

// choiceKind reads one choice. The kinds it returns rise in the order
// Lifecycle, Content, Ending, Failed.
func choiceKind(choice failover.RawJSON) failover.ProgressKind {
	kind := failover.Lifecycle
	_ = failover.EachMember(choice, func(name []byte, value failover.RawJSON) bool {
		switch string(name) {
		case "finish_reason":
			switch {
			case string(value) == `"error"`:
				kind = failover.Failed
			case value.IsString() && !value.IsEmptyString():
				kind = max(kind, failover.Ending)
			}
		case "delta":
			if value.IsObject() && carries(value) {
				kind = max(kind, failover.Content)
			}
		}
		return true
	})
	return kind
}

// carries reports whether a delta or a message holds a payload.
func carries(delta failover.RawJSON) bool {
	found := false
	_ = failover.EachMember(delta, func(name []byte, value failover.RawJSON) bool {
		switch string(name) {
		case "content", "refusal", "reasoning_content", "reasoning", "tool_calls", "function_call", "audio":
			found = !openai.Empty(value)
		}
		return !found
	})
	return found
}

// CheckAnswer accepts a body with a choice that has content or a finish
// reason.
func (Format) CheckAnswer(body []byte) (failover.Usage, bool) {
	var u failover.Usage
	answered, failed := false, false
	ok := openai.Object(body, func(name []byte, value failover.RawJSON) {
		switch string(name) {
		case "usage":
			u = openai.Usage(value)
		case "choices":
			answered, failed = checkChoices(value)
		}
	})
	return u, ok && answered && !failed
}

func checkChoices(choices failover.RawJSON) (answered, failed bool) {
	if !choices.IsArray() {
		return false, false
	}
	_ = failover.EachElement(choices, func(choice failover.RawJSON) bool {
		reason := choice.Member("finish_reason")
		failed = failed || reason.Text() == "error"
		message := choice.Member("message")
		answered = answered || reason.Text() != "" || message.IsObject() && carries(message)
		return true
	})
	return answered, failed
}

// ErrorBody writes OpenAI's error object.
func (Format) ErrorBody(e failover.AppError) []byte { return openai.ErrorBody(e) }

// ErrorEvent writes the error object as a data-only event, after which no
// [DONE] may follow.
func (Format) ErrorEvent(e failover.AppError) []byte {
	return wire.AppendEvent(nil, "", openai.ErrorBody(e))
}

// Closing returns the [DONE] that some servers leave out.
func (Format) Closing() []byte { return []byte("data: [DONE]\n\n") }
