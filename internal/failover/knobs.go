package failover

import (
	"fmt"
	"slices"
)

// Knobs change the members of a request for one entry, after everything else:
// a way around what a server does not take, or always wants.
type Knobs struct {
	Drop []string // top-level members that are left out
	Set  []Member // top-level members that are added or replaced
}

// Member is one member of an object, its value as JSON text.
type Member struct {
	Name  string
	Value RawJSON
}

// IsZero reports that nothing is changed.
func (k Knobs) IsZero() bool { return len(k.Drop) == 0 && len(k.Set) == 0 }

// check refuses the members that the sidecar itself decides about.
func (k Knobs) check() error {
	for _, own := range []string{"model", "stream", "messages", "input"} {
		if slices.Contains(k.Drop, own) {
			return fmt.Errorf("request.drop: %q cannot be left out; remove it from the list", own)
		}
		if slices.ContainsFunc(k.Set, func(m Member) bool { return m.Name == own }) {
			return fmt.Errorf("request.set: %q is not a knob; write model or modelMap for the model, and leave the others to the app", own)
		}
	}
	for _, m := range k.Set {
		if !ValidJSON(m.Value) {
			return fmt.Errorf("request.set: the value of %q is not JSON", m.Name)
		}
	}
	return nil
}

// Apply returns the body with its members changed; every other byte stays as
// it is. A body that is no object is returned as it is.
func (k Knobs) Apply(body []byte) []byte {
	open := skipSpace(body, 0) + 1
	out := append(make([]byte, 0, len(body)+64), body[:min(open, len(body))]...)
	set := make([]bool, len(k.Set))
	done, empty := open, true // body[:done] is dealt with
	err := eachMember(body, func(name []byte, start, end int) bool {
		from := done
		done = end
		at := slices.IndexFunc(k.Set, func(m Member) bool { return m.Name == string(name) })
		if at < 0 && slices.Contains(k.Drop, string(name)) {
			return true
		}
		if comma := skipSpace(body, from); empty && body[comma] == ',' {
			from = comma + 1 // those in front of it are gone
		}
		empty = false
		if at < 0 {
			out = append(out, body[from:end]...)
			return true
		}
		set[at] = true
		out = append(append(out, body[from:start]...), k.Set[at].Value...)
		return true
	})
	if err != nil {
		return body
	}
	for i, m := range k.Set {
		if set[i] {
			continue
		}
		if !empty {
			out = append(out, ',')
		}
		empty = false
		out = append(append(appendJSONString(out, m.Name), ':'), m.Value...)
	}
	return append(out, body[done:]...)
}
