package models

import (
	"path"
	"testing"

	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
)

func TestEveryModelHasARow(t *testing.T) {
	for _, r := range rows {
		if _, err := path.Match(r.match, "x"); err != nil {
			t.Errorf("%q: %v", r.match, err)
		}
	}
	if last := rows[len(rows)-1].match; last != "*" {
		t.Errorf("the last row matches %q, so some models have no row", last)
	}
}

func TestCloudNamesAreTheirModels(t *testing.T) {
	for name, want := range map[string]string{
		"claude-opus-4-5":                               "claude-opus-4-5",
		"claude-opus-4.1":                               "claude-opus-4-1",
		"anthropic/claude-opus-4.5":                     "claude-opus-4-5",
		"us.anthropic.claude-sonnet-4-5-20250929-v1:0":  "claude-sonnet-4-5-20250929-v1:0",
		"anthropic.claude-opus-4-8":                     "claude-opus-4-8",
		"claude-haiku-4-5@20251001":                     "claude-haiku-4-5-20251001",
		"publishers/google/models/gemini-3-pro-preview": "gemini-3-pro-preview",
		"GPT-4o":             "gpt-4o",
		"gpt-4.1":            "gpt-4-1",
		"meta.llama3-70b-v1": "llama3-70b-v1",
	} {
		if got := plain(name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

func TestWhatModelsAccept(t *testing.T) {
	for name, want := range map[string]struct {
		reasoning                    neutral.ReasoningStyle
		forced, prefill, schema, off bool
	}{
		"claude-opus-5-5":            {neutral.ReasoningEffort, false, false, true, false},
		"claude-opus-5":              {neutral.ReasoningEffort, true, false, true, false},
		"claude-haiku-5-5":           {neutral.ReasoningEffort, false, false, true, true},
		"claude-opus-4-8":            {neutral.ReasoningEffort, true, true, true, true},
		"claude-haiku-4-5":           {neutral.ReasoningBudget, true, true, true, true},
		"claude-sonnet-4-5-20250929": {neutral.ReasoningBudget, true, true, true, true},
		"claude-sonnet-4-20250514":   {neutral.ReasoningBudget, true, true, false, true},
		"claude-3-5-haiku-20241022":  {neutral.ReasoningNone, true, true, false, false},
		"gpt-4o-mini":                {neutral.ReasoningNone, true, false, true, false},
		"gpt-5.2":                    {neutral.ReasoningEffort, true, false, true, true},
		"gemini-2.5-flash":           {neutral.ReasoningBudget, true, true, true, true},
		"gemini-3-pro":               {neutral.ReasoningEffort, true, true, true, false},
		"llama-3.3-70b":              {neutral.ReasoningNone, true, false, true, false},
	} {
		c := Of(name)
		if c.Reasoning != want.reasoning || c.ForcedTools != want.forced || c.Prefill != want.prefill || c.Schema != want.schema || c.ThinkingOff != want.off {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

func TestGeminiModelsDiffer(t *testing.T) {
	type facts struct{ sampling, penalties, together, signed, ids, minimal, medium bool }
	for name, want := range map[string]facts{
		"gemini-2.0-flash":               {true, true, false, false, false, false, false},
		"gemini-2.5-pro":                 {true, false, false, false, false, false, false},
		"models/gemini-3-pro-preview":    {true, false, true, true, false, false, false},
		"gemini-3-flash-preview":         {true, false, true, true, false, true, true},
		"gemini-3.1-pro-preview":         {true, false, true, true, false, false, true},
		"google/gemini-3.1-flash-lite":   {true, false, true, true, false, true, true},
		"gemini-3.5-flash":               {false, false, true, true, true, true, true},
		"gemini-3.8-flash":               {false, false, true, true, true, false, true},
		"gemini-4-argon":                 {false, false, true, true, true, false, false},
		"projects/p/endpoints/123456789": {true, false, false, false, false, false, false},
	} {
		c := Of(name)
		if got := (facts{c.Sampling, c.Penalties, c.SchemaWithTools, c.Signatures, c.CallIDs, c.MinimalLevel, c.MediumLevel}); got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	if off := Of("gemini-2.5-pro").ThinkingOff; off {
		t.Error("gemini-2.5-pro always thinks")
	}
}
