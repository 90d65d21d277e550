package responses

import (
	"bytes"
	"errors"
	"strconv"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
	"github.com/understudy-dev/understudy/internal/failover/dialect/openai"
)

var errNotRequest = errors.New("the body is not a Responses request: send a JSON object with input")

// requestDecoder reads a request member by member. The first refusal stays in
// err.
type requestDecoder struct {
	req   neutral.Request
	notes *neutral.Notes
	err   error

	instructions   string
	user, safetyID failover.RawJSON
	choice         failover.RawJSON
	echo           map[string]failover.RawJSON
}

// echoed are the members of a request that the response repeats, with what
// stands for those that were not set. Whatever was asked, nothing is stored.
var echoed = [...]struct{ name, otherwise string }{
	{"instructions", "null"},
	{"max_output_tokens", "null"},
	{"metadata", "{}"},
	{"parallel_tool_calls", "true"},
	{"previous_response_id", "null"},
	{"reasoning", `{"effort":null,"summary":null}`},
	{"temperature", "null"},
	{"text", `{"format":{"type":"text"}}`},
	{"tool_choice", `"auto"`},
	{"tools", "[]"},
	{"top_p", "null"},
	{"truncation", `"disabled"`},
	{"user", "null"},
}

// DecodeRequest reads a request. The error is a *failover.IneligibleError
// where no other dialect can carry it.
func DecodeRequest(body []byte, notes *neutral.Notes) (*neutral.Request, error) {
	if !failover.ValidJSON(body) {
		return nil, errNotRequest
	}
	d := requestDecoder{notes: notes, echo: map[string]failover.RawJSON{}}
	input := false
	err := neutral.EachMember(body, func(name string, value failover.RawJSON) bool {
		input = input || name == "input"
		d.echo[name] = value
		d.member(name, value)
		return d.err == nil
	})
	if err != nil || d.err == nil && !input {
		return nil, errNotRequest
	}
	if d.err == nil {
		d.finish()
	}
	return &d.req, d.err
}

func (d *requestDecoder) refuse(field, reason string) {
	if d.err == nil {
		d.err = neutral.Refuse(field, reason)
	}
}

// member reads one top-level member other than null.
func (d *requestDecoder) member(name string, v failover.RawJSON) {
	switch name {
	case "model", "stream_options":
	case "input":
		d.input(v)
	case "instructions":
		d.instructions = v.Text()
	case "stream":
		d.req.Stream = v.Bool()
	case "max_output_tokens":
		d.req.MaxTokens, _ = neutral.Whole(v)
	case "tools":
		d.tools(v)
	case "tool_choice":
		d.choice = v
	case "parallel_tool_calls":
		d.req.SerialCalls = string(v) == "false"
	case "text":
		d.text(v)
	case "reasoning":
		d.reasoning(v)
	case "temperature":
		d.req.Temperature = neutral.Param{Field: name, Value: v}
	case "top_p":
		d.req.TopP = neutral.Param{Field: name, Value: v}
	case "service_tier":
		d.req.ServiceTier = neutral.Param{Field: name, Value: v}
	case "user":
		d.user = v
	case "safety_identifier":
		d.safetyID = v
	default:
		d.other(name, v)
	}
}

// other decides about members that have no place in another dialect: what
// lives at one provider or changes the shape of the answer is refused, a hint
// is dropped.
func (d *requestDecoder) other(name string, v failover.RawJSON) {
	switch name {
	case "metadata", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention":
	case "previous_response_id", "conversation":
		d.refuse(name, "a conversation that is stored at one provider cannot be continued at another; send its items in input")
	case "prompt":
		d.refuse(name, "a prompt that is stored at one provider cannot be used at another; send it in instructions and input")
	case "background":
		if v.Bool() {
			d.refuse(name, "an answer in the background can be had only where it was asked for")
		}
	case "max_tool_calls":
		d.refuse(name, "the limit of calls of built-in tools exists at OpenAI only")
	case "context_management":
		if !openai.Empty(v) {
			d.refuse(name, "the history is compacted at OpenAI only")
		}
	case "store":
		if v.Bool() {
			d.notes.Drop(name)
		}
	case "truncation":
		if v.Text() != "disabled" {
			d.notes.Drop(name)
		}
	case "top_logprobs":
		if n, ok := neutral.Whole(v); !ok || n != 0 {
			d.refuse(name, "probabilities cannot be translated")
		}
	case "include":
		d.include(v)
	case "moderation":
		if bytes.Contains(v, []byte(`"block"`)) {
			d.refuse(name, "a policy that blocks exists at OpenAI only")
		}
	default:
		d.notes.Drop(name)
	}
}

