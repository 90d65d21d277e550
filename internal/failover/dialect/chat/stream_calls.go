package chat

import (
	"slices"
	"strconv"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
)

// streamCall is one tool call as far as it came.
type streamCall struct {
	index    int64
	hasIndex bool
	sourceID string // as the provider wrote it
	id, name string // the id differs from those of other calls
	held     string // arguments that came before the name
	args     neutral.Scanner
	ended    bool
}

// fragment is one piece of a tool call.
type fragment struct {
	index               int64
	hasIndex            bool
	id, name, arguments string
}

func readFragment(v failover.RawJSON) fragment {
	f := fragment{id: v.Member("id").Text()}
	f.index, f.hasIndex = v.Member("index").Int()
	function := v.Member("function")
	f.name = function.Member("name").Text()
	f.arguments = argumentText(function.Member("arguments"))
	return f
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
		case f.id != "" && f.id != c.sourceID && (!indexed || c.sourceID != "" || c.ended):
			continue
		case f.id == "" && f.name != "" && c.name != "" && (f.name != c.name || c.ended && f.arguments != ""):
			return -1
		}
		return i
	}
	return -1
}

// fragment takes one piece of a call. It reports false for arguments behind
// the end of theirs.
func (d *streamDecoder) fragment(dst []neutral.Event, f fragment) ([]neutral.Event, bool) {
	d.filled = true
	ordinal := d.find(f)
	if ordinal < 0 {
		ordinal = len(d.calls)
		d.calls = append(d.calls, &streamCall{index: f.index, hasIndex: f.hasIndex})
	}
	c := d.calls[ordinal]
	if c.sourceID == "" && c.name == "" {
		c.sourceID, c.id = f.id, d.fresh(f.id)
	}
	excess := c.args.Write(f.arguments)
	if excess != "" {
		return dst, false
	}
	if c.ended {
		return dst, true
	}
	if c.name == "" {
		c.held += f.arguments
		if f.name == "" {
			return dst, true
		}
		c.name, f.arguments, c.held = f.name, c.held, ""
		dst = append(dst, neutral.Event{Kind: neutral.CallStart, Call: ordinal, ID: c.id, Name: c.name})
	}
	if f.arguments != "" {
		dst = append(dst, neutral.Event{Kind: neutral.CallDelta, Call: ordinal, Text: f.arguments})
	}
	if c.args.Complete() {
		c.ended = true
		dst = append(dst, neutral.Event{Kind: neutral.CallEnd, Call: ordinal})
	}
	return dst, true
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
