package responses

import (
	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
	"github.com/understudy-dev/understudy/internal/failover/dialect/wire"
)

// streamEncoder writes the events of a response. Items go out one at a time,
// since clients put them together by their place in the output: the one at `at`
// is open in the app's stream, those behind it gather what comes for them until
// their turn.
type streamEncoder struct {
	response
	begun    bool
	sequence int64
	at       int // index of the open item, or of the next one
	w        wire.Writer
}

// NewStreamEncoder starts writing a stream. The model is named where the
// provider names none. A stream of Responses always has token counts.
func NewStreamEncoder(model string, _ bool) neutral.StreamEncoder {
	return &streamEncoder{response: response{model: model}}
}

// Encode implements neutral.StreamEncoder.
func (e *streamEncoder) Encode(dst []byte, ev neutral.Event) ([]byte, bool) {
	if !e.begun && ev.Kind != neutral.UsageKnown {
		dst = e.start(dst, ev)
	}
	switch ev.Kind {
	case neutral.UsageKnown:
		e.usage = ev.Usage
		return dst, false
	case neutral.TextDelta, neutral.RefusalDelta:
		e.addText(ev.Text, ev.Kind == neutral.RefusalDelta)
	case neutral.CallStart:
		e.addCall(ev.Call, ev.ID, ev.Name)
	case neutral.CallDelta:
		if it := e.callItem(ev.Call); it != nil {
			it.arguments = append(it.arguments, ev.Text...)
		}
	case neutral.CallEnd:
		if it := e.callItem(ev.Call); it != nil {
			it.end()
		}
	case neutral.Done:
		return e.done(dst, ev.Finish), true
	}
	return e.flush(dst)
}

// callItem finds the item of a call that is not closed yet.
func (e *streamEncoder) callItem(call int) *item {
	for _, it := range e.items[e.at:] {
		if it.isCall && it.call == call {
			return it
		}
	}
	return nil
}

// end settles a call whose arguments are all there: an app that parses them
// must not find nothing.
func (it *item) end() {
	if len(it.arguments) == 0 {
		it.arguments = []byte("{}")
	}
	it.complete = true
}

// flush sends what may be sent: everything of the open item, and of those
// behind it as long as the ones before are complete. A message is complete as
// soon as something follows it.
func (e *streamEncoder) flush(dst []byte) (out []byte, payload bool) {
	for e.at < len(e.items) {
		it := e.items[e.at]
		it.complete = it.complete || !it.isCall && e.at < len(e.items)-1
		if !it.opened {
			it.opened = true
			payload = payload || it.isCall
			dst = e.itemAdded(dst, it)
		}
		var sent bool
		if it.isCall {
			dst, sent = e.flushCall(dst, it)
		} else {
			dst, sent = e.flushMessage(dst, it)
		}
		payload = payload || sent
		if !it.complete {
			break
		}
		if it.status == inProgress {
			it.status = completed
		}
		w := e.open(dst, "response.output_item.done").Key("output_index").Int(int64(e.at)).Key("item")
		it.write(w)
		dst = e.shut()
		e.at++
	}
	return dst, payload
}

func (e *streamEncoder) flushCall(dst []byte, it *item) (out []byte, sent bool) {
	if it.sent < len(it.arguments) {
		sent = true
		e.openItem(dst, "response.function_call_arguments.delta", it).Key("delta").Text(string(it.arguments[it.sent:]))
		dst = e.shut()
		it.sent = len(it.arguments)
	}
	if it.complete {
		e.openItem(dst, "response.function_call_arguments.done", it).Key("name").Text(it.name).
			Key("arguments").Text(string(it.arguments))
		dst = e.shut()
	}
	return dst, sent
}

func (e *streamEncoder) flushMessage(dst []byte, it *item) (out []byte, sent bool) {
	for i, p := range it.parts {
		last := i == len(it.parts)-1
		if p.closed {
			continue
		}
		var wrote bool
		dst, wrote = e.flushPart(dst, it, i)
		sent = sent || wrote
		if !last || it.complete {
			p.closed = true
			dst = e.partDone(dst, it, i)
		}
	}
	return dst, sent
}

