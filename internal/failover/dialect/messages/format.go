// Package messages is the wire format of Anthropic Messages: what its streams
// and answers mean (Format), and the way from and to the neutral form.
package messages

import (
	"bytes"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/wire"
)

// Format implements failover.Format.
type Format struct{}

// Dialect returns AnthropicMessages.
func (Format) Dialect() failover.Dialect { return failover.AnthropicMessages }

// rawEvent holds the members of an event that decide what it means.
type rawEvent struct {
	typ, delta, block, message, usage, err failover.RawJSON
}

func readEvent(data []byte) (e rawEvent, err error) {
	err = failover.EachMember(data, func(name []byte, value failover.RawJSON) bool {
		switch string(name) {
		case "type":
			e.typ = value
		case "delta":
			e.delta = value
		case "content_block":
			e.block = value
		case "message":
			e.message = value
		case "usage":
			e.usage = value
		case "error":
			e.err = value
		}
		return true
	})
	return e, err
}

// Progress tells what one event means. The type inside the data decides; the
// event's own name is the fallback.
func (Format) Progress(ev failover.Event) failover.Progress {
	data := bytes.TrimSpace(ev.Data)
	switch {
	case string(ev.Name) == "error":
		return failover.Progress{Kind: failover.Failed}
	case len(data) == 0, string(data) == "[DONE]":
		return failover.Progress{Kind: failover.Lifecycle}
	}
	e, err := readEvent(data)
	if err != nil {
		return failover.Progress{Kind: failover.Malformed}
	}
	if e.err.Present() {
		return failover.Progress{Kind: failover.Failed}
	}
	name := ev.Name
	if e.typ.IsString() && len(e.typ) > 2 {
		name = e.typ[1 : len(e.typ)-1]
	}
	switch string(name) {
	case "error":
		return failover.Progress{Kind: failover.Failed}
	case "message_start":
		return failover.Progress{Kind: failover.Lifecycle, Usage: usageOf(e.message.Member("usage"))}
	case "content_block_start":
		return failover.Progress{Kind: blockKind(e.block)}
	case "content_block_delta":
		return failover.Progress{Kind: deltaKind(e.delta)}
	case "message_delta":
		p := failover.Progress{Kind: failover.Lifecycle, Usage: usageOf(e.usage)}
		if e.delta.Member("stop_reason").Present() {
			p.Kind = failover.Ending
		}
		return p
	case "message_stop":
		return failover.Progress{Kind: failover.Finished}
	}
	return failover.Progress{Kind: failover.Lifecycle}
}

// blockKind tells whether the start of a block is a payload: text and thinking
// start empty and mean nothing yet, any other block says what it is.
func blockKind(block failover.RawJSON) failover.ProgressKind {
	if !block.IsObject() {
		return failover.Lifecycle
	}
	kind := failover.Content
	filled := false
	_ = failover.EachMember(block, func(name []byte, value failover.RawJSON) bool {
		switch string(name) {
		case "type":
			if string(value) == `"text"` || string(value) == `"thinking"` {
				kind = failover.Lifecycle
			}
		case "text", "thinking", "signature":
			filled = filled || value.Present() && !value.IsEmptyString()
		}
		return true
	})
	if filled {
		return failover.Content
	}
	return kind
}

func deltaKind(delta failover.RawJSON) failover.ProgressKind {
	kind := failover.Lifecycle
	if !delta.IsObject() {
		return kind
	}
	_ = failover.EachMember(delta, func(name []byte, value failover.RawJSON) bool {
		switch string(name) {
		case "text", "thinking", "partial_json", "signature", "citation":
			if value.Present() && !value.IsEmptyString() {
				kind = failover.Content
			}
		}
		return kind == failover.Lifecycle
	})
	return kind
}

// usageOf reads a usage object. Anthropic counts cached tokens apart from
// input_tokens; ours includes them.
func usageOf(v failover.RawJSON) failover.Usage {
	var u failover.Usage
	if !v.IsObject() {
		return u
	}
	_ = failover.EachMember(v, func(name []byte, value failover.RawJSON) bool {
		n, _ := value.Int()
		switch string(name) {
		case "input_tokens", "cache_creation_input_tokens":
			u.Input += n
		case "cache_read_input_tokens":
			u.Input += n
			u.CachedInput = n
		case "output_tokens":
			u.Output = n
		}
		return true
	})
	return u
}

// CheckAnswer accepts a message with content or a stop reason, and the answer
// of count_tokens.
func (Format) CheckAnswer(body []byte) (failover.Usage, bool) {
	var u failover.Usage
	if !failover.ValidJSON(body) {
		return u, false
	}
	answered, failed := false, false
	err := failover.EachMember(body, func(name []byte, value failover.RawJSON) bool {
		switch string(name) {
		case "error":
			failed = failed || value.Present()
		case "type":
			failed = failed || value.Text() == "error"
		case "content":
			answered = answered || hasElement(value)
		case "stop_reason":
			answered = answered || value.Text() != ""
		case "input_tokens":
			_, isCount := value.Int()
			answered = answered || isCount
		case "usage":
			u = usageOf(value)
		}
		return true
	})
	return u, err == nil && answered && !failed
}

func hasElement(v failover.RawJSON) bool {
	found := false
	if v.IsArray() {
		_ = failover.EachElement(v, func(failover.RawJSON) bool { found = true; return false })
	}
	return found
}

// ErrorEvent writes the error as a named event, the only form that the
// official SDKs notice.
func (f Format) ErrorEvent(e failover.AppError) []byte {
	return wire.AppendEvent(nil, "error", f.ErrorBody(e))
}

// Closing returns nil: a stream without message_stop is truncated.
func (Format) Closing() []byte { return nil }
