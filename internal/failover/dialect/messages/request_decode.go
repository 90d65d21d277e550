package messages

import (
	"errors"
	"strconv"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
)

var errNotRequest = errors.New("the body is not a Messages request: send a JSON object with messages")

// requestDecoder reads a request member by member. The first refusal stays in
// err.
type requestDecoder struct {
	req   neutral.Request
	notes *neutral.Notes
	err   error

	effort neutral.Level // of output_config
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
	d.reasoning()
	return &d.req, d.err
}

// thinking reads the settings of extended thinking.
func (d *requestDecoder) thinking(v failover.RawJSON) {
	r := neutral.Reasoning{Field: "thinking", Shown: v.Member("display").Text() == "summarized"}
	switch v.Member("type").Text() {
	case "disabled":
		r.Level = neutral.LevelNone
	case "between_tools":
		r.Level = neutral.LevelLow
	case "adaptive":
		r.Level = neutral.LevelAdaptive
	case "enabled":
		r.Budget, _ = v.Member("budget_tokens").Int()
		r.Level = neutral.LevelOfBudget(r.Budget)
	default:
		d.notes.Drop("thinking")
		return
	}
	d.req.Reasoning = r
}

// reasoning joins the two members that say how much to think: the effort names
// the amount, unless thinking is off or has a budget.
func (d *requestDecoder) reasoning() {
	r := &d.req.Reasoning
	if d.effort == neutral.LevelUnset || r.Level == neutral.LevelNone || r.Budget > 0 {
		return
	}
	r.Level = d.effort
	if r.Field == "" {
		r.Field = "output_config.effort"
	}
}

func (d *requestDecoder) refuse(field, reason string) {
	if d.err == nil {
		d.err = neutral.Refuse(field, reason)
	}
}

func (d *requestDecoder) member(name string, v failover.RawJSON) {
	switch name {
	case "model":
	case "messages":
		d.messages(v)
	case "system":
		d.req.System = d.systemBlocks("system", v)
	case "stream":
		d.req.Stream = v.Bool()
		d.req.StreamUsage = true
	case "max_tokens":
		d.maxTokens(v)
	case "stop_sequences":
		d.req.Stop.Field = name
		_ = failover.EachElement(v, func(s failover.RawJSON) bool {
			d.req.Stop.Sequences = append(d.req.Stop.Sequences, s.Text())
			return true
		})
	case "tools":
		d.tools(v)
	case "tool_choice":
		d.toolChoice(v)
	case "temperature":
		d.req.Temperature = neutral.Param{Field: name, Value: v}
	case "top_p":
		d.req.TopP = neutral.Param{Field: name, Value: v}
	case "top_k":
		d.req.TopK = neutral.Param{Field: name, Value: v}
	case "thinking":
		d.thinking(v)
	case "output_config":
		d.outputConfig(v)
	case "metadata":
		d.req.User = neutral.Param{Field: "metadata.user_id", Value: v.Member("user_id")}
	case "service_tier":
		d.req.ServiceTier = neutral.Param{Field: name, Value: v}
	default:
		d.other(name, v)
	}
}

// other decides about members that have no place in another dialect.
func (d *requestDecoder) other(name string, v failover.RawJSON) {
	switch name {
	case "cache_control", "betas", "anthropic_version", "anthropic_beta":
	case "speed":
		if v.Text() != "standard" {
			d.notes.Drop(name)
		}
	case "container", "context_management", "mcp_servers", "thread", "previous_message_id":
		d.refuse(name, "this lives at Anthropic only")
	case "inference_geo":
		d.refuse(name, "a promise about the place of processing cannot be carried over")
	default:
		d.notes.Drop(name)
	}
}

func (d *requestDecoder) maxTokens(v failover.RawJSON) {
	n, ok := neutral.Whole(v)
	if ok && n == 0 {
		d.refuse("max_tokens", "a request that only warms Anthropic's cache has no equivalent")
	}
	d.req.MaxTokens = max(n, 0)
}

func (d *requestDecoder) outputConfig(v failover.RawJSON) {
	_ = failover.EachMember(v, func(name []byte, value failover.RawJSON) bool {
		switch {
		case !value.Present():
		case string(name) == "effort":
			d.effort = neutral.LevelOf(value.Text())
		case string(name) == "format":
			schema := value.Member("schema")
			if value.Member("type").Text() != "json_schema" || !schema.IsObject() {
				d.refuse("output_config.format", "only formats of type json_schema can be translated")
			}
			d.req.Format = &neutral.Format{Field: "output_config.format", Name: "output", Schema: schema, Strict: true}
		default:
			d.notes.Drop("output_config." + string(name))
		}
		return true
	})
}

func (d *requestDecoder) tools(v failover.RawJSON) {
	i := 0
	_ = failover.EachElement(v, func(tool failover.RawJSON) bool {
		d.tool("tools["+strconv.Itoa(i)+"]", tool)
		i++
		return d.err == nil
	})
}

func (d *requestDecoder) tool(field string, v failover.RawJSON) {
	t := neutral.Tool{Field: field}
	_ = failover.EachMember(v, func(name []byte, value failover.RawJSON) bool {
		if !value.Present() {
			return true
		}
		switch string(name) {
		case "type":
			if value.Text() != "custom" {
				d.refuse(field+".type", "tools that only Anthropic knows cannot be translated")
			}
		case "name":
			t.Name = value.Text()
		case "description":
			t.Description = value.Text()
		case "input_schema":
			t.Schema = value
		case "strict":
			t.Strict = value.Bool()
		case "cache_control":
			t.Cache = true
		case "eager_input_streaming":
		default:
			d.notes.Drop("tools." + string(name))
		}
		return true
	})
	d.req.Tools = append(d.req.Tools, t)
}

func (d *requestDecoder) toolChoice(v failover.RawJSON) {
	d.req.SerialCalls = v.Member("disable_parallel_tool_use").Bool()
	switch v.Member("type").Text() {
	case "auto":
		d.req.Choice.Mode = neutral.Auto
	case "none":
		d.req.Choice.Mode = neutral.None
	case "any":
		d.req.Choice.Mode = neutral.Required
	case "tool":
		d.req.Choice = neutral.Choice{Mode: neutral.Named, Name: v.Member("name").Text()}
	default:
		d.refuse("tool_choice.type", "this choice cannot be translated")
	}
}
