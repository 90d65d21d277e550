package messages

import (
	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
	"github.com/understudy-dev/understudy/internal/failover/dialect/schema"
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

// reasoning asks for an amount of thinking and returns the level, where the
// model is told one.
func (e *requestEncoder) reasoning(limit int64) (effort string) {
	t := e.req.Thinking(e.caps, limit, e.notes)
	if t.Type != "" {
		e.w.Key("thinking")
		t.Write(&e.w)
	}
	return t.Effort
}

func (e *requestEncoder) format(f *neutral.Format) {
	if !e.caps.Schema {
		e.refuse(f.Field, "this model cannot be bound to a schema")
		return
	}
	answer, exact, ok := schema.Restrict(f.Schema)
	if !ok {
		e.refuse(f.Field+".schema", "Anthropic cannot promise objects with free keys, nor of such depth")
		return
	}
	if !exact {
		e.notes.Approximate(f.Field)
	}
	e.w.Key("format").Open('{')
	e.w.Key("type").Text("json_schema").Key("schema").Raw(answer)
	e.w.Close('}')
}
