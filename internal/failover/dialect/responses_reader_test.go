package dialect_test

import (
	"fmt"
	"slices"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
)

// responsesReader reads a stream of Responses as strictly as the strictest
// client does: events of documented types alone, numbered without a gap, about
// the one item and the one part that are open, and a last response that shows
// what the events made.
type responsesReader struct {
	next     int64
	items    []*readItem
	open     bool // the last item is
	calls    int
	ids      []string
	done     bool
	problem  error
	events   []neutral.Event // of the event at hand
	response string          // the response's id
}

type readItem struct {
	id, kind, callID, name string
	parts                  []*readPart
	openPart               bool
	text                   string // of a call's arguments
	final                  string // as output_item.done shows it
}

type readPart struct{ kind, text string }

func newResponsesReader() neutral.StreamDecoder { return &responsesReader{} }

// Decode implements neutral.StreamDecoder. What breaks a rule is Malformed.
func (r *responsesReader) Decode(dst []neutral.Event, ev failover.Event) ([]neutral.Event, failover.ProgressKind) {
	data := failover.RawJSON(ev.Data)
	kind := data.Member("type").Text()
	n, ok := data.Member("sequence_number").Int()
	if !failover.ValidJSON(data) || kind != string(ev.Name) || !ok || n != r.next || r.done || (r.next == 0) != (kind == "response.created") {
		return dst, failover.Malformed
	}
	r.next++
	r.events = dst
	if r.read(kind, data); r.problem != nil {
		fmt.Println(r.problem)
		return dst, failover.Malformed
	}
	return r.events, failover.Lifecycle
}

// End implements neutral.StreamDecoder.
func (r *responsesReader) End(dst []neutral.Event) ([]neutral.Event, bool) { return dst, r.done }

func (r *responsesReader) check(ok bool, what string, data failover.RawJSON) bool {
	if !ok && r.problem == nil {
		r.problem = fmt.Errorf("%s: %s", what, data)
	}
	return ok
}

func (r *responsesReader) add(ev neutral.Event) { r.events = append(r.events, ev) }

func (r *responsesReader) read(kind string, data failover.RawJSON) {
	switch kind {
	case "response.created", "response.in_progress":
		response := data.Member("response")
		r.check(r.next <= 2 && response.Member("status").Text() == "in_progress" && string(response.Member("output")) == "[]", "not a new response", data)
		r.response = response.Member("id").Text()
		if kind == "response.created" {
			r.add(neutral.Event{Kind: neutral.Start, ID: r.response, Model: response.Member("model").Text()})
		}
	case "response.completed", "response.incomplete":
		r.end(kind, data.Member("response"))
	case "response.output_item.added":
		r.added(data)
	default:
		if r.check(r.open, "no item is open", data) {
			r.readInItem(kind, data)
		}
	}
}

func (r *responsesReader) added(data failover.RawJSON) {
	v := data.Member("item")
	it := &readItem{id: v.Member("id").Text(), kind: v.Member("type").Text(), callID: v.Member("call_id").Text(), name: v.Member("name").Text()}
	at, _ := data.Member("output_index").Int()
	r.check(!r.open && int(at) == len(r.items) && it.id != "" && v.Member("status").Text() == "in_progress", "out of order", data)
	r.check(!slices.Contains(r.ids, it.id), "the id is taken", data)
	r.ids = append(r.ids, it.id)
	r.items, r.open = append(r.items, it), true
	switch it.kind {
	case "message":
		r.check(string(v.Member("content")) == "[]" && v.Member("role").Text() == "assistant", "not a new message", data)
	case "function_call":
		r.check(it.callID != "" && it.name != "" && v.Member("arguments").IsEmptyString(), "not a new call", data)
		r.add(neutral.Event{Kind: neutral.CallStart, Call: r.calls, ID: it.callID, Name: it.name})
		r.calls++
	default:
		r.check(false, "unknown item", data)
	}
}

func (r *responsesReader) readInItem(kind string, data failover.RawJSON) {
	it := r.items[len(r.items)-1]
	at, _ := data.Member("output_index").Int()
	r.check(int(at) == len(r.items)-1, "another item", data)
	if kind == "response.output_item.done" {
		r.itemDone(it, data.Member("item"))
		return
	}
	r.check(data.Member("item_id").Text() == it.id, "another item's id", data)
	switch kind {
	case "response.function_call_arguments.delta":
		it.text += data.Member("delta").Text()
		r.check(it.kind == "function_call" && data.Member("delta").Text() != "", "a delta of no call", data)
		r.add(neutral.Event{Kind: neutral.CallDelta, Call: r.calls - 1, Text: data.Member("delta").Text()})
	case "response.function_call_arguments.done":
		r.check(data.Member("arguments").Text() == it.text && data.Member("name").Text() == it.name, "other arguments", data)
	default:
		r.readPart(it, kind, data)
	}
}