// flushPart opens a part and sends what it holds.
func (e *streamEncoder) flushPart(dst []byte, it *item, i int) (out []byte, sent bool) {
	p := it.parts[i]
	if !p.opened {
		p.opened = true
		w := e.openPart(dst, "response.content_part.added", it, i).Key("part")
		p.write(w, "")
		dst = e.shut()
	}
	if p.sent == len(p.text) {
		return dst, false
	}
	name := "response.output_text.delta"
	if p.refusal {
		name = "response.refusal.delta"
	}
	w := e.openPart(dst, name, it, i).Key("delta").Text(string(p.text[p.sent:]))
	if !p.refusal {
		w.Key("logprobs").Open('[').Close(']')
	}
	p.sent = len(p.text)
	return e.shut(), true
}

func (e *streamEncoder) partDone(dst []byte, it *item, i int) []byte {
	p := it.parts[i]
	if p.refusal {
		e.openPart(dst, "response.refusal.done", it, i).Key("refusal").Text(string(p.text))
	} else {
		e.openPart(dst, "response.output_text.done", it, i).Key("text").Text(string(p.text)).
			Key("logprobs").Open('[').Close(']')
	}
	dst = e.shut()
	w := e.openPart(dst, "response.content_part.done", it, i).Key("part")
	p.write(w, string(p.text))
	return e.shut()
}

// start writes the two events that begin a stream.
func (e *streamEncoder) start(dst []byte, ev neutral.Event) []byte {
	e.begun = true
	id, model, usage := "", e.model, e.usage
	if ev.Kind == neutral.Start {
		id = ev.ID
	}
	if ev.Model != "" {
		model = ev.Model
	}
	e.response = newResponse(id, model, ev.Echo)
	e.usage = usage
	for _, name := range []string{"response.created", "response.in_progress"} {
		w := e.open(dst, name).Key("response")
		e.write(w, inProgress, neutral.Finish{}, nil)
		dst = e.shut()
	}
	return dst
}

// done closes what is open and writes the final response.
func (e *streamEncoder) done(dst []byte, f neutral.Finish) []byte {
	if f.Explanation != "" {
		e.addText(f.Explanation, true)
	}
	status := statusOf(f)
	for i, it := range e.items[e.at:] {
		if status == incomplete && !it.complete && e.at+i == len(e.items)-1 {
			it.status = incomplete // it was being written when the answer was cut
		}
		it.complete = true
	}
	dst, _ = e.flush(dst)
	w := e.open(dst, "response."+status).Key("response")
	e.write(w, status, f, nil)
	return e.shut()
}

// Fail implements neutral.Failer. The open item is shown as far as it came; of
// those behind it the app knows nothing.
func (e *streamEncoder) Fail(dst []byte, err failover.AppError) []byte {
	if !e.begun {
		dst = e.start(dst, neutral.Event{})
	}
	if e.at < len(e.items) {
		e.items = e.items[:e.at+1]
		e.items[e.at].status = incomplete
	}
	w := e.open(dst, "response.failed").Key("response")
	e.write(w, failed, neutral.Finish{}, &err)
	return e.shut()
}

func (e *streamEncoder) itemAdded(dst []byte, it *item) []byte {
	w := e.open(dst, "response.output_item.added").Key("output_index").Int(int64(e.at)).Key("item")
	empty := *it
	empty.status, empty.parts, empty.arguments = inProgress, nil, nil
	empty.write(w)
	return e.shut()
}

// open begins an event; shut ends it.
func (e *streamEncoder) open(dst []byte, name string) *wire.Writer {
	e.w = wire.Writer{Buf: wire.OpenEvent(dst, name)}
	e.w.Open('{').Key("type").Text(name).Key("sequence_number").Int(e.sequence)
	e.sequence++
	return &e.w
}

func (e *streamEncoder) shut() []byte {
	e.w.Close('}')
	return wire.CloseEvent(e.w.Buf)
}

// openItem begins an event about the open item.
func (e *streamEncoder) openItem(dst []byte, name string, it *item) *wire.Writer {
	return e.open(dst, name).Key("item_id").Text(it.id).Key("output_index").Int(int64(e.at))
}

// openPart begins an event about a part of the open item.
func (e *streamEncoder) openPart(dst []byte, name string, it *item, part int) *wire.Writer {
	return e.openItem(dst, name, it).Key("content_index").Int(int64(part))
}
