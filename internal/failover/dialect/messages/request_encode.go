package messages

import (
	"strings"

	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
	"github.com/understudy-dev/understudy/internal/failover/dialect/wire"
)

// Limits of an answer for apps that set none. Chat without a limit means
// "until the model stops", and a low one would cut answers silently; a unary
// answer beyond the smaller one would outlast most clients.
const (
	defaultStreamTokens = 32000
	defaultUnaryTokens  = 16384
)

// idRule is what Anthropic demands of the ids of tool calls.
var idRule = neutral.IDRule{MaxLength: 64, WordOnly: true}

// maxCacheMarks is how many cache_control members one request may have.
const maxCacheMarks = 4

// requestEncoder writes a request. The first refusal stays in err.
type requestEncoder struct {
	w          wire.Writer
	req        *neutral.Request
	notes      *neutral.Notes
	err        error
	caps       neutral.Caps
	cacheMarks int
}

// EncodeRequest writes a request for an entry. It changes req. The error is a
// *failover.IneligibleError where Anthropic cannot serve it faithfully.
func EncodeRequest(req *neutral.Request, target neutral.Target, notes *neutral.Notes) ([]byte, error) {
	e := requestEncoder{req: req, notes: notes, caps: target.Caps}
	e.refuseShapes()
	e.dropHints()
	turns := e.turnsInOrder()
	if e.err != nil {
		return nil, e.err
	}
	w := &e.w
	w.Open('{')
	w.Key("model").Text(target.Model)
	limit := e.maxTokens()
	w.Key("max_tokens").Int(limit)
	e.system()
	e.turns(turns)
	e.tools(turns)
	e.stop()
	e.output(limit)
	e.user()
	e.serviceTier()
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

// refuseShapes refuses what would give the app an answer of another shape.
func (e *requestEncoder) refuseShapes() {
	if p := e.req.Count; p.Set() && string(p.Value) != "1" {
		e.refuse(p.Field, "Anthropic gives one choice")
	}
	if p := e.req.Logprobs; p.Set() && string(p.Value) != "false" {
		e.refuse(p.Field, "Anthropic gives no probabilities")
	}
}

// dropHints notes what is left out. Current Claude models answer 400 to
// sampling parameters, and older ones to some combinations of them, so they are
// dropped whatever the model.
func (e *requestEncoder) dropHints() {
	r := e.req
	e.notes.DropParams(r.Temperature, r.TopP, r.TopK, r.Verbosity)
	for _, p := range []neutral.Param{r.FrequencyPenalty, r.PresencePenalty, r.Seed, r.Biases} {
		switch string(p.Value) {
		case "0", "0.0", "{}": // the default
		default:
			e.notes.DropParams(p)
		}
	}
}

func (e *requestEncoder) maxTokens() int64 {
	switch {
	case e.req.MaxTokens > 0:
		return e.req.MaxTokens
	case e.req.Stream:
		return e.atMost(defaultStreamTokens)
	}
	return e.atMost(defaultUnaryTokens)
}

// atMost bounds a default by what the model can write.
func (e *requestEncoder) atMost(tokens int64) int64 {
	if limit := e.caps.MaxTokens; limit > 0 {
		return min(tokens, limit)
	}
	return tokens
}

// turnsInOrder brings the turns into the order that Anthropic demands.
func (e *requestEncoder) turnsInOrder() []neutral.Turn {
	turns, err := neutral.Alternate(e.req, e.caps, idRule, e.notes)
	if e.err == nil {
		e.err = err
	}
	return turns
}

// stop writes the stop sequences. Anthropic refuses those of white space only.
func (e *requestEncoder) stop() {
	var kept []string
	for _, s := range e.req.Stop.Sequences {
		if strings.TrimSpace(s) == "" {
			e.notes.Drop(e.req.Stop.Field)
			continue
		}
		kept = append(kept, s)
	}
	if len(kept) == 0 {
		return
	}
	e.w.Key("stop_sequences").Open('[')
	for _, s := range kept {
		e.w.Text(s)
	}
	e.w.Close(']')
}

// user writes the end user's id, unless it looks like an e-mail address or a
// telephone number, which Anthropic forbids.
func (e *requestEncoder) user() {
	id := e.req.User.Value.Text()
	switch {
	case id == "":
	case strings.Contains(id, "@"), strings.Trim(id, "+0123456789 ()-./") == "" && len(id) >= 7:
		e.notes.Drop(e.req.User.Field)
	default:
		e.w.Key("metadata").Open('{').Key("user_id").Text(id).Close('}')
	}
}

func (e *requestEncoder) serviceTier() {
	p := e.req.ServiceTier
	switch p.Value.Text() {
	case "":
	case "auto":
		e.w.Key("service_tier").Text("auto")
	case "default":
		e.w.Key("service_tier").Text("standard_only")
	case "priority", "fast", "scale":
		e.w.Key("service_tier").Text("auto")
		e.notes.Approximate(p.Field)
	default:
		e.notes.Drop(p.Field)
	}
}
