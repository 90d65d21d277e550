package gemini

import (
	"slices"

	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
)

// idRule keeps ids apart and within what other Google surfaces take; Gemini
// publishes no rule.
var idRule = neutral.IDRule{MaxLength: 64, WordOnly: true}

// arrange brings the turns into the order that Gemini demands: user first,
// roles alternating, and behind every turn with calls one with exactly their
// results, in their order. Instructions between turns join the first.
func (e *requestEncoder) arrange() []neutral.Turn {
	var turns []neutral.Turn
	for _, t := range e.req.Turns {
		if t.Role == neutral.System {
			e.req.System = append(e.req.System, t.Blocks...)
			e.notes.Approximate("messages.system")
			continue
		}
		if t.Blocks = withoutEmpty(t.Blocks); len(t.Blocks) == 0 {
			continue
		}
		if n := len(turns); n > 0 && turns[n-1].Role == t.Role {
			turns[n-1].Blocks = append(slices.Clip(turns[n-1].Blocks), t.Blocks...)
			continue
		}
		turns = append(turns, t)
	}
	if len(turns) == 0 {
		e.refuse("messages", "Gemini needs a turn of the user")
		return nil
	}
	if turns[0].Role == neutral.Assistant {
		e.refuse(turns[0].Field+".role", "Gemini needs the user to speak first")
	}
	if last := turns[len(turns)-1]; last.Role == neutral.Assistant && !e.caps.Prefill {
		e.refuse(last.Field+".role", "this model does not continue an assistant's turn")
	}
	idRule.Rewrite(turns)
	e.pair(turns)
	e.sign(turns)
	return turns
}

// withoutEmpty removes empty texts, which Gemini refuses.
func withoutEmpty(blocks []neutral.Block) []neutral.Block {
	return slices.DeleteFunc(slices.Clone(blocks), func(b neutral.Block) bool {
		return (b.Kind == neutral.Text || b.Kind == neutral.Refusal) && b.Text == ""
	})
}

// pair puts the results of a turn's calls first, in the order of the calls.
// Gemini counts them: a call without its result, or a result without its call,
// is refused there, so it is not sent.
func (e *requestEncoder) pair(turns []neutral.Turn) {
	var calls []neutral.Block // of the turn before
	for i := range turns {
		if turns[i].Role == neutral.User {
			turns[i].Blocks = e.resultsFirst(turns[i].Blocks, calls)
			calls = nil
			continue
		}
		calls = slices.DeleteFunc(slices.Clone(turns[i].Blocks), func(b neutral.Block) bool { return b.Kind != neutral.ToolCall })
	}
	if len(calls) > 0 {
		e.refuse(calls[0].Field, "Gemini needs the result of every call right behind it")
	}
}

func (e *requestEncoder) resultsFirst(blocks, calls []neutral.Block) []neutral.Block {
	rest := slices.Clone(blocks)
	results := make([]neutral.Block, 0, len(blocks))
	for _, c := range calls {
		e.names[c.Call.ID] = c.Call.Name
		at := slices.IndexFunc(rest, func(b neutral.Block) bool { return b.Kind == neutral.ToolResult && b.Result.CallID == c.Call.ID })
		if at < 0 {
			e.refuse(c.Field, "Gemini needs the result of every call right behind it")
			return blocks
		}
		results = append(results, rest[at])
		rest = slices.Delete(rest, at, at+1)
	}
	for _, b := range rest {
		if b.Kind == neutral.ToolResult {
			e.refuse(b.Field, "Gemini needs the call that a result belongs to right before it")
		}
	}
	return append(results, rest...)
}

// foreignSignature stands in for the signature of a thought that some other
// model had, or whose signature the app did not keep. Google names it for
// histories that were made elsewhere. [unverified against the live API]
const foreignSignature = "skip_thought_signature_validator"

// sign sees to it that the first call of every step of the current turn, which
// begins behind the last thing that the user said, has a signature: without
// one, models that check them answer 400. Where they do not, none is sent, for
// another model's would mean nothing to them.
func (e *requestEncoder) sign(turns []neutral.Turn) {
	current := 0
	for i, t := range turns {
		if t.Role == neutral.User && !slices.ContainsFunc(t.Blocks, func(b neutral.Block) bool { return b.Kind == neutral.ToolResult }) {
			current = i
		}
	}
	for i, t := range turns {
		first := i > current
		for k := range t.Blocks {
			b := &t.Blocks[k]
			if b.Kind != neutral.ToolCall {
				continue
			}
			if !e.caps.Signatures || !isBase64(b.Call.Signature) {
				b.Call.Signature = ""
			}
			if e.caps.Signatures && first && b.Call.Signature == "" {
				b.Call.Signature = foreignSignature
			}
			first = false
		}
	}
}
