package gemini

import (
	"bytes"
	"slices"
	"strings"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/wire"
)

// Bounds of a schema whose references are replaced by what they refer to, which
// can grow without end: its size, and how many references there are.
const (
	maxInlined    = 1 << 20
	maxReferences = 1000
)

// cleanSchema takes the root's $schema out and puts local definitions in the
// place of the references to them. Anything else stays as it was written, as
// does a schema whose references cannot all be replaced: Gemini unrolls those
// that lead back to themselves.
func cleanSchema(schema failover.RawJSON) failover.RawJSON {
	if !bytes.Contains(schema, []byte(`"$`)) {
		return schema
	}
	if bytes.Contains(schema, []byte(`"$ref"`)) {
		in := inliner{root: schema, ok: true}
		in.schema(schema, true)
		if in.ok {
			return in.w.Buf
		}
	}
	return withoutMembers(schema, "$schema")
}

// withoutMembers copies an object without some of its members.
func withoutMembers(v failover.RawJSON, left ...string) failover.RawJSON {
	if !slices.ContainsFunc(left, func(name string) bool { return v.Member(name) != nil }) {
		return v
	}
	var w wire.Writer
	w.Open('{')
	_ = failover.EachMember(v, func(name []byte, value failover.RawJSON) bool {
		if !slices.Contains(left, string(name)) {
			w.Key(string(name)).Raw(value)
		}
		return true
	})
	return w.Close('}').Buf
}

// inliner writes a schema without references. It is not ok where one leads
// back to itself, out of the schema, or to nothing.
type inliner struct {
	w     wire.Writer
	root  failover.RawJSON
	stack []string // references being replaced
	count int      // references so far
	ok    bool
}

// rootOnly are left out of a root whose references are all replaced.
var rootOnly = []string{"$schema", "$defs", "definitions"}

// What a keyword holds, where it is not one schema or a list of schemas.
const (
	mapKeywords  = " properties patternProperties dependentSchemas $defs definitions "
	dataKeywords = " enum const default examples example required type "
)

// value writes what one keyword holds.
func (in *inliner) value(keyword string, v failover.RawJSON) {
	switch {
	case len(in.w.Buf) > maxInlined:
		in.ok = false
	case strings.Contains(dataKeywords, " "+keyword+" "):
		in.w.Raw(v)
	case v.IsObject() && strings.Contains(mapKeywords, " "+keyword+" "):
		in.w.Open('{')
		_ = failover.EachMember(v, func(name []byte, child failover.RawJSON) bool {
			in.w.Key(string(name))
			in.value("", child)
			return in.ok
		})
		in.w.Close('}')
	case v.IsObject():
		in.schema(v, false)
	case v.IsArray():
		in.w.Open('[')
		_ = failover.EachElement(v, func(child failover.RawJSON) bool { in.value("", child); return in.ok })
		in.w.Close(']')
	default:
		in.w.Raw(v)
	}
}

func (in *inliner) schema(v failover.RawJSON, isRoot bool) {
	in.w.Open('{')
	in.members(v, map[string]bool{}, isRoot)
	in.w.Close('}')
}

// members writes the keywords of v that were not written yet, and then those
// of what v refers to: what stands beside a reference goes before it.
func (in *inliner) members(v failover.RawJSON, seen map[string]bool, isRoot bool) {
	var ref string
	_ = failover.EachMember(v, func(raw []byte, value failover.RawJSON) bool {
		name := string(raw)
		switch {
		case name == "$ref":
			ref = value.Text()
		case seen[name], isRoot && slices.Contains(rootOnly, name):
		default:
			seen[name] = true
			in.w.Key(name)
			in.value(name, value)
		}
		return in.ok
	})
	if ref == "" || !in.ok {
		return
	}
	target := in.find(ref)
	in.count++
	if target == nil || in.count > maxReferences || slices.Contains(in.stack, ref) {
		in.ok = false
		return
	}
	in.stack = append(in.stack, ref)
	in.members(target, seen, false)
	in.stack = in.stack[:len(in.stack)-1]
}

// find returns the object that a reference into the schema itself points to.
func (in *inliner) find(ref string) failover.RawJSON {
	path, local := strings.CutPrefix(ref, "#/")
	if !local {
		return nil
	}
	v := in.root
	for step := range strings.SplitSeq(path, "/") {
		v = v.Member(strings.NewReplacer("~1", "/", "~0", "~").Replace(step))
	}
	if !v.IsObject() {
		return nil
	}
	return v
}
