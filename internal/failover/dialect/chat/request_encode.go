package chat

import (
	"slices"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
	"github.com/understudy-dev/understudy/internal/failover/dialect/openai"
	"github.com/understudy-dev/understudy/internal/failover/dialect/wire"
)

const (
	maxStops       = 4  // stop sequences in one request
	maxUserLength  = 64 // characters of safety_identifier
	maxNameLength  = 64 // characters of a tool's name
	openAIMaxField = "max_completion_tokens"
)

// requestEncoder writes a request. The first refusal stays in err.
type requestEncoder struct {
	w      wire.Writer
	req    *neutral.Request
	notes  *neutral.Notes
	err    error
	target neutral.Target
	caps   neutral.Caps
}

// EncodeRequest writes a request for an entry. It changes req. The error is a
// *failover.IneligibleError where Chat cannot serve it faithfully.
func EncodeRequest(req *neutral.Request, target neutral.Target, notes *neutral.Notes) ([]byte, error) {
	e := requestEncoder{req: req, notes: notes, target: target, caps: target.Caps}
	idRuleOf(target.ToolIDs).Rewrite(req.Turns)
	w := &e.w
	w.Open('{')
	w.Key("model").Text(target.Model)
	w.Key("messages").Open('[')
	e.messages()
	w.Close(']')
	if req.MaxTokens > 0 {
		field := target.MaxTokensField
		if field == "" {
			field = openAIMaxField
		}
		w.Key(field).Int(req.MaxTokens)
	}
	e.tools()
	e.stop()
	e.sampling()
	e.format()
	e.user()
	e.serviceTier()
	if req.Stream {
		w.Key("stream").Bool(true)
		if target.StreamUsage == failover.UsageOnRequest {
			w.Key("stream_options").Open('{').Key("include_usage").Bool(true).Close('}')
		}
	}
	w.Close('}')
	return w.Buf, e.err
}

func (e *requestEncoder) refuse(field, reason string) {
	if e.err == nil {
		e.err = neutral.Refuse(field, reason)
	}
}

// takes reports whether the server knows an optional member.
func (e *requestEncoder) takes(member string) bool { return !slices.Contains(e.target.Refused, member) }

// idRuleOf is what a server demands of the ids of tool calls.
func idRuleOf(form failover.ToolIDs) neutral.IDRule {
	if form == failover.Mistral9 {
		return neutral.IDRule{ExactLength: 9, MaxLength: 9, Alphanumeric: true}
	}
	return idRule
}

// sampling carries what Chat and the model know.
func (e *requestEncoder) sampling() {
	r := e.req
	for _, p := range []struct {
		name string
		neutral.Param
	}{{"temperature", r.Temperature}, {"top_p", r.TopP}} {
		switch {
		case !e.caps.Sampling || !e.takes(p.name):
			e.notes.DropParams(p.Param)
		case p.Set():
			e.w.Key(p.name).Raw(p.Value)
		}
	}
	e.notes.DropParams(r.TopK)
	switch {
	case !r.Verbosity.Set():
	case e.target.OpenAI:
		e.w.Key("verbosity").Raw(r.Verbosity.Value)
	default:
		e.notes.DropParams(r.Verbosity)
	}
	e.reasoning()
}

// reasoning asks for an amount of thinking. A model that is not told how much
// to think answers 400 to it.
func (e *requestEncoder) reasoning() {
	r := e.req.Reasoning
	level := r.Level
	switch {
	case level == neutral.LevelUnset, level == neutral.LevelAdaptive && e.caps.Reasoning != neutral.ReasoningNone:
		return // the model decides
	case e.caps.Reasoning == neutral.ReasoningNone, !e.takes("reasoning_effort"):
		if level != neutral.LevelNone {
			e.notes.Drop(r.Field)
		}
		return
	case level == neutral.LevelNone && !e.caps.ThinkingOff:
		level = neutral.LevelLow // the least that all reasoning models know
	}
	if !r.Worded || level != r.Level {
		e.notes.Approximate(r.Field)
	}
	e.w.Key("reasoning_effort").Text(level.Word())
}

