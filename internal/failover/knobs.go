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

// apply returns the body with its members changed; every other byte of a value
// stays as it is. A body that is no object is returned as it is.
func (k Knobs) apply(body []byte) []byte {
	out := make([]byte, 0, len(body)+64)
	out = append(out, '{')
	add := func(name string, value []byte) {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(appendJSONString(out, name), ':')
		out = append(out, value...)
	}
	err := EachMember(body, func(name []byte, value RawJSON) bool {
		n := string(name)
		if !slices.Contains(k.Drop, n) && !slices.ContainsFunc(k.Set, func(m Member) bool { return m.Name == n }) {
			add(n, value)
		}
		return true
	})
	if err != nil {
		return body
	}
	for _, m := range k.Set {
		add(m.Name, m.Value)
	}
	return append(out, '}')
}
