package responses

import (
	"slices"

	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
	"github.com/understudy-dev/understudy/internal/failover/dialect/openai"
	"github.com/understudy-dev/understudy/internal/failover/dialect/wire"
)

const (
	minTokens     = 16 // the smallest limit of an answer that OpenAI takes
	maxUserLength = 64 // characters of safety_identifier
	maxNameLength = 64 // characters of a tool's name
)

// requestEncoder writes a request. The first refusal stays in err.
type requestEncoder struct {
	w      wire.Writer
	req    *neutral.Request
	notes  *neutral.Notes
	err    error
	target neutral.Target
}

// EncodeRequest writes a request for an entry. It changes req. The error is a
// *failover.IneligibleError where Responses cannot serve it faithfully.
func EncodeRequest(req *neutral.Request, target neutral.Target, notes *neutral.Notes) ([]byte, error) {
	e := requestEncoder{req: req, notes: notes, target: target}
	e.refuseShapes()
	e.dropHints()
	idRule.Rewrite(req.Turns)
	w := &e.w
	w.Open('{')
	w.Key("model").Text(target.Model)
	w.Key("input").Open('[')
	e.input()
	w.Close(']')
	if req.MaxTokens > 0 {
		if req.MaxTokens < minTokens {
			e.notes.Approximate("max_tokens")
		}
		w.Key("max_output_tokens").Int(max(req.MaxTokens, minTokens))
	}
	e.tools()
	e.sampling()
	e.reasoning()
	e.text()
	e.user()
	e.serviceTier()
	w.Key("store").Bool(false) // an app of another dialect never asked for it
	if req.Stream {
		w.Key("stream").Bool(true)
	}
	w.Close('}')
	return w.Buf, e.err
}

func (e *requestEncoder) refuse(field, reason string) {
	if e.err == nil {
		e.err = neutral.Refuse(field, reason)
	}
}

// takes reports whether the server knows an optional member, by its name in
// Chat.
func (e *requestEncoder) takes(member string) bool { return !slices.Contains(e.target.Refused, member) }

// refuseShapes refuses what would give the app an answer of another shape.
func (e *requestEncoder) refuseShapes() {
	if p := e.req.Count; p.Set() && string(p.Value) != "1" {
		e.refuse(p.Field, "Responses gives one answer")
	}
	if p := e.req.Logprobs; p.Set() && string(p.Value) != "false" {
		e.refuse(p.Field, "probabilities cannot be translated")
	}
	if len(e.req.Stop.Sequences) > 0 {
		e.refuse(e.req.Stop.Field, "Responses takes no stop sequences")
	}
}

// dropHints notes what is left out.
func (e *requestEncoder) dropHints() {
	r := e.req
	e.notes.DropParams(r.TopK)
	for _, p := range []neutral.Param{r.FrequencyPenalty, r.PresencePenalty, r.Seed, r.Biases} {
		switch string(p.Value) {
		case "0", "0.0", "{}": // the default
		default:
			e.notes.DropParams(p)
		}
	}
}

func (e *requestEncoder) sampling() {
	for _, p := range []struct {
		name string
		neutral.Param
	}{{"temperature", e.req.Temperature}, {"top_p", e.req.TopP}} {
		switch {
		case !e.target.Caps.Sampling:
			e.notes.DropParams(p.Param)
		case p.Set():
			e.w.Key(p.name).Raw(p.Value)
		}
	}
}

// reasoning asks for an amount of thinking. A model that is not told how much
// to think answers 400 to it.
func (e *requestEncoder) reasoning() {
	r, caps := e.req.Reasoning, e.target.Caps
	level := r.Level
	switch {
	case level == neutral.LevelUnset, level == neutral.LevelAdaptive && caps.Reasoning != neutral.ReasoningNone:
		return // the model decides
	case caps.Reasoning == neutral.ReasoningNone, !e.takes("reasoning_effort"):
		if level != neutral.LevelNone {
			e.notes.Drop(r.Field)
		}
		return
	case level == neutral.LevelNone && !caps.ThinkingOff:
		level = neutral.LevelLow // the least that all reasoning models know
	}
	if !r.Worded || level != r.Level {
		e.notes.Approximate(r.Field)
	}
	e.w.Key("reasoning").Open('{').Key("effort").Text(level.Word()).Close('}')
}

// tools writes the tools. What is not said would make them strict, so it is
// always said.
func (e *requestEncoder) tools() {
	if len(e.req.Tools) == 0 { // a choice without tools is an error
		return
	}
	w := &e.w
	w.Key("tools").Open('[')
	for _, t := range e.req.Tools {
		e.name(t.Field+".name", t.Name)
		isStrict := t.Strict && openai.Strict(t.Schema)
		if t.Strict && !isStrict {
			e.notes.Drop("tools.strict")
		}
		w.Open('{').Key("type").Text("function").Key("name").Text(t.Name)
		if t.Description != "" {
			w.Key("description").Text(t.Description)
		}
		w.Key("parameters").Raw(t.Schema).Key("strict").Bool(isStrict).Close('}')
	}
	w.Close(']')
	e.choice()
	switch {
	case !e.req.SerialCalls || e.req.Choice.Mode == neutral.None:
	case e.takes("parallel_tool_calls"):
		w.Key("parallel_tool_calls").Bool(false)
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
	w := &e.w
	switch e.req.Choice.Mode {
	case neutral.Auto:
		w.Key("tool_choice").Text("auto")
	case neutral.None:
		w.Key("tool_choice").Text("none")
	case neutral.Required:
		w.Key("tool_choice").Text("required")
	case neutral.Named:
		w.Key("tool_choice").Open('{').Key("type").Text("function").Key("name").Text(e.req.Choice.Name).Close('}')
	}
}

// text writes what the answer must look like.
func (e *requestEncoder) text() {
	f, verbosity := e.req.Format, e.req.Verbosity
	if !e.target.OpenAI {
		e.notes.DropParams(verbosity)
		verbosity = neutral.Param{}
	}
	if f == nil && !verbosity.Set() {
		return
	}
	w := &e.w
	w.Key("text").Open('{')
	switch {
	case f == nil:
	case f.Schema == nil:
		w.Key("format").Open('{').Key("type").Text("json_object").Close('}')
	default:
		isStrict := f.Strict && openai.Strict(f.Schema)
		if f.Strict && !isStrict {
			e.notes.Approximate(f.Field)
		}
		w.Key("format").Open('{').Key("type").Text("json_schema").Key("name").Text(f.Name)
		w.Key("schema").Raw(f.Schema).Key("strict").Bool(isStrict).Close('}')
	}
	if verbosity.Set() {
		w.Key("verbosity").Raw(verbosity.Value)
	}
	w.Close('}')
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
	case word == "":
		e.notes.Drop(p.Field)
	case e.target.OpenAI:
		e.w.Key("service_tier").Text(word)
	}
}