func (r *responsesReader) readPart(it *readItem, kind string, data failover.RawJSON) {
	at, ok := data.Member("content_index").Int()
	if kind == "response.content_part.added" {
		p := &readPart{kind: data.Member("part").Member("type").Text()}
		r.check(ok && int(at) == len(it.parts) && !it.openPart && it.kind == "message", "a part out of order", data)
		r.check(textOfPart(data.Member("part")) == "", "a part that is not empty", data)
		it.parts, it.openPart = append(it.parts, p), true
		return
	}
	if !r.check(ok && it.openPart && int(at) == len(it.parts)-1, "no part is open", data) {
		return
	}
	p := it.parts[at]
	delta := data.Member("delta").Text()
	switch kind {
	case "response.output_text.delta":
		r.check(p.kind == "output_text" && data.Member("logprobs").IsArray() && delta != "", "not a text's delta", data)
		p.text += delta
		r.add(neutral.Event{Kind: neutral.TextDelta, Text: delta})
	case "response.refusal.delta":
		r.check(p.kind == "refusal" && delta != "", "not a refusal's delta", data)
		p.text += delta
		r.add(neutral.Event{Kind: neutral.RefusalDelta, Text: delta})
	case "response.output_text.done":
		r.check(data.Member("text").Text() == p.text && data.Member("logprobs").IsArray(), "another text", data)
	case "response.refusal.done":
		r.check(data.Member("refusal").Text() == p.text, "another refusal", data)
	case "response.content_part.done":
		r.check(textOfPart(data.Member("part")) == p.text, "another part", data)
		it.openPart = false
	default:
		r.check(false, "an event that is not documented", data)
	}
}

func textOfPart(part failover.RawJSON) string {
	return part.Member("text").Text() + part.Member("refusal").Text()
}

func (r *responsesReader) itemDone(it *readItem, v failover.RawJSON) {
	r.check(v.Member("id").Text() == it.id && v.Member("type").Text() == it.kind && !it.openPart, "another item is done", v)
	status := v.Member("status").Text()
	r.check(status == "completed" || status == "incomplete", "not done", v)
	if it.kind == "function_call" {
		r.check(v.Member("call_id").Text() == it.callID && v.Member("arguments").Text() == it.text && it.text != "", "another call", v)
		r.add(neutral.Event{Kind: neutral.CallEnd, Call: r.calls - 1})
	} else {
		text := ""
		for _, p := range it.parts {
			text += p.text
		}
		final := ""
		for _, p := range elements(v.Member("content")) {
			final += textOfPart(p)
		}
		r.check(text == final, "another message", v)
	}
	it.final, r.open = string(v), false
}

func (r *responsesReader) end(kind string, v failover.RawJSON) {
	status := v.Member("status").Text()
	output := elements(v.Member("output"))
	r.check("response."+status == kind && v.Member("id").Text() == r.response && !r.open && len(output) == len(r.items), "another response", v)
	for i, it := range output[:min(len(output), len(r.items))] {
		r.check(string(it) == r.items[i].final, "another item in the last response", it)
	}
	if u := v.Member("usage"); u.Present() {
		r.add(neutral.Event{Kind: neutral.UsageKnown, Usage: usageOf(u)})
	}
	f := neutral.Finish{Reason: neutral.Stopped}
	if reason := v.Member("incomplete_details").Member("reason").Text(); reason != "" {
		f.Reason = map[string]neutral.Reason{"max_output_tokens": neutral.Length, "content_filter": neutral.Filtered}[reason]
	}
	r.check((f.Reason == neutral.Stopped) == (status == "completed"), "a reason that does not fit", v)
	r.add(neutral.Event{Kind: neutral.Done, Finish: f.Settle(r.calls > 0, false)})
	r.done = r.problem == nil
}

func usageOf(v failover.RawJSON) neutral.Usage {
	u := neutral.Usage{Known: true}
	u.Input, _ = v.Member("input_tokens").Int()
	u.Output, _ = v.Member("output_tokens").Int()
	u.CacheRead, _ = v.Member("input_tokens_details").Member("cached_tokens").Int()
	u.CacheWrite, _ = v.Member("input_tokens_details").Member("cache_write_tokens").Int()
	u.Reasoning, _ = v.Member("output_tokens_details").Member("reasoning_tokens").Int()
	return u
}
