package neutral

import (
	"slices"

	"github.com/understudy-dev/understudy/internal/failover/dialect/wire"
)

// Thinking is how a Claude model is told to think, whoever sells it. The zero
// value tells it nothing.
type Thinking struct {
	Type   string // disabled, enabled or adaptive; empty: not said
	Budget int64  // tokens; with enabled only
	Effort string // empty: not said
}

// Write writes the object of a request's member "thinking".
func (t Thinking) Write(w *wire.Writer) {
	w.Open('{').Key("type").Text(t.Type)
	if t.Budget > 0 {
		w.Key("budget_tokens").Int(t.Budget)
	}
	w.Close('}')
}

// minBudget is the least that Claude takes as a budget of thinking.
const minBudget = 1024

// Thinking asks for an amount of thinking, as the model is told: by a level, or
// by a budget, which must leave room for the answer within limit.
func (r *Request) Thinking(caps Caps, limit int64, notes *Notes) Thinking {
	wish := r.Reasoning
	switch {
	case wish.Level == LevelUnset:
		return Thinking{}
	case caps.Reasoning == ReasoningNone:
		if wish.Level != LevelNone {
			notes.Drop(wish.Field)
		}
		return Thinking{}
	case wish.Level == LevelNone && caps.ThinkingOff:
		return Thinking{Type: "disabled"}
	case caps.Reasoning == ReasoningBudget:
		return r.thinkingBudget(limit, notes)
	}
	notes.Approximate(wish.Field)
	switch wish.Level {
	case LevelAdaptive:
		return Thinking{Type: "adaptive"}
	case LevelNone:
		return Thinking{Effort: "low"}
	case LevelMinimal:
		return Thinking{Type: "adaptive", Effort: "low"}
	}
	return Thinking{Type: "adaptive", Effort: wish.Level.Word()}
}

// thinkingBudget asks for a number of tokens of thinking. A call that is
// demanded does not go together with it.
func (r *Request) thinkingBudget(limit int64, notes *Notes) Thinking {
	tokens := min(r.Reasoning.Tokens(), limit-minBudget)
	mode := r.Choice.Mode
	if tokens < minBudget || mode == Required || mode == Named || !r.freshTurn() {
		notes.Drop(r.Reasoning.Field)
		return Thinking{}
	}
	notes.Approximate(r.Reasoning.Field)
	return Thinking{Type: "enabled", Budget: tokens}
}

// freshTurn reports whether the model begins a turn of its own. One that goes
// on after its calls, or from a given beginning, would have to show the thought
// that it began with.
func (r *Request) freshTurn() bool {
	n := len(r.Turns)
	return n == 0 || r.Turns[n-1].Role != Assistant &&
		!slices.ContainsFunc(r.Turns[n-1].Blocks, func(b Block) bool { return b.Kind == ToolResult })
}
