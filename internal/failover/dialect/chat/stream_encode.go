package chat

import (
	"time"

	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
	"github.com/understudy-dev/understudy/internal/failover/dialect/wire"
)

// streamEncoder writes chunks.
type streamEncoder struct {
	withUsage bool // the app asked for token counts
	id, model string
	sourceID  string // the provider's id, from which ids of calls are minted
	created   int64
	begun     bool
	empty     map[int]bool // open calls that got no arguments yet
	usage     neutral.Usage
	w         wire.Writer
}

// NewStreamEncoder starts writing a stream for an app that did, or did not,
// ask for token counts at its end. The model is named where the provider names
// none.
func NewStreamEncoder(model string, withUsage bool) neutral.StreamEncoder {
	return &streamEncoder{model: model, withUsage: withUsage, empty: map[int]bool{}}
}

// Encode implements neutral.StreamEncoder.
func (e *streamEncoder) Encode(dst []byte, ev neutral.Event) ([]byte, bool) {
	switch ev.Kind {
	case neutral.Start:
		return e.start(dst, ev), false
	case neutral.UsageKnown:
		e.usage = ev.Usage
		return dst, false
	case neutral.TextDelta:
		return e.delta(dst, func(w *wire.Writer) { w.Key("content").Text(ev.Text) }), true
	case neutral.RefusalDelta:
		return e.delta(dst, func(w *wire.Writer) { w.Key("refusal").Text(ev.Text) }), true
	case neutral.CallStart:
		e.empty[ev.Call] = true
		return e.callStart(dst, ev), true
	case neutral.CallDelta:
		delete(e.empty, ev.Call)
		return e.arguments(dst, ev.Call, ev.Text), true
	case neutral.CallEnd:
		if !e.empty[ev.Call] {
			return dst, false
		}
		delete(e.empty, ev.Call)
		return e.arguments(dst, ev.Call, "{}"), true
	case neutral.Done:
		return e.done(dst, ev.Finish), true
	}
	return dst, false
}

func (e *streamEncoder) start(dst []byte, ev neutral.Event) []byte {
	if e.begun {
		return dst
	}
	e.begun = true
	e.sourceID = ev.ID
	e.id = neutral.AnswerID(idPrefix, ev.ID)
	e.created = time.Now().Unix()
	if ev.Model != "" {
		e.model = ev.Model
	}
	return e.delta(dst, func(w *wire.Writer) { w.Key("role").Text("assistant").Key("content").Text("") })
}

// open begins a chunk up to its choices.
func (e *streamEncoder) open(dst []byte) *wire.Writer {
	if !e.begun {
		dst = e.start(dst, neutral.Event{})
	}
	e.w = wire.Writer{Buf: wire.OpenEvent(dst, "")}
	w := &e.w
	w.Open('{')
	w.Key("id").Text(e.id)
	w.Key("object").Text("chat.completion.chunk")
	w.Key("created").Int(e.created)
	w.Key("model").Text(e.model)
	w.Key("choices").Open('[')
	return w
}

// shut ends a chunk behind its choices.
func (e *streamEncoder) shut() []byte {
	e.w.Close(']')
	if e.withUsage {
		e.w.Key("usage").Null()
	}
	e.w.Close('}')
	return wire.CloseEvent(e.w.Buf)
}

func (e *streamEncoder) delta(dst []byte, write func(w *wire.Writer)) []byte {
	return e.choice(dst, "", write)
}

// choice writes a chunk with the only choice; an empty reason is null.
func (e *streamEncoder) choice(dst []byte, reason string, write func(w *wire.Writer)) []byte {
	w := e.open(dst)
	w.Open('{')
	w.Key("index").Int(0)
	w.Key("delta").Open('{')
	write(w)
	w.Close('}')
	w.Key("logprobs").Null()
	w.Key("finish_reason").TextOrNull(reason)
	w.Close('}')
	return e.shut()
}

func (e *streamEncoder) callStart(dst []byte, ev neutral.Event) []byte {
	return e.delta(dst, func(w *wire.Writer) {
		w.Key("tool_calls").Open('[').Open('{')
		w.Key("index").Int(int64(ev.Call))
		w.Key("id").Text(callID(ev.ID, e.sourceID, ev.Call))
		w.Key("type").Text("function")
		w.Key("function").Open('{').Key("name").Text(ev.Name).Key("arguments").Text("").Close('}')
		writeSignature(w, ev.Signature)
		w.Close('}').Close(']')
	})
}

func (e *streamEncoder) arguments(dst []byte, call int, fragment string) []byte {
	return e.delta(dst, func(w *wire.Writer) {
		w.Key("tool_calls").Open('[').Open('{')
		w.Key("index").Int(int64(call))
		w.Key("function").Open('{').Key("arguments").Text(fragment).Close('}')
		w.Close('}').Close(']')
	})
}

// done writes the finish chunk, the token counts and the terminal event.
func (e *streamEncoder) done(dst []byte, f neutral.Finish) []byte {
	if f.Explanation != "" {
		dst = e.delta(dst, func(w *wire.Writer) { w.Key("refusal").Text(f.Explanation) })
	}
	dst = e.choice(dst, reasonWord(f.Reason), func(*wire.Writer) {})
	if e.withUsage && e.usage.Known {
		w := e.open(dst)
		w.Close(']').Key("usage")
		writeUsage(w, e.usage)
		w.Close('}')
		dst = wire.CloseEvent(w.Buf)
	}
	return append(dst, "data: [DONE]\n\n"...)
}
