package chat

import (
	"bytes"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
)

// streamDecoder reads chunks.
type streamDecoder struct {
	started, ended  bool
	filled, refused bool
	text, refusal   neutral.Joiner
	calls           []*streamCall
	hollow          *streamCall // the last call, if its arguments are {} so far
	finish          neutral.Finish
}

// NewStreamDecoder starts reading a stream.
func NewStreamDecoder() neutral.StreamDecoder { return &streamDecoder{} }

// chunk holds the members of one chunk that count. Choices other than the
// first cannot occur: one was asked for.
type chunk struct {
	id, model, usage, choice failover.RawJSON
}

func readChunk(data []byte) (c chunk, err error) {
	err = failover.EachMember(data, func(name []byte, v failover.RawJSON) bool {
		switch string(name) {
		case "id":
			c.id = v
		case "model":
			c.model = v
		case "usage":
			c.usage = v
		case "choices":
			_ = failover.EachElement(v, func(choice failover.RawJSON) bool {
				if index, ok := choice.Member("index").Int(); c.choice == nil && (!ok || index == 0) {
					c.choice = choice
				}
				return true
			})
		}
		return true
	})
	return c, err
}

// Decode implements neutral.StreamDecoder.
func (d *streamDecoder) Decode(dst []neutral.Event, ev failover.Event) ([]neutral.Event, failover.ProgressKind) {
	kind := Format{}.Progress(ev).Kind
	data := bytes.TrimSpace(ev.Data)
	switch {
	case kind == failover.Failed || kind == failover.Malformed:
		return dst, kind
	case kind == failover.Finished:
		out, ok := d.stop(dst, d.filled)
		if !ok {
			return dst, failover.Failed
		}
		return out, failover.Lifecycle
	case d.ended || len(data) == 0:
		return dst, failover.Lifecycle
	}
	c, err := readChunk(data)
	if err != nil {
		return dst, failover.Malformed
	}
	before := len(dst)
	if c.choice.IsObject() {
		var ok bool
		if dst, ok = d.choice(dst, c); !ok {
			return dst[:before], failover.Failed
		}
	}
	if c.usage.IsObject() {
		dst = append(dst, neutral.Event{Kind: neutral.UsageKnown, Usage: usageOf(c.usage)})
	}
	return dst, failover.Lifecycle
}

// choice reads the choice of a chunk. It reports false for what would corrupt a
// tool call.
func (d *streamDecoder) choice(dst []neutral.Event, c chunk) ([]neutral.Event, bool) {
	if !d.started {
		d.started = true
		dst = append(dst, neutral.Event{Kind: neutral.Start, ID: c.id.Text(), Model: c.model.Text()})
	}
	delta := c.choice.Member("delta")
	if text := d.content(delta.Member("content")); text != "" {
		d.filled = true
		dst = append(d.endHollow(dst), neutral.Event{Kind: neutral.TextDelta, Text: text})
	}
	if text := d.refusal.Text(delta.Member("refusal")); text != "" {
		d.filled, d.refused = true, true
		dst = append(dst, neutral.Event{Kind: neutral.RefusalDelta, Text: text})
	}
	ok := true
	_ = failover.EachElement(delta.Member("tool_calls"), func(v failover.RawJSON) bool {
		dst, ok = d.fragment(dst, readFragment(v))
		return ok
	})
	if f := delta.Member("function_call"); ok && f.IsObject() {
		dst, ok = d.fragment(dst, fragment{
			hasIndex: true, name: f.Member("name").Text(), arguments: f.Member("arguments"),
		})
	}
	if reason := reasonOf(c.choice.Member("finish_reason").Text()); reason != neutral.Unfinished {
		d.finish.Reason = reason
	}
	return dst, ok
}

// content reads the text of a delta.
func (d *streamDecoder) content(v failover.RawJSON) string {
	if v.IsArray() {
		return contentText(v)
	}
	return d.text.Text(v)
}

// rest appends what waited for the second half of a character.
func (d *streamDecoder) rest(dst []neutral.Event) []neutral.Event {
	if text := d.text.Rest(); text != "" {
		dst = append(dst, neutral.Event{Kind: neutral.TextDelta, Text: text})
	}
	if text := d.refusal.Rest(); text != "" {
		dst = append(dst, neutral.Event{Kind: neutral.RefusalDelta, Text: text})
	}
	for i, c := range d.calls {
		if text := c.joiner.Rest(); text != "" && !c.ended {
			dst = append(dst, neutral.Event{Kind: neutral.CallDelta, Call: i, Text: text})
		}
	}
	return dst
}

// stop ends the answer. A provider that says [DONE] without a finish reason
// is believed where it sent an answer.
func (d *streamDecoder) stop(dst []neutral.Event, believe bool) ([]neutral.Event, bool) {
	if d.ended {
		return dst, true
	}
	if d.finish.Reason == neutral.Unfinished && !believe {
		return dst, false
	}
	for _, c := range d.calls {
		if c.name == "" {
			return dst, false // arguments for no tool
		}
	}
	dst = d.rest(dst)
	for i, c := range d.calls {
		if !c.ended {
			c.ended = true
			dst = append(dst, neutral.Event{Kind: neutral.CallEnd, Call: i})
		}
	}
	d.ended = true
	return append(dst, neutral.Event{Kind: neutral.Done, Finish: d.finish.Settle(len(d.calls) > 0, d.refused)}), true
}

// End implements neutral.StreamDecoder. A finish reason makes a stream
// complete, since some servers leave [DONE] out.
func (d *streamDecoder) End(dst []neutral.Event) ([]neutral.Event, bool) { return d.stop(dst, false) }
