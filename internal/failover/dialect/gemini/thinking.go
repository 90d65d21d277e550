package gemini

import "github.com/understudy-dev/understudy/internal/failover/dialect/neutral"

// Bounds of a thinking budget that every model of its kind takes. One of zero
// switches thinking off where that is possible; dynamicBudget leaves it to the
// model.
const (
	leastBudget   = 512
	mostBudget    = 24576
	dynamicBudget = -1
)

// thinking asks for an amount of thinking by a level or a budget, as the model
// is told; both together would be refused. Summaries of thoughts are not asked
// for, since no answer of ours carries them.
func (e *requestEncoder) thinking() {
	r := e.req.Reasoning
	switch {
	case r.Level == neutral.LevelUnset:
		return
	case e.caps.Reasoning == neutral.ReasoningNone:
		if r.Level != neutral.LevelNone {
			e.notes.Drop(r.Field)
		}
		return
	case e.caps.Reasoning == neutral.ReasoningEffort && r.Level == neutral.LevelAdaptive:
		return // the model decides anyway
	case r.Level == neutral.LevelNone && e.caps.ThinkingOff:
	default:
		e.notes.Approximate(r.Field)
	}
	e.w.Key("thinkingConfig").Open('{')
	if e.caps.Reasoning == neutral.ReasoningEffort {
		e.w.Key("thinkingLevel").Text(e.level(r.Level))
	} else {
		e.w.Key("thinkingBudget").Int(e.budget(r))
	}
	e.w.Close('}')
}

// level is the model's own level that comes nearest. None is the least, since
// these models always think.
func (e *requestEncoder) level(l neutral.Level) string {
	switch {
	case l <= neutral.LevelMinimal && e.caps.MinimalLevel:
		return "MINIMAL"
	case l <= neutral.LevelLow:
		return "LOW"
	case l == neutral.LevelMedium && e.caps.MediumLevel:
		return "MEDIUM"
	}
	return "HIGH"
}

// budget is a number of tokens, which are part of the answer's limit: it
// leaves half of that to what the app gets to see.
func (e *requestEncoder) budget(r neutral.Reasoning) int64 {
	var tokens int64
	switch {
	case r.Budget > 0:
		tokens = r.Budget
	case r.Level == neutral.LevelAdaptive:
		return dynamicBudget
	case r.Level == neutral.LevelNone && e.caps.ThinkingOff:
		return 0
	case r.Level <= neutral.LevelMinimal:
		tokens = leastBudget
	case r.Level == neutral.LevelLow:
		tokens = 1024
	case r.Level == neutral.LevelMedium:
		tokens = 8192
	default:
		tokens = mostBudget
	}
	if limit := e.req.MaxTokens; limit > 0 {
		tokens = min(tokens, limit/2)
	}
	return min(max(tokens, leastBudget), mostBudget)
}
