package responses

import (
	"bytes"
	"maps"
	"slices"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
	"github.com/understudy-dev/understudy/internal/failover/dialect/openai"
)

// streamDecoder reads the stream of a response.
type streamDecoder struct {
	started, ended bool
	filled         bool // some content has come
	refused        bool
	text, refusal  neutral.Joiner
	calls          int                 // so far
	open           map[int64]*openCall // by index of the item
}

// openCall is a call whose item is not done yet.
type openCall struct {
	ordinal int
	begun   bool // some arguments have come
	joiner  neutral.Joiner
}

// maxCalls is more than any answer has; a server that sends call after call
// without end must not keep us busy.
const maxCalls = 1024

// NewStreamDecoder starts reading a stream.
func NewStreamDecoder() neutral.StreamDecoder { return &streamDecoder{open: map[int64]*openCall{}} }

// Decode implements neutral.StreamDecoder.
func (d *streamDecoder) Decode(dst []neutral.Event, ev failover.Event) ([]neutral.Event, failover.ProgressKind) {
	kind := Format{}.Progress(ev).Kind
	if kind == failover.Failed || kind == failover.Malformed {
		return dst, kind
	}
	data := failover.RawJSON(bytes.TrimSpace(ev.Data))
	if d.ended || !data.IsObject() {
		return dst, failover.Lifecycle
	}
	name := data.Member("type").Text()
	if name == "" {
		name = string(ev.Name)
	}
	before := len(dst)
	dst, ok := d.event(dst, name, data)
	if !ok {
		return dst[:before], failover.Failed
	}
	return dst, failover.Lifecycle
}

// event reads one event. It reports false for what cannot be passed on.
func (d *streamDecoder) event(dst []neutral.Event, name string, data failover.RawJSON) ([]neutral.Event, bool) {
	index, _ := data.Member("output_index").Int()
	switch name {
	case "response.created", "response.in_progress":
		dst = d.start(dst, data.Member("response"))
	case "response.output_text.delta":
		dst = d.said(dst, neutral.TextDelta, d.text.Text(data.Member("delta")))
	case "response.refusal.delta":
		dst = d.said(dst, neutral.RefusalDelta, d.refusal.Text(data.Member("delta")))
	case "response.output_item.added":
		if item := data.Member("item"); item.Member("type").Text() == "function_call" {
			return d.callStart(dst, index, item)
		}
	case "response.function_call_arguments.delta":
		if c := d.open[index]; c != nil {
			dst = c.add(dst, c.joiner.Text(data.Member("delta")))
		}
	case "response.output_item.done":
		if item := data.Member("item"); item.Member("type").Text() == "function_call" {
			return d.callDone(dst, index, item)
		}
	case "response.completed", "response.incomplete":
		return d.done(dst, data.Member("response"))
	}
	return dst, true
}

func (d *streamDecoder) start(dst []neutral.Event, response failover.RawJSON) []neutral.Event {
	if d.started {
		return dst
	}
	d.started = true
	return append(dst, neutral.Event{Kind: neutral.Start, ID: response.Member("id").Text(), Model: response.Member("model").Text()})
}

func (d *streamDecoder) said(dst []neutral.Event, kind neutral.EventKind, text string) []neutral.Event {
	if text == "" {
		return dst
	}
	dst = d.start(dst, nil)
	d.filled = true
	d.refused = d.refused || kind == neutral.RefusalDelta
	return append(dst, neutral.Event{Kind: kind, Text: text})
}

func (d *streamDecoder) callStart(dst []neutral.Event, index int64, item failover.RawJSON) ([]neutral.Event, bool) {
	name := item.Member("name").Text()
	if d.open[index] != nil || d.calls == maxCalls || name == "" {
		return dst, false
	}
	dst = d.start(dst, nil)
	d.filled = true
	d.open[index] = &openCall{ordinal: d.calls}
	d.calls++
	return append(dst, neutral.Event{Kind: neutral.CallStart, Call: d.calls - 1, ID: item.Member("call_id").Text(), Name: name}), true
}

// add appends a fragment of the arguments.
func (c *openCall) add(dst []neutral.Event, text string) []neutral.Event {
	if text == "" {
		return dst
	}
	c.begun = true
	return append(dst, neutral.Event{Kind: neutral.CallDelta, Call: c.ordinal, Text: text})
}

// callDone ends a call. Its arguments are taken from the item where no
// fragment of them came.
func (d *streamDecoder) callDone(dst []neutral.Event, index int64, item failover.RawJSON) ([]neutral.Event, bool) {
	c := d.open[index]
	if c == nil {
		var ok bool
		if dst, ok = d.callStart(dst, index, item); !ok {
			return dst, false
		}
		c = d.open[index]
	}
	if !c.begun {
		dst = c.add(dst, openai.Arguments(item.Member("arguments")))
	}
	return d.callEnd(dst, index), true
}

func (d *streamDecoder) callEnd(dst []neutral.Event, index int64) []neutral.Event {
	c := d.open[index]
	delete(d.open, index)
	dst = c.add(dst, c.joiner.Rest())
	return append(dst, neutral.Event{Kind: neutral.CallEnd, Call: c.ordinal})
}

// done ends the answer. Where a server sent no piece of it, the last response
// has it whole.
func (d *streamDecoder) done(dst []neutral.Event, response failover.RawJSON) ([]neutral.Event, bool) {
	reason := reasonOf(response)
	if reason == neutral.Unfinished {
		return dst, false
	}
	dst = d.start(dst, response)
	ok := true
	if !d.filled {
		dst, ok = d.whole(dst, response.Member("output"))
	}
	dst = d.said(dst, neutral.TextDelta, d.text.Rest())
	dst = d.said(dst, neutral.RefusalDelta, d.refusal.Rest())
	for _, index := range slices.Sorted(maps.Keys(d.open)) {
		dst = d.callEnd(dst, index)
	}
	if u := usageOf(response.Member("usage")); u.Known {
		dst = append(dst, neutral.Event{Kind: neutral.UsageKnown, Usage: u})
	}
	d.ended = true
	f := neutral.Finish{Reason: reason}
	return append(dst, neutral.Event{Kind: neutral.Done, Finish: f.Settle(d.calls > 0, d.refused)}), ok
}

// whole reads the output of the last response.
func (d *streamDecoder) whole(dst []neutral.Event, output failover.RawJSON) ([]neutral.Event, bool) {
	ok, index := true, int64(0)
	_ = failover.EachElement(output, func(it failover.RawJSON) bool {
		switch it.Member("type").Text() {
		case "message":
			_ = failover.EachElement(it.Member("content"), func(part failover.RawJSON) bool {
				kind := neutral.TextDelta
				b, _ := partBlock(part)
				if b.Kind == neutral.Refusal {
					kind = neutral.RefusalDelta
				}
				dst = d.said(dst, kind, b.Text)
				return true
			})
		case "function_call":
			dst, ok = d.callDone(dst, index, it)
		}
		index++
		return ok
	})
	return dst, ok
}

// End implements neutral.StreamDecoder. A stream without a final response is
// cut.
func (d *streamDecoder) End(dst []neutral.Event) ([]neutral.Event, bool) { return dst, d.ended }