// include reads what the app wants beside the answer. Sources and results of
// built-in tools do not arise, since those tools are refused.
func (d *requestDecoder) include(list failover.RawJSON) {
	_ = failover.EachElement(list, func(v failover.RawJSON) bool {
		switch v.Text() {
		case "message.output_text.logprobs":
			d.refuse("include", "probabilities cannot be translated")
		case "reasoning.encrypted_content":
			d.notes.Drop("include")
		}
		return d.err == nil
	})
}

func (d *requestDecoder) reasoning(v failover.RawJSON) {
	_ = neutral.EachMember(v, func(name string, v failover.RawJSON) bool {
		switch name {
		case "effort":
			d.req.Reasoning = neutral.Reasoning{Field: "reasoning.effort", Level: neutral.LevelOf(v.Text()), Worded: true}
			if d.req.Reasoning.Level == neutral.LevelUnset {
				d.notes.Drop("reasoning.effort")
			}
		default: // a summary and its like: thoughts of another provider are not shown
			d.notes.Drop("reasoning." + name)
		}
		return true
	})
}

func (d *requestDecoder) text(v failover.RawJSON) {
	_ = neutral.EachMember(v, func(name string, v failover.RawJSON) bool {
		switch name {
		case "format":
			d.format(v)
		case "verbosity":
			d.req.Verbosity = neutral.Param{Field: "text.verbosity", Value: v}
		default:
			d.notes.Drop("text." + name)
		}
		return true
	})
}

func (d *requestDecoder) format(v failover.RawJSON) {
	switch v.Member("type").Text() {
	case "text":
	case "json_object":
		d.req.Format = &neutral.Format{Field: "text.format"}
	case "json_schema":
		f := &neutral.Format{
			Field: "text.format", Name: v.Member("name").Text(), Schema: v.Member("schema"), Strict: v.Member("strict").Bool(),
		}
		if !f.Schema.IsObject() {
			f.Schema = nil
		}
		d.req.Format = f
	default:
		d.refuse("text.format.type", "this format cannot be translated")
	}
}

// tools reads the flat tools of Responses. One that does not say whether it is
// strict is taken for strict, which is the documented default; what cannot be
// promised elsewhere is noted.
func (d *requestDecoder) tools(v failover.RawJSON) {
	i := 0
	_ = failover.EachElement(v, func(tool failover.RawJSON) bool {
		field := "tools[" + strconv.Itoa(i) + "]"
		i++
		if tool.Member("type").Text() != "function" {
			d.refuse(field+".type", "only function tools can be translated")
			return false
		}
		t := neutral.Tool{
			Field: field, Name: tool.Member("name").Text(), Description: tool.Member("description").Text(),
			Schema: tool.Member("parameters"), Strict: string(tool.Member("strict")) != "false",
		}
		if !t.Schema.Present() {
			t.Schema, t.Strict = nil, false
		}
		d.req.Tools = append(d.req.Tools, t)
		return true
	})
}

// finish settles what depends on several members.
func (d *requestDecoder) finish() {
	if d.instructions != "" {
		first := neutral.Block{Field: "instructions", Kind: neutral.Text, Text: d.instructions}
		d.req.System = append([]neutral.Block{first}, d.req.System...)
	}
	d.req.StreamUsage = true
	d.req.User = neutral.Param{Field: "user", Value: d.user}
	if d.safetyID.Present() {
		d.req.User = neutral.Param{Field: "safety_identifier", Value: d.safetyID}
	}
	if d.choice.Present() {
		d.toolChoice(d.choice)
	}
	for _, m := range echoed {
		value := failover.RawJSON(m.otherwise)
		if v := d.echo[m.name]; v.Present() {
			value = neutral.Compact(v)
		}
		d.req.Echo = append(d.req.Echo, neutral.Param{Field: m.name, Value: value})
	}
}

func (d *requestDecoder) toolChoice(v failover.RawJSON) {
	if v.IsString() {
		d.req.Choice.Mode = openai.Mode(v.Text())
		if d.req.Choice.Mode == neutral.Unset {
			d.notes.Drop("tool_choice")
		}
		return
	}
	switch v.Member("type").Text() {
	case "function":
		d.req.Choice = neutral.Choice{Mode: neutral.Named, Name: v.Member("name").Text()}
	case "allowed_tools":
		d.allowTools(v)
	default:
		d.refuse("tool_choice.type", "only function tools can be translated")
	}
}

// allowTools leaves only the allowed tools in the request, which costs the
// provider's prompt cache.
func (d *requestDecoder) allowTools(v failover.RawJSON) {
	allowed := map[string]bool{}
	_ = failover.EachElement(v.Member("tools"), func(t failover.RawJSON) bool {
		allowed[t.Member("name").Text()] = true
		return true
	})
	var kept []neutral.Tool
	for _, t := range d.req.Tools {
		if allowed[t.Name] {
			kept = append(kept, t)
		}
	}
	d.req.Tools = kept
	d.req.Choice.Mode = openai.Mode(v.Member("mode").Text())
	d.notes.Approximate("tool_choice.allowed_tools")
}
