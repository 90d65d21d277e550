package gemini

import (
	"slices"

	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
	"github.com/understudy-dev/understudy/internal/failover/dialect/wire"
)

// maxStops is how many stop sequences one request may have.
const maxStops = 5

// requestEncoder writes a request. The first refusal stays in err.
type requestEncoder struct {
	w     wire.Writer
	req   *neutral.Request
	notes *neutral.Notes
	err   error
	caps  neutral.Caps
	names map[string]string // of the tools that were called, by the call's id
}

// EncodeRequest writes a request for an entry. It changes req. The model and
// whether the answer is streamed are told by the path. The error is a
// *failover.IneligibleError where Gemini cannot serve it faithfully.
func EncodeRequest(req *neutral.Request, target neutral.Target, notes *neutral.Notes) ([]byte, error) {
	e := requestEncoder{req: req, notes: notes, caps: target.Caps, names: map[string]string{}}
	e.refuseShapes()
	turns := e.arrange()
	if e.err != nil {
		return nil, e.err
	}
	e.w.Open('{')
	e.contents(turns)
	e.system()
	e.tools()
	e.config()
	e.w.Close('}')
	return e.w.Buf, e.err
}

func (e *requestEncoder) refuse(field, reason string) {
	if e.err == nil {
		e.err = neutral.Refuse(field, reason)
	}
}

// refuseShapes refuses what would give the app an answer of another shape:
// Gemini has candidates and probabilities, the neutral form has neither.
func (e *requestEncoder) refuseShapes() {
	if p := e.req.Count; p.Set() && string(p.Value) != "1" {
		e.refuse(p.Field, "only one choice can be translated")
	}
	if p := e.req.Logprobs; p.Set() && string(p.Value) != "false" {
		e.refuse(p.Field, "probabilities cannot be translated")
	}
}

// config writes the generationConfig, if it has a member.
func (e *requestEncoder) config() {
	whole := e.w
	e.w = wire.Writer{}
	e.sampling()
	e.maxTokens()
	e.stop()
	e.format()
	e.thinking()
	members := e.w.Buf
	e.w = whole
	if len(members) > 0 {
		e.w.Key("generationConfig").Raw(slices.Concat([]byte("{"), members, []byte("}")))
	}
}

// sampling carries what the model knows, and notes what it does not. A penalty
// of zero, an empty bias and the ordinary tier are what Gemini does anyway.
func (e *requestEncoder) sampling() {
	r := e.req
	for _, p := range []struct {
		name      string
		known     bool
		isDefault bool
		neutral.Param
	}{
		{"temperature", e.caps.Sampling, false, r.Temperature},
		{"topP", e.caps.Sampling, false, r.TopP},
		{"topK", e.caps.Sampling, false, r.TopK},
		{"presencePenalty", e.caps.Penalties, isZero(r.PresencePenalty), r.PresencePenalty},
		{"frequencyPenalty", e.caps.Penalties, isZero(r.FrequencyPenalty), r.FrequencyPenalty},
		{"", false, string(neutral.Compact(r.Biases.Value)) == "{}", r.Biases},
		{"", false, false, r.Verbosity},
		{"", false, isOrdinaryTier(r.ServiceTier), r.ServiceTier},
	} {
		switch {
		case !p.Set() || p.isDefault:
		case p.known:
			e.w.Key(p.name).Raw(p.Value)
		default:
			e.notes.Drop(p.Field)
		}
	}
	e.seed()
}

func isZero(p neutral.Param) bool { return string(p.Value) == "0" || string(p.Value) == "0.0" }

func isOrdinaryTier(p neutral.Param) bool {
	return slices.Contains([]string{"auto", "default", "standard_only"}, p.Value.Text())
}

// seed is a number of 32 bits here, and no promise of the same answer.
func (e *requestEncoder) seed() {
	p := e.req.Seed
	n, ok := neutral.Whole(p.Value)
	switch {
	case !p.Set():
	case ok && n == int64(int32(n)):
		e.w.Key("seed").Int(n)
		e.notes.Approximate(p.Field)
	default:
		e.notes.Drop(p.Field)
	}
}

// maxTokens limits the answer, thoughts included, to what the model can write.
func (e *requestEncoder) maxTokens() {
	n := e.req.MaxTokens
	if limit := e.caps.MaxTokens; limit > 0 && n > limit {
		n = limit
		e.notes.Approximate("max_tokens")
	}
	if n > 0 {
		e.w.Key("maxOutputTokens").Int(n)
	}
}

func (e *requestEncoder) stop() {
	field := e.req.Stop.Field
	sequences := slices.DeleteFunc(slices.Clone(e.req.Stop.Sequences), func(s string) bool { return s == "" })
	switch {
	case len(sequences) == 0:
		return
	case !e.caps.Stop:
		e.refuse(field, "this model takes no stop sequences")
		return
	case len(sequences) > maxStops:
		sequences = sequences[:maxStops]
		e.notes.Drop(field)
	}
	e.w.Key("stopSequences").Open('[')
	for _, s := range sequences {
		e.w.Text(s)
	}
	e.w.Close(']')
}

// format asks for JSON, and with a schema for JSON of that shape.
func (e *requestEncoder) format() {
	f := e.req.Format
	switch {
	case f == nil:
		return
	case f.Schema != nil && !e.caps.Schema:
		e.refuse(f.Field, "this model cannot be bound to a schema")
		return
	case len(e.req.Tools) > 0 && !e.caps.SchemaWithTools:
		e.refuse(f.Field, "this model either calls tools or answers in JSON")
		return
	}
	e.w.Key("responseMimeType").Text("application/json")
	if f.Schema != nil {
		e.w.Key("responseJsonSchema").Raw(cleanSchema(f.Schema))
	}
}
