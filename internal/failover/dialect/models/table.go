package models

import "github.com/understudy-dev/understudy/internal/failover/dialect/neutral"

// row is what is known of the models whose plain name a pattern of path.Match
// matches.
type row struct {
	match string
	neutral.Caps
}

// What several rows share.
var (
	// effort are Claude models that are told to think by a level; they refuse
	// sampling parameters, as all current ones do.
	effort = neutral.Caps{Reasoning: neutral.ReasoningEffort, Schema: true, SystemTurns: true, Stop: true, MaxTokens: 128_000}
	// free are models without known peculiarities.
	free = neutral.Caps{Schema: true, Sampling: true, ForcedTools: true, SystemTurns: true, Stop: true}
)

// with returns a copy that a function has changed.
func with(c neutral.Caps, change func(*neutral.Caps)) neutral.Caps {
	change(&c)
	return c
}

// rows are looked through in order; the first match counts.
var rows = []row{
	{"claude-opus-4-[89]*", with(effort, func(c *neutral.Caps) { c.ThinkingOff, c.ForcedTools, c.Prefill = true, true, true })},
	{"claude-*-4-[67]*", with(effort, func(c *neutral.Caps) {
		c.ThinkingOff, c.ForcedTools, c.Prefill, c.SystemTurns, c.MaxTokens = true, true, true, false, 64_000
	})},
	{"claude-*-4-5*", neutral.Caps{Reasoning: neutral.ReasoningBudget, ThinkingOff: true, Schema: true, ForcedTools: true, Prefill: true, Stop: true, MaxTokens: 64_000}},
	{"claude-*-4-*", neutral.Caps{Reasoning: neutral.ReasoningBudget, ThinkingOff: true, ForcedTools: true, Prefill: true, Stop: true, MaxTokens: 32_000}},
	{"claude-3-7*", neutral.Caps{Reasoning: neutral.ReasoningBudget, ThinkingOff: true, ForcedTools: true, Prefill: true, Stop: true, MaxTokens: 64_000}},
	{"claude-3*", neutral.Caps{ForcedTools: true, Prefill: true, Stop: true, MaxTokens: 8192}},
	// The family after 5.0 answers 400 to a forced call, and those other than
	// Haiku to thinking that is switched off.
	{"claude-haiku-5-[1-9]", with(effort, func(c *neutral.Caps) { c.ThinkingOff, c.MaxTokens = true, 64_000 })},
	{"claude-*-5-[1-9]", effort},
	{"claude-*-5", with(effort, func(c *neutral.Caps) { c.ForcedTools = true })},
	{"claude-*-5-20*", with(effort, func(c *neutral.Caps) { c.ForcedTools = true })},
	{"claude*", neutral.Caps{Schema: true, Stop: true}},

	{"o[1-9]*", neutral.Caps{Reasoning: neutral.ReasoningEffort, Schema: true, ForcedTools: true, SystemTurns: true}},
	{"gpt-5*chat*", free},
	{"gpt-[5-9]*", neutral.Caps{Reasoning: neutral.ReasoningEffort, ThinkingOff: true, Schema: true, ForcedTools: true, SystemTurns: true}},
	{"gpt-oss*", with(free, func(c *neutral.Caps) { c.Reasoning = neutral.ReasoningEffort })},

	{"gemini-2*", with(free, func(c *neutral.Caps) {
		c.Reasoning, c.ThinkingOff, c.SystemTurns, c.Prefill = neutral.ReasoningBudget, true, false, true
	})},
	{"gemini*", with(free, func(c *neutral.Caps) { c.Reasoning, c.SystemTurns, c.Prefill = neutral.ReasoningEffort, false, true })},

	{"*", free},
}
