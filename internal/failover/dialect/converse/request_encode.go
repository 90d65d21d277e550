package converse

import (
	"cmp"
	"strings"

	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
	"github.com/understudy-dev/understudy/internal/failover/dialect/wire"
)

// idRule is what Bedrock demands of the ids of tool calls.
var idRule = neutral.IDRule{MaxLength: 64, WordOnly: true}

// maxCachePoints is how many cache points one request may have.
const maxCachePoints = 4

// requestEncoder writes a request. The first refusal stays in err.
type requestEncoder struct {
	w           wire.Writer
	req         *neutral.Request
	notes       *neutral.Notes
	err         error
	caps        neutral.Caps
	cachePoints int
	documents   map[string]bool // names that are taken
}

// EncodeRequest writes a request for an entry. It changes req. The model and
// whether the answer is streamed stand in the path, and so not here. The error
// is a *failover.IneligibleError where Bedrock cannot serve it faithfully.
func EncodeRequest(req *neutral.Request, target neutral.Target, notes *neutral.Notes) ([]byte, error) {
	e := requestEncoder{req: req, notes: notes, caps: target.Caps, documents: map[string]bool{}}
	e.refuseShapes()
	e.dropHints()
	turns, err := neutral.Alternate(req, e.caps, idRule, notes)
	if err := cmp.Or(e.err, err); err != nil {
		return nil, err
	}
	w := &e.w
	w.Open('{')
	e.turns(turns)
	e.system()
	e.inference()
	e.tools(turns)
	e.output()
	e.serviceTier()
	e.metadata()
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
		e.refuse(p.Field, "Bedrock gives one choice")
	}
	if p := e.req.Logprobs; p.Set() && string(p.Value) != "false" {
		e.refuse(p.Field, "Bedrock gives no probabilities")
	}
}

// dropHints notes what has no place in Converse. What a single model takes
// beside it (top_k under one name or another) is not known of all, and a wrong
// name is a 400.
func (e *requestEncoder) dropHints() {
	r := e.req
	e.notes.DropParams(r.TopK, r.Verbosity)
	if !e.caps.Sampling {
		e.notes.DropParams(r.Temperature, r.TopP)
	}
	for _, p := range []neutral.Param{r.FrequencyPenalty, r.PresencePenalty, r.Seed, r.Biases} {
		switch string(p.Value) {
		case "0", "0.0", "{}": // the default
		default:
			e.notes.DropParams(p)
		}
	}
}

// inference writes the settings that all models share. Without a limit a model
// answers up to its own.
func (e *requestEncoder) inference() {
	w, r := &e.w, e.req
	stops := e.stops()
	sampling := e.caps.Sampling && (r.Temperature.Set() || r.TopP.Set())
	if r.MaxTokens == 0 && len(stops) == 0 && !sampling {
		return
	}
	w.Key("inferenceConfig").Open('{')
	if r.MaxTokens > 0 {
		w.Key("maxTokens").Int(r.MaxTokens)
	}
	if sampling && r.Temperature.Set() {
		w.Key("temperature").Raw(r.Temperature.Value)
	}
	if sampling && r.TopP.Set() {
		w.Key("topP").Raw(r.TopP.Value)
	}
	if len(stops) > 0 {
		w.Key("stopSequences").Open('[')
		for _, s := range stops {
			w.Text(s)
		}
		w.Close(']')
	}
	w.Close('}')
}

// stops lists the stop sequences. Those of white space only are refused by
// Claude.
func (e *requestEncoder) stops() []string {
	var kept []string
	for _, s := range e.req.Stop.Sequences {
		if strings.TrimSpace(s) == "" {
			e.notes.Drop(e.req.Stop.Field)
			continue
		}
		kept = append(kept, s)
	}
	if len(kept) > 0 && !e.caps.Stop {
		e.refuse(e.req.Stop.Field, "this model takes no stop sequences")
	}
	return kept
}

func (e *requestEncoder) serviceTier() {
	p := e.req.ServiceTier
	tier := ""
	switch word := p.Value.Text(); word {
	case "", "auto":
	case "default", "standard_only":
		tier = "default"
	case "flex", "priority":
		tier = word
	case "fast":
		tier = "priority"
		e.notes.Approximate(p.Field)
	default:
		e.notes.Drop(p.Field)
	}
	if tier != "" {
		e.w.Key("serviceTier").Open('{').Key("type").Text(tier).Close('}')
	}
}

// metadata writes the end user's id, as far as the letters of it are allowed
// there.
func (e *requestEncoder) metadata() {
	const most = 256
	id := e.req.User.Value.Text()
	switch {
	case id == "":
	case len(id) > most || strings.Trim(id, asciiWord+" :_@$#=/+,-.") != "":
		e.notes.Drop(e.req.User.Field)
	default:
		e.w.Key("requestMetadata").Open('{').Key("user_id").Text(id).Close('}')
	}
}

// asciiWord are the letters and digits that Bedrock means by "alphanumeric".
const asciiWord = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
