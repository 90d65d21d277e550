package converse

import (
	"cmp"

	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
	"github.com/understudy-dev/understudy/internal/failover/dialect/schema"
)

// output writes how the model is to think and what its answer must look like,
// and what only the model itself knows.
func (e *requestEncoder) output() {
	t := e.thinking()
	f := e.req.Format
	hasFormat := f != nil && f.Schema != nil // without a schema it is an instruction, see system
	if t.Effort != "" || hasFormat {
		e.w.Key("outputConfig").Open('{')
		if t.Effort != "" {
			e.w.Key("effort").Text(t.Effort)
		}
		if hasFormat {
			e.format(f)
		}
		e.w.Close('}')
	}
	if t.Type == "" && !e.serial() {
		return
	}
	e.w.Key("additionalModelRequestFields").Open('{')
	if t.Type != "" {
		e.w.Key("thinking")
		t.Write(&e.w)
	}
	if e.serial() {
		e.claudeChoice()
	}
	e.w.Close('}')
}

// thinking asks for an amount of thinking: of Claude in its own words, of other
// models that are told a level by low, medium or high.
func (e *requestEncoder) thinking() neutral.Thinking {
	if e.caps.Claude {
		return e.req.Thinking(e.caps, cmp.Or(e.req.MaxTokens, e.caps.MaxTokens), e.notes)
	}
	wish := e.req.Reasoning
	switch {
	case wish.Level == neutral.LevelUnset, wish.Level == neutral.LevelNone && e.caps.Reasoning == neutral.ReasoningNone:
		return neutral.Thinking{}
	case e.caps.Reasoning != neutral.ReasoningEffort, wish.Level == neutral.LevelAdaptive:
		e.notes.Drop(wish.Field)
		return neutral.Thinking{}
	}
	e.notes.Approximate(wish.Field)
	return neutral.Thinking{Effort: min(max(wish.Level, neutral.LevelLow), neutral.LevelHigh).Word()}
}

// format binds the answer to a schema, which Bedrock takes as the text of one.
func (e *requestEncoder) format(f *neutral.Format) {
	if !e.caps.Schema {
		e.refuse(f.Field, "this model cannot be bound to a schema")
		return
	}
	answer, exact, ok := schema.Restrict(f.Schema)
	if !ok {
		e.refuse(f.Field+".schema", "Bedrock cannot promise objects with free keys, nor of such depth")
		return
	}
	if !exact {
		e.notes.Approximate(f.Field)
	}
	w := &e.w
	w.Key("textFormat").Open('{').Key("type").Text("json_schema").Key("structure").Open('{')
	w.Key("jsonSchema").Open('{').Key("schema").Text(string(answer))
	if f.Name != "" {
		w.Key("name").Text(f.Name)
	}
	w.Close('}').Close('}').Close('}')
}
