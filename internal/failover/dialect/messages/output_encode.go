package messages

import (
	"slices"

	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
)

// output writes how the model is to think and what its answer must look like.
func (e *requestEncoder) output(limit int64) {
	effort := e.reasoning(limit)
	f := e.req.Format
	hasFormat := f != nil && f.Schema != nil // without a schema it is an instruction, see system
	if effort == "" && !hasFormat {
		return
	}
	e.w.Key("output_config").Open('{')
	if effort != "" {
		e.w.Key("effort").Text(effort)
	}
	if hasFormat {
		e.format(f)
	}
	e.w.Close('}')
}

// minBudget is the least that Anthropic takes as a budget of thinking.
const minBudget = 1024

// reasoning asks for an amount of thinking, as the model is told: by a level,
// which it returns, or by a budget, which must leave room for the answer.
func (e *requestEncoder) reasoning(limit int64) (effort string) {
	r := e.req.Reasoning
	switch {
	case r.Level == neutral.LevelUnset:
		return ""
	case e.caps.Reasoning == neutral.ReasoningNone:
		if r.Level != neutral.LevelNone {
			e.notes.Drop(r.Field)
		}
		return ""
	case r.Level == neutral.LevelNone && e.caps.ThinkingOff:
		e.w.Key("thinking").Open('{').Key("type").Text("disabled").Close('}')
		return ""
	case e.caps.Reasoning == neutral.ReasoningBudget:
		e.budget(limit)
		return ""
	}
	e.notes.Approximate(r.Field)
	if r.Level != neutral.LevelNone {
		e.w.Key("thinking").Open('{').Key("type").Text("adaptive").Close('}')
	}
	switch r.Level {
	case neutral.LevelAdaptive:
		return ""
	case neutral.LevelNone, neutral.LevelMinimal:
		return "low"
	}
	return r.Level.Word()
}

// budget asks for a number of tokens of thinking. A call that is demanded does
// not go together with it.
func (e *requestEncoder) budget(limit int64) {
	r := e.req.Reasoning
	tokens := min(r.Tokens(), limit-minBudget)
	mode := e.req.Choice.Mode
	if tokens < minBudget || mode == neutral.Required || mode == neutral.Named || !e.freshTurn() {
		e.notes.Drop(r.Field)
		return
	}
	e.notes.Approximate(r.Field)
	e.w.Key("thinking").Open('{').Key("type").Text("enabled").Key("budget_tokens").Int(tokens).Close('}')
}

// freshTurn reports whether the model begins a turn of its own. One that goes
// on after its calls, or from a given beginning, would have to show the thought
// that it began with.
func (e *requestEncoder) freshTurn() bool {
	n := len(e.req.Turns)
	return n == 0 || e.req.Turns[n-1].Role != neutral.Assistant &&
		!slices.ContainsFunc(e.req.Turns[n-1].Blocks, func(b neutral.Block) bool { return b.Kind == neutral.ToolResult })
}

func (e *requestEncoder) format(f *neutral.Format) {
	if !e.caps.Schema {
		e.refuse(f.Field, "this model cannot be bound to a schema")
		return
	}
	schema, exact, ok := restrict(f.Schema)
	if !ok {
		e.refuse(f.Field+".schema", "Anthropic cannot promise objects with free keys, nor of such depth")
		return
	}
	if !exact {
		e.notes.Approximate(f.Field)
	}
	e.w.Key("format").Open('{')
	e.w.Key("type").Text("json_schema").Key("schema").Raw(schema)
	e.w.Close('}')
}
