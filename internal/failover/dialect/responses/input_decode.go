package responses

import (
	"strconv"
	"strings"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
	"github.com/understudy-dev/understudy/internal/failover/dialect/openai"
)

// input reads the conversation: a text of the user, or a list of items.
func (d *requestDecoder) input(v failover.RawJSON) {
	if v.IsString() {
		d.turn("input", neutral.User, []neutral.Block{{Field: "input", Kind: neutral.Text, Text: v.Text()}})
		return
	}
	i := 0
	err := failover.EachElement(v, func(item failover.RawJSON) bool {
		field := "input[" + strconv.Itoa(i) + "]"
		i++
		if !item.IsObject() {
			d.err = errNotRequest
			return false
		}
		d.item(field, item)
		return d.err == nil
	})
	if err != nil {
		d.err = errNotRequest
	}
}

// item reads one item. Reasoning is left out: only the provider that wrote it
// can verify it.
func (d *requestDecoder) item(field string, v failover.RawJSON) {
	switch kind := v.Member("type").Text(); kind {
	case "message", "":
		if kind == "" && v.Member("id").Present() && !v.Member("role").Present() {
			d.refuse(field, "an item that is stored at one provider cannot be sent to another; send the item itself")
			return
		}
		d.message(field, v)
	case "function_call":
		d.noteUnknown(v)
		call := neutral.Block{Field: field, Kind: neutral.ToolCall, Call: neutral.Call{
			ID: v.Member("call_id").Text(), Name: v.Member("name").Text(), Arguments: openai.Arguments(v.Member("arguments")),
		}}
		d.assistant(field, true, []neutral.Block{call})
	case "function_call_output":
		d.noteUnknown(v)
		d.turn(field, neutral.User, []neutral.Block{{Field: field, Kind: neutral.ToolResult, Result: neutral.Result{
			CallID: v.Member("call_id").Text(), Content: d.content(field+".output", v.Member("output")),
		}}})
	case "reasoning":
	case "item_reference":
		d.refuse(field, "an item that is stored at one provider cannot be sent to another; send the item itself")
	default:
		d.refuse(field+".type", "this kind of item cannot be translated")
	}
}

// knownItemMembers are those that are read, or that say nothing to another
// provider.
const knownItemMembers = " type id status role content phase call_id name arguments output caller "

func (d *requestDecoder) noteUnknown(item failover.RawJSON) {
	_ = neutral.EachMember(item, func(name string, _ failover.RawJSON) bool {
		if !strings.Contains(knownItemMembers, " "+name+" ") {
			d.notes.Drop("input." + name)
		}
		return true
	})
}

func (d *requestDecoder) message(field string, v failover.RawJSON) {
	d.noteUnknown(v)
	blocks := d.content(field+".content", v.Member("content"))
	switch v.Member("role").Text() {
	case "system", "developer":
		if len(d.req.Turns) == 0 {
			d.req.System = append(d.req.System, blocks...)
			return
		}
		d.turn(field, neutral.System, blocks)
	case "user":
		d.turn(field, neutral.User, blocks)
	case "assistant":
		d.assistant(field, false, blocks)
	default:
		d.refuse(field+".role", "this role cannot be translated")
	}
}

func (d *requestDecoder) turn(field string, role neutral.Role, blocks []neutral.Block) {
	d.req.Turns = append(d.req.Turns, neutral.Turn{Field: field, Role: role, Blocks: blocks})
}

// assistant adds what the model said or called. Calls belong to the turn of
// what was said before them, and so does what was said between them: their
// results must follow at once.
func (d *requestDecoder) assistant(field string, call bool, blocks []neutral.Block) {
	if n := len(d.req.Turns); n > 0 && d.req.Turns[n-1].Role == neutral.Assistant {
		last := &d.req.Turns[n-1]
		said := len(last.Blocks)
		if call || said > 0 && last.Blocks[said-1].Kind == neutral.ToolCall {
			last.Blocks = append(last.Blocks, blocks...)
			return
		}
	}
	d.turn(field, neutral.Assistant, blocks)
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
		b := d.part(field+"["+strconv.Itoa(i)+"]", part)
		b.Cache = part.Member("prompt_cache_breakpoint").Present()
		i++
		blocks = append(blocks, b)
		return d.err == nil
	})
	return blocks
}

func (d *requestDecoder) part(field string, v failover.RawJSON) neutral.Block {
	b := neutral.Block{Field: field}
	if v.Member("file_id").Present() {
		d.refuse(field+".file_id", "a file that lives at one provider cannot be sent to another")
		return b
	}
	switch v.Member("type").Text() {
	case "input_text", "output_text":
		b.Text = v.Member("text").Text()
	case "refusal":
		b.Kind, b.Text = neutral.Refusal, v.Member("refusal").Text()
	case "input_image":
		b.Kind, b.Media = neutral.Image, openai.Media(v.Member("image_url").Text())
	case "input_file":
		b.Kind, b.Media = neutral.Document, fileMedia(v)
	default:
		d.refuse(field+".type", "this kind of content cannot be translated")
	}
	return b
}

// fileMedia reads a file by value, as a data URL or bare base64, or by
// address.
func fileMedia(v failover.RawJSON) neutral.Media {
	data := v.Member("file_data").Text()
	m := openai.Media(data)
	switch {
	case data == "":
		m = openai.Media(v.Member("file_url").Text())
	case m.URL != "" && !strings.HasPrefix(data, "data:"):
		m = neutral.Media{Type: openai.MediaType(data), Data: data}
	}
	m.Name = v.Member("filename").Text()
	return m
}
