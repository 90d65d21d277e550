package chat

import (
	"slices"
	"strconv"
	"strings"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
	"github.com/understudy-dev/understudy/internal/failover/dialect/openai"
)

// streamCall is one tool call as far as it came.
type streamCall struct {
	index    int64
	hasIndex bool
	sourceID string // as the provider wrote it
	id, name string // the id differs from those of other calls
	held     string // arguments that came before the name
	joiner   neutral.Joiner
	args     neutral.Scanner
	ended    bool
}

// fragment is one piece of a tool call.
type fragment struct {
	index     int64
	hasIndex  bool
	id, name  string
	arguments failover.RawJSON
}

// maxCalls is more than any answer has; a server that sends call after call
// without end must not keep us busy.
const maxCalls = 1024

func readFragment(v failover.RawJSON) fragment {
	f := fragment{id: v.Member("id").Text()}
	f.index, f.hasIndex = v.Member("index").Int()
	function := v.Member("function")
	f.name = function.Member("name").Text()
	f.arguments = function.Member("arguments")
	return f
}

// text returns what a fragment adds to the arguments. White space and null in
// front of them are no arguments: some servers write them for a call without
// any.
func (c *streamCall) text(v failover.RawJSON) string {
	text := c.joiner.Text(v)
	if v.IsObject() {
		text = string(v)
	}
	if blank := strings.TrimSpace(text); !c.args.Begun() && (blank == "" || blank == "null") {
		return ""
	}
	return text
}

// find returns the ordinal of the call that a fragment belongs to, or -1 for a
// new one. The index decides, unless another id or name says that a server
// gives every call the same index; without an index it is the id, and without
// both the last call.
func (d *streamDecoder) find(f fragment) int {
	for i, c := range slices.Backward(d.calls) {
		indexed := f.hasIndex && c.hasIndex
		switch {
		case indexed && f.index != c.index:
			continue
		case f.id != "" && f.id != c.sourceID && (!indexed || c.sourceID != "" || c.args.Complete()):
			continue
		case f.id == "" && f.name != "" && c.name != "" && (f.name != c.name || c.args.Complete() && !openai.Empty(f.arguments)):
			return -1
		}
		return i
	}
	return -1
}

// fragment takes one piece of a call. It reports false for what would corrupt
// the call: arguments behind the end of theirs, or too many calls.
func (d *streamDecoder) fragment(dst []neutral.Event, f fragment) ([]neutral.Event, bool) {
	d.filled = true
	ordinal := d.find(f)
	if ordinal < 0 {
		if len(d.calls) == maxCalls {
			return dst, false
		}
		ordinal = len(d.calls)
		d.calls = append(d.calls, &streamCall{index: f.index, hasIndex: f.hasIndex})
	}
	c := d.calls[ordinal]
	if c != d.hollow {
		dst = d.endHollow(dst)
	}
	if c.sourceID == "" && c.name == "" {
		c.sourceID, c.id = f.id, d.fresh(f.id)
	}
	arguments, ok := d.arguments(c, f.arguments)
	if !ok {
		return dst, false
	}
	if c.name == "" {
		c.held += arguments
		if f.name == "" {
			return dst, true
		}
		c.name, arguments, c.held = f.name, c.held, ""
		dst = append(dst, neutral.Event{Kind: neutral.CallStart, Call: ordinal, ID: c.id, Name: c.name})
	}
	if arguments != "" {
		dst = append(dst, neutral.Event{Kind: neutral.CallDelta, Call: ordinal, Text: arguments})
	}
	if c.args.Complete() && c != d.hollow && !c.ended {
		c.ended = true
		dst = append(dst, neutral.Event{Kind: neutral.CallEnd, Call: ordinal})
	}
	return dst, true
}

// arguments returns what a fragment adds to the arguments of a call, and false
// for what stands behind their end. An empty object that comes whole is held
// back: some servers begin every call with one and send the arguments after it.
func (d *streamDecoder) arguments(c *streamCall, v failover.RawJSON) (string, bool) {
	text := c.text(v)
	if strings.TrimSpace(text) == "" && c.args.Complete() {
		return "", true
	}
	if c == d.hollow {
		d.hollow, c.args = nil, neutral.Scanner{}
	}
	first := !c.args.Begun()
	if c.args.Write(text) != "" {
		return "", false
	}
	if first && strings.TrimSpace(text) == "{}" {
		d.hollow = c
		return "", true
	}
	return text, true
}

// endHollow ends the call whose arguments are an empty object and stay so.
func (d *streamDecoder) endHollow(dst []neutral.Event) []neutral.Event {
	c := d.hollow
	if d.hollow = nil; c == nil || c.name == "" {
		return dst
	}
	c.ended = true
	return append(dst, neutral.Event{Kind: neutral.CallEnd, Call: slices.Index(d.calls, c)})
}

// fresh returns an id that no call of the answer has, made from the given one.
func (d *streamDecoder) fresh(id string) string {
	if id == "" {
		return ""
	}
	unique := id
	for n := 2; d.hasID(unique); n++ {
		unique = id + "_" + strconv.Itoa(n)
	}
	return unique
}

func (d *streamDecoder) hasID(id string) bool {
	for _, c := range d.calls {
		if c.id == id {
			return true
		}
	}
	return false
}
