package neutral

import (
	"slices"
	"strings"
)

// Alternate brings the turns into the order that Anthropic and Bedrock demand:
// user first and last, roles alternating, the results of a turn's calls
// together and before anything else, no blank text. Instructions between turns
// join the system prompt, since older models refuse them elsewhere. It changes
// req.
func Alternate(req *Request, caps Caps, ids IDRule, notes *Notes) ([]Turn, error) {
	var turns []Turn
	for _, t := range req.Turns {
		if t.Role == System {
			req.System = append(req.System, t.Blocks...)
			notes.Approximate("messages.system")
			continue
		}
		t.Blocks = WithoutBlank(t.Blocks)
		if len(t.Blocks) == 0 {
			continue
		}
		if n := len(turns); n > 0 && turns[n-1].Role == t.Role {
			turns[n-1].Blocks = append(turns[n-1].Blocks, t.Blocks...)
			continue
		}
		turns = append(turns, t)
	}
	if len(turns) == 0 {
		return nil, Refuse("messages", "there is no turn of the user")
	}
	if turns[0].Role == Assistant {
		return nil, Refuse(turns[0].Field+".role", "the user has to speak first")
	}
	if last := turns[len(turns)-1]; last.Role == Assistant {
		if !caps.Prefill {
			return nil, Refuse(last.Field+".role", "this model does not continue an assistant's turn")
		}
		turns[len(turns)-1].Blocks = trimmed(last.Blocks)
	}
	ids.Rewrite(turns)
	for i := range turns {
		if turns[i].Role == User {
			turns[i].Blocks = resultsFirst(turns[i].Blocks, turns[max(i-1, 0)].Blocks)
		} else {
			turns[i].Blocks = callsLast(turns[i].Blocks)
		}
	}
	return turns, nil
}

// WithoutBlank removes empty texts, and those of white space only where they
// would be alone: strict providers refuse both.
func WithoutBlank(blocks []Block) []Block {
	var kept []Block
	blank := true
	for _, b := range blocks {
		isText := b.Kind == Text || b.Kind == Refusal
		if isText && b.Text == "" {
			continue
		}
		blank = blank && isText && strings.TrimSpace(b.Text) == ""
		kept = append(kept, b)
	}
	if blank {
		return nil
	}
	return kept
}

// trimmed cuts the white space off the end of a beginning that the model is to
// continue: Anthropic refuses it there.
func trimmed(blocks []Block) []Block {
	n := len(blocks)
	if last := blocks[n-1]; last.Kind == Text {
		blocks = slices.Clone(blocks)
		blocks[n-1].Text = strings.TrimRight(last.Text, " \t\r\n")
	}
	return blocks
}

// resultsFirst moves results to the front, in the order of the calls.
func resultsFirst(blocks, before []Block) []Block {
	order := map[string]int{}
	for i, b := range before {
		if b.Kind == ToolCall {
			order[b.Call.ID] = i + 1
		}
	}
	rank := func(b Block) int {
		if b.Kind != ToolResult {
			return len(before) + 2
		}
		if n := order[b.Result.CallID]; n > 0 {
			return n
		}
		return len(before) + 1
	}
	blocks = slices.Clone(blocks)
	slices.SortStableFunc(blocks, func(a, b Block) int { return rank(a) - rank(b) })
	return blocks
}

// callsLast moves calls behind everything else of an assistant's turn.
func callsLast(blocks []Block) []Block {
	rank := func(b Block) int {
		if b.Kind == ToolCall {
			return 1
		}
		return 0
	}
	blocks = slices.Clone(blocks)
	slices.SortStableFunc(blocks, func(a, b Block) int { return rank(a) - rank(b) })
	return blocks
}

// Mentioned lists the tools that were called in a history.
func Mentioned(turns []Turn) []Tool {
	var tools []Tool
	seen := map[string]bool{}
	for _, t := range turns {
		for _, b := range t.Blocks {
			if b.Kind == ToolCall && !seen[b.Call.Name] {
				seen[b.Call.Name] = true
				tools = append(tools, Tool{Field: b.Field, Name: b.Call.Name})
			}
		}
	}
	return tools
}
