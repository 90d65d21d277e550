package messages

import (
	"bytes"
	"slices"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
)

// streamDecoder reads the stream of a message.
type streamDecoder struct {
	started, ended bool
	calls          int               // calls so far
	open           map[int]*openCall // by index of the block
	text           neutral.Joiner
	counts         rawCounts
	finish         neutral.Finish
	filled         bool // some content has come
}

// openCall is a call whose block is not closed yet.
type openCall struct {
	ordinal int
	input   string // what came with the start of the block
	joiner  neutral.Joiner
}

// NewStreamDecoder starts reading a stream.
func NewStreamDecoder() neutral.StreamDecoder { return &streamDecoder{open: map[int]*openCall{}} }

// Decode implements neutral.StreamDecoder.
func (d *streamDecoder) Decode(dst []neutral.Event, ev failover.Event) ([]neutral.Event, failover.ProgressKind) {
	kind := Format{}.Progress(ev).Kind
	if kind == failover.Failed || kind == failover.Malformed {
		return dst, kind
	}
	data := bytes.TrimSpace(ev.Data)
	if d.ended || len(data) == 0 || data[0] != '{' {
		return dst, failover.Lifecycle
	}
	e, err := readEvent(data)
	if err != nil {
		return dst, failover.Malformed
	}
	name := e.typ.Text()
	if name == "" {
		name = string(ev.Name)
	}
	switch name {
	case "message_start":
		dst = d.start(dst, e.message)
	case "content_block_start":
		dst = d.blockStart(dst, blockIndex(data), e.block)
	case "content_block_delta":
		dst = d.blockDelta(dst, blockIndex(data), e.delta)
	case "content_block_stop":
		dst = d.blockStop(dst, blockIndex(data))
	case "message_delta":
		if reason := reasonOf(e.delta.Member("stop_reason").Text()); reason != neutral.Unfinished {
			d.finish.Reason = reason
			d.finish.Explanation = e.delta.Member("stop_details").Member("explanation").Text()
		}
		dst = d.usage(dst, e.usage)
	case "message_stop":
		if !d.filled && d.finish.Reason == neutral.Unfinished {
			return dst, failover.Failed // nothing was said, and no reason given
		}
		dst = d.stop(dst)
	}
	return dst, failover.Lifecycle
}

func blockIndex(data []byte) int {
	n, _ := failover.RawJSON(data).Member("index").Int()
	return int(n)
}

func (d *streamDecoder) start(dst []neutral.Event, message failover.RawJSON) []neutral.Event {
	if d.started {
		return dst
	}
	d.started = true
	dst = append(dst, neutral.Event{
		Kind: neutral.Start, ID: message.Member("id").Text(), Model: message.Member("model").Text(),
	})
	return d.usage(dst, message.Member("usage"))
}

// begin makes up for a message_start that never came.
func (d *streamDecoder) begin(dst []neutral.Event) []neutral.Event { return d.start(dst, nil) }

func (d *streamDecoder) usage(dst []neutral.Event, v failover.RawJSON) []neutral.Event {
	if !v.IsObject() {
		return dst
	}
	d.counts.merge(v)
	return append(dst, neutral.Event{Kind: neutral.UsageKnown, Usage: d.counts.usage()})
}

func (d *streamDecoder) blockStart(dst []neutral.Event, index int, block failover.RawJSON) []neutral.Event {
	switch block.Member("type").Text() {
	case "text":
		if text := block.Member("text").Text(); text != "" {
			dst = append(d.begin(dst), neutral.Event{Kind: neutral.TextDelta, Text: text})
			d.filled = true
		}
	case "tool_use":
		dst = d.blockStop(d.begin(dst), index)
		call := d.calls
		d.calls++
		d.filled = true
		// Some servers give the whole input here. Deltas, where they come, replace
		// it, as they do in the official SDKs.
		open := &openCall{ordinal: call}
		if input := neutral.Compact(block.Member("input")); len(input) > 2 && input[0] == '{' {
			open.input = string(input)
		}
		d.open[index] = open
		dst = append(dst, neutral.Event{
			Kind: neutral.CallStart, Call: call, ID: block.Member("id").Text(), Name: block.Member("name").Text(),
		})
	}
	return dst
}

func (d *streamDecoder) blockDelta(dst []neutral.Event, index int, delta failover.RawJSON) []neutral.Event {
	switch delta.Member("type").Text() {
	case "text_delta":
		if text := d.text.Text(delta.Member("text")); text != "" {
			dst = append(d.begin(dst), neutral.Event{Kind: neutral.TextDelta, Text: text})
			d.filled = true
		}
	case "input_json_delta":
		call, ok := d.open[index]
		if !ok {
			return dst
		}
		if part := call.joiner.Text(delta.Member("partial_json")); part != "" {
			call.input = ""
			dst = append(dst, neutral.Event{Kind: neutral.CallDelta, Call: call.ordinal, Text: part})
		}
	}
	return dst
}

func (d *streamDecoder) blockStop(dst []neutral.Event, index int) []neutral.Event {
	if text := d.text.Rest(); text != "" {
		dst = append(d.begin(dst), neutral.Event{Kind: neutral.TextDelta, Text: text})
	}
	if call, ok := d.open[index]; ok {
		delete(d.open, index)
		if text := call.input + call.joiner.Rest(); text != "" {
			dst = append(dst, neutral.Event{Kind: neutral.CallDelta, Call: call.ordinal, Text: text})
		}
		dst = append(dst, neutral.Event{Kind: neutral.CallEnd, Call: call.ordinal})
	}
	return dst
}

func (d *streamDecoder) stop(dst []neutral.Event) []neutral.Event {
	dst = d.blockStop(d.begin(dst), -1)
	indices := make([]int, 0, len(d.open))
	for index := range d.open {
		indices = append(indices, index)
	}
	slices.Sort(indices)
	for _, index := range indices {
		dst = d.blockStop(dst, index)
	}
	d.ended = true
	return append(dst, neutral.Event{Kind: neutral.Done, Finish: d.finish.Settle(d.calls > 0, false)})
}

// End implements neutral.StreamDecoder. A stream without message_stop was cut.
func (d *streamDecoder) End(dst []neutral.Event) ([]neutral.Event, bool) { return dst, d.ended }
