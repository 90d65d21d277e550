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
	// gemini2 are the Gemini models of the second generation, which think by
	// a budget, and gemini3 those after them, which do by a level.
	gemini2 = neutral.Caps{
		Reasoning: neutral.ReasoningBudget, ThinkingOff: true, Schema: true, Sampling: true, ForcedTools: true, Prefill: true, Stop: true, MaxTokens: 65_536,
	}
	gemini3 = neutral.Caps{
		Reasoning: neutral.ReasoningEffort, Schema: true, ForcedTools: true, Prefill: true, Stop: true, MaxTokens: 65_536,
		SchemaWithTools: true, Signatures: true,
	}
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

	{"gemini-2-0*", with(gemini2, func(c *neutral.Caps) {
		c.Reasoning, c.ThinkingOff, c.Penalties, c.MaxTokens = neutral.ReasoningNone, false, true, 8192
	})},
	{"gemini-2-5-pro*", with(gemini2, func(c *neutral.Caps) { c.ThinkingOff = false })},
	{"gemini-2*", gemini2},
	{"gemini-3-pro*", with(gemini3, func(c *neutral.Caps) { c.Sampling = true })},
	{"gemini-3-flash*", with(gemini3, func(c *neutral.Caps) { c.Sampling, c.MinimalLevel, c.MediumLevel = true, true, true })},
	{"gemini-3-1-flash*", with(gemini3, func(c *neutral.Caps) { c.Sampling, c.MinimalLevel, c.MediumLevel = true, true, true })},
	{"gemini-3-1*", with(gemini3, func(c *neutral.Caps) { c.Sampling, c.MediumLevel = true, true })},
	// From 3.5 on, sampling parameters are deprecated, and ids of calls are
	// insisted on.
	{"gemini-3-5*", with(gemini3, func(c *neutral.Caps) { c.CallIDs, c.MinimalLevel, c.MediumLevel = true, true, true })},
	{"gemini-3-[6-8]*", with(gemini3, func(c *neutral.Caps) { c.CallIDs, c.MediumLevel = true, true })},
	{"gemini*", with(gemini3, func(c *neutral.Caps) { c.CallIDs = true })},

	{"*", free},
}
