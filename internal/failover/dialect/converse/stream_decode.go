package converse

import (
	"bytes"
	"slices"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
)

// streamDecoder reads the stream of an answer.
type streamDecoder struct {
	started, stopped, ended bool
	counted                 bool              // the counts have come
	calls                   int               // calls so far
	open                    map[int]*openCall // by index of the block
	text                    neutral.Joiner
	finish                  neutral.Finish
}

// openCall is a call whose block is not closed yet.
type openCall struct {
	ordinal int
	joiner  neutral.Joiner
}

// NewStreamDecoder starts reading a stream.
func NewStreamDecoder() neutral.StreamDecoder { return &streamDecoder{open: map[int]*openCall{}} }

// Decode implements neutral.StreamDecoder. The answer is complete once both its
// reason and its counts have come, or at the stream's proper end, see End.
func (d *streamDecoder) Decode(dst []neutral.Event, ev failover.Event) ([]neutral.Event, failover.ProgressKind) {
	kind := Format{}.Progress(ev).Kind
	if kind == failover.Failed || kind == failover.Malformed {
		return dst, kind
	}
	v := failover.RawJSON(bytes.TrimSpace(ev.Data))
	if d.ended || !v.IsObject() {
		return dst, failover.Lifecycle
	}
	index, _ := v.Member("contentBlockIndex").Int()
	switch string(ev.Name) {
	case "messageStart":
		dst = d.begin(dst)
	case "contentBlockStart":
		dst = d.blockStart(dst, int(index), v.Member("start").Member("toolUse"))
	case "contentBlockDelta":
		dst = d.blockDelta(dst, int(index), v.Member("delta"))
	case "contentBlockStop":
		dst = d.blockStop(dst, int(index))
	case "messageStop":
		d.stopped = true
		d.finish.Reason = reasonOf(v.Member("stopReason").Text())
	case "metadata":
		if usage := usageOf(v.Member("usage")); usage.Known {
			dst = append(d.begin(dst), neutral.Event{Kind: neutral.UsageKnown, Usage: usage})
		}
		d.counted = true
	}
	if d.stopped && d.counted {
		dst = d.stop(dst)
	}
	return dst, failover.Lifecycle
}

// begin starts the answer, which has neither an id nor a model here.
func (d *streamDecoder) begin(dst []neutral.Event) []neutral.Event {
	if d.started {
		return dst
	}
	d.started = true
	return append(dst, neutral.Event{Kind: neutral.Start})
}

func (d *streamDecoder) blockStart(dst []neutral.Event, index int, call failover.RawJSON) []neutral.Event {
	if !call.IsObject() {
		return dst
	}
	dst = d.blockStop(d.begin(dst), index)
	d.open[index] = &openCall{ordinal: d.calls}
	dst = append(dst, neutral.Event{
		Kind: neutral.CallStart, Call: d.calls, ID: call.Member("toolUseId").Text(), Name: call.Member("name").Text(),
	})
	d.calls++
	return dst
}

func (d *streamDecoder) blockDelta(dst []neutral.Event, index int, delta failover.RawJSON) []neutral.Event {
	if text := d.text.Text(delta.Member("text")); text != "" {
		dst = append(d.begin(dst), neutral.Event{Kind: neutral.TextDelta, Text: text})
	}
	call, ok := d.open[index]
	if !ok {
		return dst
	}
	if part := call.joiner.Text(delta.Member("toolUse").Member("input")); part != "" {
		dst = append(dst, neutral.Event{Kind: neutral.CallDelta, Call: call.ordinal, Text: part})
	}
	return dst
}

func (d *streamDecoder) blockStop(dst []neutral.Event, index int) []neutral.Event {
	if text := d.text.Rest(); text != "" {
		dst = append(d.begin(dst), neutral.Event{Kind: neutral.TextDelta, Text: text})
	}
	call, ok := d.open[index]
	if !ok {
		return dst
	}
	delete(d.open, index)
	if text := call.joiner.Rest(); text != "" {
		dst = append(dst, neutral.Event{Kind: neutral.CallDelta, Call: call.ordinal, Text: text})
	}
	return append(dst, neutral.Event{Kind: neutral.CallEnd, Call: call.ordinal})
}

const noBlock = -1

func (d *streamDecoder) stop(dst []neutral.Event) []neutral.Event {
	dst = d.blockStop(d.begin(dst), noBlock)
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

// End implements neutral.StreamDecoder. An answer whose reason has come is
// complete without its counts; one without a reason was cut.
func (d *streamDecoder) End(dst []neutral.Event) ([]neutral.Event, bool) {
	if d.stopped && !d.ended {
		dst = d.stop(dst)
	}
	return dst, d.ended
}
