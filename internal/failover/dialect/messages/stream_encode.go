package messages

import (
	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
	"github.com/understudy-dev/understudy/internal/failover/dialect/wire"
)

// streamEncoder writes the events of a message. Blocks go out one at a time,
// since many clients cannot cope with overlapping ones: the first of the queue
// is open in the app's stream, the others gather what comes for them until
// their turn.
type streamEncoder struct {
	model    string
	sourceID string // the provider's id, from which ids of calls are minted
	begun    bool
	queue    []*block
	index    int64 // of the open block, or of the next one
	usage    neutral.Usage
}

// block is one content block that is not closed yet.
type block struct {
	call     int // ordinal; -1 for text
	id, name string
	started  bool
	complete bool
	held     []byte // text or arguments that were not sent yet
}

const isText = -1

// NewStreamEncoder starts writing a stream. The model is named where the
// provider names none. An Anthropic stream always has token counts.
func NewStreamEncoder(model string, _ bool) neutral.StreamEncoder {
	return &streamEncoder{model: model}
}

// Encode implements neutral.StreamEncoder.
func (e *streamEncoder) Encode(dst []byte, ev neutral.Event) ([]byte, bool) {
	if !e.begun && ev.Kind != neutral.UsageKnown {
		dst = e.start(dst, ev)
	}
	switch ev.Kind {
	case neutral.UsageKnown:
		e.usage = ev.Usage
	case neutral.TextDelta, neutral.RefusalDelta:
		b := e.textBlock()
		b.held = append(b.held, ev.Text...)
	case neutral.CallStart:
		e.queue = append(e.queue, &block{call: ev.Call, id: callID(ev.ID, e.sourceID, ev.Call), name: ev.Name})
	case neutral.CallDelta:
		if b := e.callBlock(ev.Call); b != nil {
			b.held = append(b.held, ev.Text...)
		}
	case neutral.CallEnd:
		if b := e.callBlock(ev.Call); b != nil {
			b.complete = true
		}
	case neutral.Done:
		for _, b := range e.queue {
			b.complete = true
		}
		dst, _ = e.flush(dst)
		return e.done(dst, ev.Finish), true
	}
	return e.flush(dst)
}

// textBlock returns the last block if text can be added to it, else a new one.
func (e *streamEncoder) textBlock() *block {
	if n := len(e.queue); n > 0 && e.queue[n-1].call == isText {
		return e.queue[n-1]
	}
	b := &block{call: isText}
	e.queue = append(e.queue, b)
	return b
}

func (e *streamEncoder) callBlock(call int) *block {
	for _, b := range e.queue {
		if b.call == call {
			return b
		}
	}
	return nil
}

// flush sends what may be sent: everything of the first block, and of those
// behind it as long as the ones before are complete. Text is complete as soon
// as something follows it.
func (e *streamEncoder) flush(dst []byte) (out []byte, payload bool) {
	for len(e.queue) > 0 {
		b := e.queue[0]
		if !b.started {
			b.started = true
			payload = payload || b.call != isText
			dst = e.blockStart(dst, b)
		}
		if len(b.held) > 0 {
			payload = true
			dst = e.blockDelta(dst, b)
			b.held = b.held[:0]
		}
		if !b.complete && (b.call != isText || len(e.queue) == 1) {
			break
		}
		dst = e.blockStop(dst)
		e.index++
		e.queue = e.queue[1:]
	}
	return dst, payload
}

func (e *streamEncoder) start(dst []byte, ev neutral.Event) []byte {
	e.begun = true
	if ev.Kind == neutral.Start {
		e.sourceID = ev.ID
		if ev.Model != "" {
			e.model = ev.Model
		}
	}
	w := wire.Writer{Buf: wire.OpenEvent(dst, "message_start")}
	w.Open('{').Key("type").Text("message_start").Key("message")
	openMessage(&w, e.sourceID, e.model)
	w.Key("content").Open('[').Close(']')
	w.Key("stop_reason").Null().Key("stop_sequence").Null().Key("stop_details").Null().Key("container").Null()
	w.Key("diagnostics").Null()
	w.Key("usage")
	writeUsage(&w, e.usage)
	w.Close('}').Close('}')
	return wire.CloseEvent(w.Buf)
}

// open begins an event about the open block.
func (e *streamEncoder) open(dst []byte, name string) *wire.Writer {
	w := &wire.Writer{Buf: wire.OpenEvent(dst, name)}
	return w.Open('{').Key("type").Text(name).Key("index").Int(e.index)
}

func (e *streamEncoder) blockStart(dst []byte, b *block) []byte {
	w := e.open(dst, "content_block_start").Key("content_block")
	if b.call == isText {
		w.Open('{').Key("type").Text("text").Key("text").Text("").Key("citations").Null().Close('}')
	} else {
		writeCall(w, b.id, b.name, []byte("{}"))
	}
	w.Close('}')
	return wire.CloseEvent(w.Buf)
}

func (e *streamEncoder) blockDelta(dst []byte, b *block) []byte {
	w := e.open(dst, "content_block_delta").Key("delta").Open('{')
	if b.call == isText {
		w.Key("type").Text("text_delta").Key("text").Text(string(b.held))
	} else {
		w.Key("type").Text("input_json_delta").Key("partial_json").Text(string(b.held))
	}
	w.Close('}').Close('}')
	return wire.CloseEvent(w.Buf)
}

func (e *streamEncoder) blockStop(dst []byte) []byte {
	w := e.open(dst, "content_block_stop").Close('}')
	return wire.CloseEvent(w.Buf)
}

// done writes the reason of the end with the final counts, which correct those
// of message_start, and the terminal event.
func (e *streamEncoder) done(dst []byte, f neutral.Finish) []byte {
	w := wire.Writer{Buf: wire.OpenEvent(dst, "message_delta")}
	w.Open('{').Key("type").Text("message_delta")
	w.Key("delta").Open('{')
	writeStop(&w, f)
	w.Close('}')
	w.Key("usage").Open('{')
	writeCounts(&w, e.usage)
	w.Close('}').Close('}')
	dst = wire.CloseEvent(w.Buf)
	return wire.AppendEvent(dst, "message_stop", []byte(`{"type":"message_stop"}`))
}
