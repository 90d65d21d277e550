package responses

import (
	"bytes"
	"strings"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
	"github.com/understudy-dev/understudy/internal/failover/dialect/openai"
)

// streamDecoder reads the stream of a response.
type streamDecoder struct {
	started, ended, refused bool
	filled                  bool // some content has come
	text, refusal           neutral.Joiner
	items                   map[string]*streamItem // by output_index
	calls                   []*streamItem
}

// streamItem is one output item as far as it came.
type streamItem struct {
	call   int // ordinal; -1 for anything but a call
	id     string
	name   string
	filled bool // some of its content has come
	ended  bool
	joiner neutral.Joiner
	got    []byte // arguments so far
	begun  bool   // the call was handed on
}

// maxItems is more than any answer has; a server that sends item after item
// without end must not keep us busy.
const maxItems = 4096

// NewStreamDecoder starts reading a stream.
func NewStreamDecoder() neutral.StreamDecoder {
	return &streamDecoder{items: map[string]*streamItem{}}
}

// rawEvent holds the members of an event that count.
type rawEvent struct {
	typ, delta, item, response, index, arguments failover.RawJSON
}

func readEvent(data []byte) (e rawEvent, err error) {
	err = failover.EachMember(data, func(name []byte, v failover.RawJSON) bool {
		switch string(name) {
		case "type":
			e.typ = v
		case "delta":
			e.delta = v
		case "item":
			e.item = v
		case "response":
			e.response = v
		case "output_index":
			e.index = v
		case "arguments":
			e.arguments = v
		}
		return true
	})
	return e, err
}

