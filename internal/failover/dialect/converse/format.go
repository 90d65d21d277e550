// Package converse is the wire format of Amazon Bedrock's Converse: what its
// streams and answers mean (Format), and the way from the neutral form and back.
// Entries speak it, no app does. The frames of its streams arrive here as
// server-sent events, named after the type of the event or "exception".
package converse

import (
	"bytes"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
	"github.com/understudy-dev/understudy/internal/failover/dialect/wire"
)

// Format implements failover.Format.
type Format struct{}

// Dialect returns BedrockConverse.
func (Format) Dialect() failover.Dialect { return failover.BedrockConverse }

// Progress tells what one event means. The counts come behind the reason of the
// end, and are the last event.
func (Format) Progress(ev failover.Event) failover.Progress {
	name, data := string(ev.Name), bytes.TrimSpace(ev.Data)
	if name == "exception" || name == "error" {
		return failover.Progress{Kind: failover.Failed}
	}
	if len(data) == 0 {
		return failover.Progress{Kind: failover.Lifecycle}
	}
	v := failover.RawJSON(data)
	if !v.IsObject() || !failover.ValidJSON(v) {
		return failover.Progress{Kind: failover.Malformed}
	}
	switch name {
	case "contentBlockStart":
		if v.Member("start").Member("toolUse").IsObject() {
			return failover.Progress{Kind: failover.Content}
		}
	case "contentBlockDelta":
		if filled(v.Member("delta")) {
			return failover.Progress{Kind: failover.Content}
		}
	case "messageStop":
		if broken(v.Member("stopReason").Text()) {
			return failover.Progress{Kind: failover.Failed}
		}
		return failover.Progress{Kind: failover.Ending}
	case "metadata":
		return failover.Progress{Kind: failover.Finished, Usage: usageOf(v.Member("usage")).Count()}
	}
	return failover.Progress{Kind: failover.Lifecycle}
}

// filled reports whether a delta carries anything.
func filled(delta failover.RawJSON) bool {
	reasoning := delta.Member("reasoningContent")
	for _, v := range []failover.RawJSON{
		delta.Member("text"), delta.Member("toolUse").Member("input"), delta.Member("citation"),
		reasoning.Member("text"), reasoning.Member("signature"), reasoning.Member("redactedContent"),
	} {
		if v.Present() && !v.IsEmptyString() {
			return true
		}
	}
	return false
}

// broken reports the reasons that are a fault of the model and no answer.
func broken(stop string) bool {
	return stop == "malformed_model_output" || stop == "malformed_tool_use"
}

// reasonOf maps the stop reasons; one that is unknown counts as an ordinary
// end, and never as a fault.
func reasonOf(stop string) neutral.Reason {
	switch stop {
	case "":
		return neutral.Unfinished
	case "max_tokens", "model_context_window_exceeded":
		return neutral.Length
	case "content_filtered", "guardrail_intervened":
		return neutral.Filtered
	case "tool_use":
		return neutral.ToolCalls
	}
	return neutral.Stopped
}

// usageOf reads the counts. Bedrock counts cached tokens apart from the input;
// the neutral form includes them.
func usageOf(v failover.RawJSON) neutral.Usage {
	if !v.IsObject() {
		return neutral.Usage{}
	}
	count := func(name string) int64 {
		n, _ := v.Member(name).Int()
		return max(n, 0)
	}
	read, written := count("cacheReadInputTokens"), count("cacheWriteInputTokens")
	return neutral.Usage{
		Known: true, Input: count("inputTokens") + read + written, CacheRead: read, CacheWrite: written,
		Output: count("outputTokens"),
	}
}

// CheckAnswer accepts an answer with content or a reason why it has none.
func (Format) CheckAnswer(body []byte) (failover.Usage, bool) {
	v := failover.RawJSON(bytes.TrimSpace(body))
	if !v.IsObject() || !failover.ValidJSON(v) {
		return failover.Usage{}, false
	}
	stop := v.Member("stopReason").Text()
	content := v.Member("output").Member("message").Member("content")
	if broken(stop) || stop == "" && !hasElement(content) {
		return failover.Usage{}, false
	}
	return usageOf(v.Member("usage")).Count(), true
}

func hasElement(v failover.RawJSON) bool {
	found := false
	if v.IsArray() {
		_ = failover.EachElement(v, func(failover.RawJSON) bool { found = true; return false })
	}
	return found
}

// ErrorBody writes Bedrock's error object, which is a message only.
func (Format) ErrorBody(e failover.AppError) []byte {
	var w wire.Writer
	w.Open('{').Key("message").Text(e.Message)
	wire.Providers(&w, e.Providers)
	w.Close('}')
	return w.Buf
}

// ErrorEvent writes the error as an exception.
func (f Format) ErrorEvent(e failover.AppError) []byte {
	return wire.AppendEvent(nil, "exception", f.ErrorBody(e))
}

// Closing returns nil: what a stream lacks is decided by its decoder.
func (Format) Closing() []byte { return nil }
