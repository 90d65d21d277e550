package gemini

import (
	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
)

// streamDecoder reads the fragments of an answer. Calls come whole, each in
// one part, and are counted over all fragments.
type streamDecoder struct {
	reader
	started, ended bool
	calls          int
	finish         neutral.Finish
}

// NewStreamDecoder starts reading a stream.
func NewStreamDecoder() neutral.StreamDecoder { return &streamDecoder{} }

// Decode implements neutral.StreamDecoder. Some models give a reason with every
// fragment, so nothing ends before the body does.
func (d *streamDecoder) Decode(dst []neutral.Event, ev failover.Event) ([]neutral.Event, failover.ProgressKind) {
	r, kind := readEvent(ev)
	if kind == failover.Failed || kind == failover.Malformed {
		return dst, kind
	}
	if d.ended {
		return dst, failover.Lifecycle
	}
	blocks, err := d.parts(r)
	if err != nil {
		return dst, failover.Malformed
	}
	// The counts come first, so that the head of the app's stream can tell them.
	if r.usage.IsObject() {
		dst = append(dst, neutral.Event{Kind: neutral.UsageKnown, Usage: usageOf(r.usage)})
	}
	if !d.started && (r.candidate.IsObject() || kind == failover.Ending) {
		d.started = true
		dst = append(dst, neutral.Event{Kind: neutral.Start, ID: r.id.Text(), Model: r.model.Text()})
	}
	for _, b := range blocks {
		dst = d.block(dst, b)
	}
	if kind == failover.Ending {
		d.finish = r.finish()
	}
	return dst, failover.Lifecycle
}

func (d *streamDecoder) block(dst []neutral.Event, b neutral.Block) []neutral.Event {
	if b.Kind == neutral.Text {
		return append(dst, neutral.Event{Kind: neutral.TextDelta, Text: b.Text})
	}
	call := d.calls
	d.calls++
	dst = append(dst, neutral.Event{
		Kind: neutral.CallStart, Call: call, ID: b.Call.ID, Name: b.Call.Name, Signature: b.Call.Signature,
	})
	if b.Call.Arguments != "" {
		dst = append(dst, neutral.Event{Kind: neutral.CallDelta, Call: call, Text: b.Call.Arguments})
	}
	return append(dst, neutral.Event{Kind: neutral.CallEnd, Call: call})
}

// End implements neutral.StreamDecoder. There is no terminal event: a stream
// whose body ended properly after a reason is complete, any other was cut.
func (d *streamDecoder) End(dst []neutral.Event) ([]neutral.Event, bool) {
	if d.finish.Reason == neutral.Unfinished {
		return dst, false
	}
	if !d.ended {
		d.ended = true
		for _, b := range d.rest(nil) {
			dst = d.block(dst, b)
		}
		dst = append(dst, neutral.Event{Kind: neutral.Done, Finish: d.finish.Settle(d.calls > 0, false)})
	}
	return dst, true
}