// Decode implements neutral.StreamDecoder.
func (d *streamDecoder) Decode(dst []neutral.Event, ev failover.Event) ([]neutral.Event, failover.ProgressKind) {
	kind := Format{}.Progress(ev).Kind
	data := bytes.TrimSpace(ev.Data)
	switch {
	case kind == failover.Failed || kind == failover.Malformed:
		return dst, kind
	case d.ended || len(data) == 0 || data[0] != '{':
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
	before := len(dst)
	dst, ok := d.event(dst, name, e)
	if !ok || len(d.items) > maxItems {
		return dst[:before], failover.Failed
	}
	return dst, failover.Lifecycle
}

// event reads one event. It reports false for what would corrupt a call, and
// for a last event that ends nothing.
func (d *streamDecoder) event(dst []neutral.Event, name string, e rawEvent) ([]neutral.Event, bool) {
	switch name {
	case "response.created", "response.in_progress":
		return d.start(dst, e.response), true
	case "response.output_text.delta":
		return d.say(dst, d.item(e), neutral.TextDelta, d.text.Text(e.delta)), true
	case "response.output_text.done":
		return d.say(dst, d.item(e), neutral.TextDelta, d.text.Rest()), true
	case "response.refusal.delta":
		return d.say(dst, d.item(e), neutral.RefusalDelta, d.refusal.Text(e.delta)), true
	case "response.refusal.done":
		return d.say(dst, d.item(e), neutral.RefusalDelta, d.refusal.Rest()), true
	case "response.output_item.added":
		return d.added(dst, d.item(e), e.item), true
	case "response.function_call_arguments.delta":
		it := d.item(e)
		return d.arguments(dst, it, it.joiner.Text(e.delta)), true
	case "response.function_call_arguments.done":
		return d.endCall(dst, d.item(e), openai.Arguments(e.arguments))
	case "response.output_item.done":
		return d.itemDone(dst, d.item(e), e.item)
	case "response.completed", "response.incomplete":
		return d.end(dst, e.response)
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

// item returns what an event is about.
func (d *streamDecoder) item(e rawEvent) *streamItem {
	it := d.items[string(e.index)]
	if it == nil {
		it = &streamItem{call: -1}
		d.items[string(e.index)] = it
	}
	return it
}

func (d *streamDecoder) say(dst []neutral.Event, it *streamItem, kind neutral.EventKind, text string) []neutral.Event {
	if text == "" {
		return dst
	}
	it.filled, d.filled = true, true
	d.refused = d.refused || kind == neutral.RefusalDelta
	return append(d.start(dst, nil), neutral.Event{Kind: kind, Text: text})
}

// added begins an item. Only calls say something by that alone.
func (d *streamDecoder) added(dst []neutral.Event, it *streamItem, v failover.RawJSON) []neutral.Event {
	if v.Member("type").Text() != "function_call" || it.begun {
		return dst
	}
	it.id, it.name = v.Member("call_id").Text(), v.Member("name").Text()
	if it.name == "" { // it may come with the end
		return dst
	}
	it.begun, it.filled, d.filled = true, true, true
	it.call = len(d.calls)
	d.calls = append(d.calls, it)
	dst = append(d.start(dst, nil), neutral.Event{Kind: neutral.CallStart, Call: it.call, ID: it.id, Name: it.name})
	held := string(it.got)
	it.got = nil
	return d.arguments(d.arguments(dst, it, held), it, openai.Arguments(v.Member("arguments")))
}

// arguments takes a fragment.
func (d *streamDecoder) arguments(dst []neutral.Event, it *streamItem, text string) []neutral.Event {
	if text == "" || it.ended {
		return dst
	}
	it.got = append(it.got, text...)
	if !it.begun {
		return dst
	}
	return append(dst, neutral.Event{Kind: neutral.CallDelta, Call: it.call, Text: text})
}

// endCall ends a call whose arguments are now known as a whole. It reports
// false where the fragments were not the beginning of them: the app must not
// run what the model did not mean.
func (d *streamDecoder) endCall(dst []neutral.Event, it *streamItem, whole string) ([]neutral.Event, bool) {
	if !it.begun || it.ended {
		return dst, true
	}
	if whole == "" {
		dst = d.arguments(dst, it, it.joiner.Rest())
	} else {
		rest, ok := strings.CutPrefix(whole, string(it.got))
		if !ok {
			return dst, false
		}
		dst = d.arguments(dst, it, rest)
	}
	it.ended = true
	return append(dst, neutral.Event{Kind: neutral.CallEnd, Call: it.call}), true
}

// itemDone reads a finished item. Some servers send it without the events that
// would have built it.
func (d *streamDecoder) itemDone(dst []neutral.Event, it *streamItem, v failover.RawJSON) ([]neutral.Event, bool) {
	for _, b := range itemBlocks(v) {
		switch {
		case b.Kind == neutral.ToolCall:
			if !it.begun {
				it.got = nil // the item has them all
				dst = d.added(dst, it, v)
			}
			if !it.begun { // no tool has no name
				return dst, false
			}
			return d.endCall(dst, it, b.Call.Arguments)
		case it.filled:
			return dst, true
		case b.Kind == neutral.Refusal:
			dst = d.say(dst, &streamItem{}, neutral.RefusalDelta, b.Text)
		default:
			dst = d.say(dst, &streamItem{}, neutral.TextDelta, b.Text)
		}
	}
	it.filled = true
	return dst, true
}

// end reads the terminal event, whose response holds the whole answer.
func (d *streamDecoder) end(dst []neutral.Event, response failover.RawJSON) ([]neutral.Event, bool) {
	reason := reasonOf(response)
	if reason == neutral.Unfinished {
		return dst, false
	}
	dst = d.start(dst, response)
	ok := true
	if !d.filled { // a server that streams nothing before the end
		_ = failover.EachElement(response.Member("output"), func(v failover.RawJSON) bool {
			dst, ok = d.itemDone(dst, &streamItem{call: -1}, v)
			return ok
		})
	}
	for _, it := range d.calls {
		if ok {
			dst, ok = d.endCall(dst, it, "")
		}
	}
	for _, it := range d.items {
		ok = ok && (it.begun || len(it.got) == 0) // arguments for no tool
	}
	if u := usageOf(response.Member("usage")); u.Known {
		dst = append(dst, neutral.Event{Kind: neutral.UsageKnown, Usage: u})
	}
	d.ended = true
	finish := neutral.Finish{Reason: reason}.Settle(len(d.calls) > 0, d.refused)
	return append(dst, neutral.Event{Kind: neutral.Done, Finish: finish}), ok
}

// End implements neutral.StreamDecoder. A stream without its last response was
// cut.
func (d *streamDecoder) End(dst []neutral.Event) ([]neutral.Event, bool) { return dst, d.ended }