func (e *requestEncoder) tools() {
	if len(e.req.Tools) == 0 { // a choice without tools is an error
		return
	}
	e.w.Key("tools").Open('[')
	for _, t := range e.req.Tools {
		e.name(t.Field+".name", t.Name)
		e.w.Open('{').Key("type").Text("function").Key("function").Open('{')
		e.w.Key("name").Text(t.Name)
		if t.Description != "" {
			e.w.Key("description").Text(t.Description)
		}
		if t.Schema.Present() {
			e.w.Key("parameters").Raw(t.Schema)
		}
		if t.Strict {
			if openai.Strict(t.Schema) {
				e.w.Key("strict").Bool(true)
			} else {
				e.notes.Drop("tools.strict")
			}
		}
		e.w.Close('}').Close('}')
	}
	e.w.Close(']')
	e.choice()
	switch {
	case !e.req.SerialCalls || e.req.Choice.Mode == neutral.None:
	case e.takes("parallel_tool_calls"):
		e.w.Key("parallel_tool_calls").Bool(false)
	default:
		e.notes.Drop("parallel_tool_calls")
	}
}

func (e *requestEncoder) name(field, name string) {
	if !neutral.IsWord(name) || len(name) > maxNameLength {
		e.refuse(field, "OpenAI takes up to 64 letters, digits, underscores and hyphens")
	}
}

func (e *requestEncoder) choice() {
	switch e.req.Choice.Mode {
	case neutral.Auto:
		e.w.Key("tool_choice").Text("auto")
	case neutral.None:
		e.w.Key("tool_choice").Text("none")
	case neutral.Required:
		e.w.Key("tool_choice").Text("required")
	case neutral.Named:
		e.w.Key("tool_choice").Open('{').Key("type").Text("function")
		e.w.Key("function").Open('{').Key("name").Text(e.req.Choice.Name).Close('}').Close('}')
	}
}

func (e *requestEncoder) stop() {
	sequences := e.req.Stop.Sequences
	if len(sequences) == 0 {
		return
	}
	if !e.caps.Stop {
		e.refuse(e.req.Stop.Field, "this model takes no stop sequences")
		return
	}
	if len(sequences) > maxStops {
		sequences = sequences[:maxStops]
		e.notes.Drop(e.req.Stop.Field)
	}
	e.w.Key("stop").Open('[')
	for _, s := range sequences {
		e.w.Text(s)
	}
	e.w.Close(']')
}

func (e *requestEncoder) format() {
	f := e.req.Format
	if f == nil {
		return
	}
	if f.Schema == nil {
		e.w.Key("response_format").Open('{').Key("type").Text("json_object").Close('}')
		return
	}
	isStrict := f.Strict && openai.Strict(f.Schema)
	if f.Strict && !isStrict {
		e.notes.Approximate(f.Field)
	}
	e.w.Key("response_format").Open('{').Key("type").Text("json_schema")
	e.w.Key("json_schema").Open('{').Key("name").Text(f.Name)
	e.w.Key("schema").Raw(f.Schema).Key("strict").Bool(isStrict)
	e.w.Close('}').Close('}')
}

// user writes the end user's id under the name that the server knows.
func (e *requestEncoder) user() {
	id := e.req.User.Value.Text()
	switch {
	case id == "":
	case e.target.OpenAI:
		e.w.Key("safety_identifier").Text(neutral.Shorten(id, maxUserLength))
	case e.takes("user"):
		e.w.Key("user").Text(id)
	}
}

// serviceTier is OpenAI's own; elsewhere it would be an unknown member.
func (e *requestEncoder) serviceTier() {
	p := e.req.ServiceTier
	word := openai.ServiceTier(p.Value.Text())
	switch {
	case !p.Set():
	case word == "", !e.target.OpenAI && word != "auto" && word != "default":
		e.notes.Drop(p.Field)
	case e.target.OpenAI:
		e.w.Key("service_tier").Text(word)
	}
}
