package chat

import (
	"strconv"
	"strings"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
	"github.com/understudy-dev/understudy/internal/failover/dialect/openai"
)

// rawMessage holds the members of one message.
type rawMessage struct {
	field                                         string
	role                                          string
	content, refusal, calls, functionCall, callID failover.RawJSON
}

func (d *requestDecoder) messages(list failover.RawJSON) {
	i := 0
	err := failover.EachElement(list, func(v failover.RawJSON) bool {
		m := d.readMessage("messages["+strconv.Itoa(i)+"]", v)
		i++
		if d.err == nil {
			d.message(m)
		}
		return d.err == nil
	})
	if err != nil {
		d.err = errNotRequest
	}
}

func (d *requestDecoder) readMessage(field string, v failover.RawJSON) rawMessage {
	m := rawMessage{field: field}
	err := failover.EachMember(v, func(name []byte, value failover.RawJSON) bool {
		if !value.Present() {
			return true
		}
		switch string(name) {
		case "role":
			m.role = value.Text()
		case "content":
			m.content = value
		case "refusal":
			m.refusal = value
		case "tool_calls":
			m.calls = value
		case "function_call":
			m.functionCall = value
		case "tool_call_id":
			m.callID = value
		case "audio":
			d.refuse(field+".audio", "spoken answers live at OpenAI only")
		case "name", "annotations", "reasoning_content", "reasoning", "reasoning_details":
			// A name is a hint; reasoning cannot be verified elsewhere.
		default:
			d.notes.Drop("messages." + string(name))
		}
		return true
	})
	if err != nil {
		d.err = errNotRequest
	}
	return m
}

func (d *requestDecoder) message(m rawMessage) {
	blocks := d.content(m.field+".content", m.content)
	switch m.role {
	case "system", "developer":
		if len(d.req.Turns) == 0 {
			d.req.System = append(d.req.System, blocks...)
			return
		}
		d.turn(m.field, neutral.System, blocks)
	case "user":
		d.turn(m.field, neutral.User, blocks)
	case "assistant":
		d.assistant(m, blocks)
	case "tool":
		d.turn(m.field, neutral.User, []neutral.Block{{
			Field: m.field, Kind: neutral.ToolResult, Result: neutral.Result{CallID: m.callID.Text(), Content: blocks},
		}})
	case "function":
		d.notes.Approximate("messages.function")
		d.turn(m.field, neutral.User, []neutral.Block{{
			Field: m.field, Kind: neutral.ToolResult, Result: neutral.Result{CallID: d.functionCallID(), Content: blocks},
		}})
	default:
		d.refuse(m.field+".role", "this role cannot be translated")
	}
}

func (d *requestDecoder) turn(field string, role neutral.Role, blocks []neutral.Block) {
	d.req.Turns = append(d.req.Turns, neutral.Turn{Field: field, Role: role, Blocks: blocks})
}

func (d *requestDecoder) assistant(m rawMessage, blocks []neutral.Block) {
	if m.refusal.Text() != "" {
		blocks = append(blocks, neutral.Block{Field: m.field + ".refusal", Kind: neutral.Refusal, Text: m.refusal.Text()})
	}
	i := 0
	_ = failover.EachElement(m.calls, func(call failover.RawJSON) bool {
		field := m.field + ".tool_calls[" + strconv.Itoa(i) + "]"
		i++
		if kind := call.Member("type").Text(); kind != "function" && kind != "" {
			d.refuse(field+".type", "only function calls can be translated")
			return false
		}
		b := callBlock(field, call.Member("id").Text(), call.Member("function"))
		b.Call.Signature = signatureOf(call)
		blocks = append(blocks, b)
		return true
	})
	if m.functionCall.IsObject() {
		d.functionCalls++
		d.notes.Approximate("messages.function_call")
		blocks = append(blocks, callBlock(m.field+".function_call", d.functionCallID(), m.functionCall))
	}
	d.turn(m.field, neutral.Assistant, blocks)
}

// functionCallID stands in for the id that deprecated function calls lack.
func (d *requestDecoder) functionCallID() string { return "call_fn_" + strconv.Itoa(d.functionCalls) }

func callBlock(field, id string, function failover.RawJSON) neutral.Block {
	return neutral.Block{Field: field, Kind: neutral.ToolCall, Call: neutral.Call{
		ID: id, Name: function.Member("name").Text(), Arguments: openai.Arguments(function.Member("arguments")),
	}}
}

// content reads a string or a list of parts.
func (d *requestDecoder) content(field string, v failover.RawJSON) []neutral.Block {
	if v.IsString() {
		return []neutral.Block{{Field: field, Kind: neutral.Text, Text: v.Text()}}
	}
	if v.Present() && !v.IsArray() {
		d.err = errNotRequest
		return nil
	}
	var blocks []neutral.Block
	i := 0
	_ = failover.EachElement(v, func(part failover.RawJSON) bool {
		b, ok := d.part(field+"["+strconv.Itoa(i)+"]", part)
		i++
		if ok {
			b.Cache = part.Member("prompt_cache_breakpoint").Present()
			blocks = append(blocks, b)
		}
		return d.err == nil
	})
	return blocks
}

func (d *requestDecoder) part(field string, v failover.RawJSON) (neutral.Block, bool) {
	b := neutral.Block{Field: field}
	switch v.Member("type").Text() {
	case "text":
		b.Text = v.Member("text").Text()
	case "refusal":
		b.Kind, b.Text = neutral.Refusal, v.Member("refusal").Text()
	case "image_url":
		b.Kind, b.Media = neutral.Image, openai.Media(v.Member("image_url").Member("url").Text())
		if image := v.Member("image_url"); image.IsString() {
			b.Media = openai.Media(image.Text())
		}
	case "file":
		file := v.Member("file")
		if file.Member("file_id").Present() {
			d.refuse(field+".file.file_id", "a file that lives at one provider cannot be sent to another")
			return b, false
		}
		b.Kind, b.Media = neutral.Document, openai.Media(file.Member("file_data").Text())
		if b.Media.URL != "" && !strings.HasPrefix(b.Media.URL, "data:") { // bare base64
			b.Media = neutral.Media{Type: openai.MediaType(b.Media.URL), Data: b.Media.URL}
		}
		b.Media.Name = file.Member("filename").Text()
	case "thinking", "reasoning":
		return b, false
	default:
		d.refuse(field+".type", "this kind of content cannot be translated")
		return b, false
	}
	return b, true
}
