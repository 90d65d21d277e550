package simulator

import (
	"fmt"
	"slices"
	"strings"
)

// turn is one or more messages of one role in a row.
type turn struct {
	role   string
	first  int // Index of its first message.
	blocks []object
	at     []string // Where each block stands.
}

// turns merges messages as the API does. Text given as a string becomes a block.
func turns(messages []object) []turn {
	var out []turn
	for i, m := range messages {
		role := str(m, "role")
		if len(out) == 0 || out[len(out)-1].role != role {
			out = append(out, turn{role: role, first: i})
		}
		t := &out[len(out)-1]
		if text, ok := m["content"].(string); ok {
			t.blocks = append(t.blocks, object{"type": "text", "text": text})
			t.at = append(t.at, fmt.Sprintf("messages.%d.content", i))
			continue
		}
		blocks, _ := list(m["content"])
		for j, block := range blocks {
			t.blocks = append(t.blocks, block)
			t.at = append(t.at, fmt.Sprintf("messages.%d.content.%d", i, j))
		}
	}
	return out
}

// ids returns an id member of all blocks of a type.
func (t turn) ids(kind, member string) []string {
	var out []string
	for _, block := range t.blocks {
		if str(block, "type") == kind {
			out = append(out, str(block, member))
		}
	}
	return out
}

// checkPairs checks that every tool_use is answered in the next turn, at its beginning, and that every tool_result
// answers one of the turn before.
func checkPairs(messages []object) *apiError {
	merged := turns(messages)
	seen := map[string]bool{}
	for i, t := range merged {
		calls := t.ids("tool_use", "id")
		for _, id := range calls {
			if seen[id] {
				return badRequest("messages.%d: `tool_use` ids must be unique", t.first)
			}
			seen[id] = true
		}
		var next turn
		if i+1 < len(merged) {
			next = merged[i+1]
		}
		results := next.ids("tool_result", "tool_use_id")
		var open []string
		for _, id := range calls {
			if !slices.Contains(results, id) {
				open = append(open, id)
			}
		}
		if len(open) > 0 {
			return badRequest("messages.%d: `tool_use` ids were found without `tool_result` blocks immediately after: %s. Each `tool_use` block must have a corresponding `tool_result` block in the next message.",
				t.first, strings.Join(open, ", "))
		}
		var before []string
		if i > 0 {
			before = merged[i-1].ids("tool_use", "id")
		}
		if e := checkResults(t, before); e != nil {
			return e
		}
	}
	return nil
}

// checkResults checks the results of one turn against the calls of the turn before.
func checkResults(t turn, calls []string) *apiError {
	answered := map[string]bool{}
	other := false
	for j, block := range t.blocks {
		if str(block, "type") != "tool_result" {
			other = true
			continue
		}
		id := str(block, "tool_use_id")
		switch {
		case !slices.Contains(calls, id):
			return badRequest("%s: unexpected `tool_use_id` found in `tool_result` blocks: %s. Each `tool_result` block must have a corresponding `tool_use` block in the previous message.", t.at[j], id)
		case answered[id]:
			return badRequest("%s: each tool_use must have a single result. Found multiple `tool_result` blocks with id: %s", t.at[j], id)
		case other:
			return badRequest("messages.%d: `tool_use` ids were found without `tool_result` blocks immediately after: %s. Each `tool_use` block must have a corresponding `tool_result` block in the next message.",
				t.first-1, id)
		}
		answered[id] = true
	}
	return nil
}
