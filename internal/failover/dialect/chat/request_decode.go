package chat

import (
	"bytes"
	"errors"
	"strconv"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
	"github.com/understudy-dev/understudy/internal/failover/dialect/openai"
)

var errNotRequest = errors.New("the body is not a Chat Completions request: send a JSON object with messages")

// requestDecoder reads a request member by member. The first refusal stays in
// err.
type requestDecoder struct {
	req   neutral.Request
	notes *neutral.Notes
	err   error

	completionTokens, tokens failover.RawJSON
	user, safetyID           failover.RawJSON
	choice                   failover.RawJSON
	functionCalls            int // deprecated function_call messages so far
}

// DecodeRequest reads a request. The error is a *failover.IneligibleError
// where no other dialect can carry it.
func DecodeRequest(body []byte, notes *neutral.Notes) (*neutral.Request, error) {
	if !failover.ValidJSON(body) {
		return nil, errNotRequest
	}
	d := requestDecoder{notes: notes}
	messages := false
	err := neutral.EachMember(body, func(name string, value failover.RawJSON) bool {
		messages = messages || name == "messages" && value.IsArray()
		d.member(name, value)
		return d.err == nil
	})
	if err != nil || d.err == nil && !messages {
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
	case "model":
	case "messages":
		d.messages(v)
	case "stream":
		d.req.Stream = v.Bool()
	case "stream_options":
		d.req.StreamUsage = v.Member("include_usage").Bool()
	case "max_completion_tokens":
		d.completionTokens = v
	case "max_tokens":
		d.tokens = v
	case "stop":
		d.stop(v)
	case "tools":
		d.tools(v)
	case "tool_choice":
		d.choice = v
	case "parallel_tool_calls":
		d.req.SerialCalls = string(v) == "false"
	case "response_format":
		d.format(v)
	case "reasoning_effort":
		d.req.Reasoning = neutral.Reasoning{Field: name, Level: neutral.LevelOf(v.Text()), Worded: true}
	case "user":
		d.user = v
	case "safety_identifier":
		d.safetyID = v
	default:
		if p := d.param(name); p != nil {
			*p = neutral.Param{Field: name, Value: v}
			return
		}
		d.other(name, v)
	}
}

// param finds the place of a value that is carried raw.
func (d *requestDecoder) param(name string) *neutral.Param {
	switch name {
	case "temperature":
		return &d.req.Temperature
	case "top_p":
		return &d.req.TopP
	case "frequency_penalty":
		return &d.req.FrequencyPenalty
	case "presence_penalty":
		return &d.req.PresencePenalty
	case "seed":
		return &d.req.Seed
	case "logit_bias":
		return &d.req.Biases
	case "n":
		return &d.req.Count
	case "logprobs":
		return &d.req.Logprobs
	case "verbosity":
		return &d.req.Verbosity
	case "service_tier":
		return &d.req.ServiceTier
	}
	return nil
}

// other decides about members that have no place in another dialect: what
// changes the shape of the answer is refused, a hint is dropped.
func (d *requestDecoder) other(name string, v failover.RawJSON) {
	switch name {
	case "metadata", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "prediction":
	case "store":
		if v.Bool() {
			d.notes.Drop(name)
		}
	case "moderation":
		if bytes.Contains(v, []byte(`"block"`)) {
			d.refuse(name, "a policy that blocks exists at OpenAI only")
		}
	case "modalities":
		_ = failover.EachElement(v, func(m failover.RawJSON) bool {
			if m.Text() != "text" {
				d.refuse(name, "answers other than text cannot be translated")
			}
			return true
		})
	case "audio":
		d.refuse(name, "spoken answers cannot be translated")
	case "web_search_options":
		d.refuse(name, "the search tool exists at OpenAI only")
	case "functions":
		if !openai.Empty(v) {
			d.refuse(name, "answers to the deprecated functions have another shape; use tools")
		}
	case "function_call":
		if v.Text() != "none" && v.Text() != "auto" {
			d.refuse(name, "answers to the deprecated functions have another shape; use tool_choice")
		}
	default:
		d.notes.Drop(name)
	}
}

// finish settles what depends on several members.
func (d *requestDecoder) finish() {
	for _, limit := range []failover.RawJSON{d.completionTokens, d.tokens} {
		if n, ok := neutral.Whole(limit); ok && d.req.MaxTokens == 0 {
			d.req.MaxTokens = n
		}
	}
	d.req.User = neutral.Param{Field: "user", Value: d.user}
	if d.safetyID.Present() {
		d.req.User = neutral.Param{Field: "safety_identifier", Value: d.safetyID}
	}
	if d.choice.Present() {
		d.toolChoice(d.choice)
	}
}

func (d *requestDecoder) stop(v failover.RawJSON) {
	d.req.Stop.Field = "stop"
	if v.IsString() {
		d.req.Stop.Sequences = []string{v.Text()}
	}
	_ = failover.EachElement(v, func(s failover.RawJSON) bool {
		d.req.Stop.Sequences = append(d.req.Stop.Sequences, s.Text())
		return true
	})
}

func (d *requestDecoder) format(v failover.RawJSON) {
	switch v.Member("type").Text() {
	case "text":
	case "json_object":
		d.req.Format = &neutral.Format{Field: "response_format"}
	case "json_schema":
		schema := v.Member("json_schema")
		f := &neutral.Format{
			Field: "response_format.json_schema", Name: schema.Member("name").Text(),
			Schema: schema.Member("schema"), Strict: schema.Member("strict").Bool(),
		}
		if !f.Schema.IsObject() {
			f.Schema = nil
		}
		d.req.Format = f
	default:
		d.refuse("response_format.type", "this format cannot be translated")
	}
}

func (d *requestDecoder) tools(v failover.RawJSON) {
	i := 0
	_ = failover.EachElement(v, func(tool failover.RawJSON) bool {
		field := "tools[" + strconv.Itoa(i) + "]"
		i++
		if tool.Member("type").Text() != "function" {
			d.refuse(field+".type", "only function tools can be translated")
			return false
		}
		f := tool.Member("function")
		t := neutral.Tool{
			Field: field, Name: f.Member("name").Text(), Description: f.Member("description").Text(),
			Schema: f.Member("parameters"), Strict: f.Member("strict").Bool(),
		}
		if !t.Schema.Present() {
			t.Schema = nil
		}
		d.req.Tools = append(d.req.Tools, t)
		return true
	})
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
		d.req.Choice = neutral.Choice{Mode: neutral.Named, Name: v.Member("function").Member("name").Text()}
	case "allowed_tools":
		d.allowTools(v.Member("allowed_tools"))
	default:
		d.refuse("tool_choice.type", "only function tools can be translated")
	}
}

// allowTools leaves only the allowed tools in the request, which costs the
// provider's prompt cache.
func (d *requestDecoder) allowTools(v failover.RawJSON) {
	allowed := map[string]bool{}
	_ = failover.EachElement(v.Member("tools"), func(t failover.RawJSON) bool {
		allowed[t.Member("function").Member("name").Text()] = true
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
