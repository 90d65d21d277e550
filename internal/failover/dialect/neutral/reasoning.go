package neutral

// Reasoning is how much the app wants a model to think before it answers.
type Reasoning struct {
	// Field is the app's member, for notes; empty where it set nothing.
	Field string
	Level Level
	// Worded tells that the app said the level in OpenAI's own words.
	Worded bool
	// Budget is the limit of thinking in tokens that the app set; 0: none.
	// Level is then the one that comes nearest to it.
	Budget int64
	// Shown asks for a summary of the thoughts in the answer.
	Shown bool
}

// Level is an amount of reasoning, in the words of OpenAI's reasoning_effort.
type Level uint8

// The levels. LevelUnset leaves the provider's default; LevelAdaptive leaves
// the amount to the model, but asks it to think.
const (
	LevelUnset Level = iota
	LevelNone
	LevelMinimal
	LevelLow
	LevelMedium
	LevelHigh
	LevelXHigh
	LevelMax
	LevelAdaptive
)

var levelWords = [...]string{
	LevelNone: "none", LevelMinimal: "minimal", LevelLow: "low", LevelMedium: "medium", LevelHigh: "high",
	LevelXHigh: "xhigh", LevelMax: "max",
}

// LevelOf reads a word of OpenAI's or Anthropic's effort. An unknown word is
// LevelUnset.
func LevelOf(word string) Level {
	for l, w := range levelWords {
		if w != "" && w == word {
			return Level(l)
		}
	}
	return LevelUnset
}

// Word is the level in OpenAI's words, which are Anthropic's from low to max;
// empty for LevelUnset and LevelAdaptive.
func (l Level) Word() string {
	if int(l) < len(levelWords) {
		return levelWords[l]
	}
	return ""
}

// Budgets of models that take a number of tokens instead of a level. Each is
// the upper bound of its level when a budget is read.
const (
	budgetLow    = 2048
	budgetMedium = 8192
	budgetHigh   = 24576
	budgetXHigh  = 32000
)

// Tokens is a budget for models that take one; 0 for a level that needs none.
func (r Reasoning) Tokens() int64 {
	switch {
	case r.Budget > 0:
		return r.Budget
	case r.Level == LevelMinimal:
		return 1024
	case r.Level == LevelLow:
		return budgetLow
	case r.Level == LevelMedium, r.Level == LevelAdaptive:
		return budgetMedium
	case r.Level == LevelHigh:
		return 16384
	case r.Level >= LevelXHigh:
		return budgetXHigh
	}
	return 0
}

// LevelOfBudget is the level that comes nearest to a budget.
func LevelOfBudget(tokens int64) Level {
	switch {
	case tokens <= 0:
		return LevelNone
	case tokens <= budgetLow:
		return LevelLow
	case tokens <= budgetMedium:
		return LevelMedium
	case tokens <= budgetHigh:
		return LevelHigh
	}
	return LevelXHigh
}
