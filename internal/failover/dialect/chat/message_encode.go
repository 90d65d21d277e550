package chat

import (
	"encoding/base64"
	"slices"
	"strings"

	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
)

// attachedNote stands in a tool message for what only a user message can carry.
const attachedNote = "[attached in the next user message]"

func (e *requestEncoder) messages() {
	if blocks := withoutEmpty(e.req.System); len(blocks) > 0 {
		e.message("system", blocks)
	}
	for _, t := range joined(e.req.Turns) {
		switch t.Role {
		case neutral.System:
			if blocks := withoutEmpty(t.Blocks); len(blocks) > 0 {
				e.message("system", blocks)
			}
		case neutral.User:
			e.userTurn(t)
		case neutral.Assistant:
			e.assistant(t)
		}
	}
}

// joined puts turns of one role in a row together where one of them has to do
// with tools: results must follow right behind all calls, and Anthropic, which
// reads such turns as one, lets apps spread both over several.
func joined(turns []neutral.Turn) []neutral.Turn {
	var out []neutral.Turn
	tools := false // the last one has to do with tools
	for _, t := range turns {
		own := usesTools(t)
		if n := len(out); n > 0 && out[n-1].Role == t.Role && (tools || own) {
			out[n-1].Blocks = append(out[n-1].Blocks, t.Blocks...)
			tools = true
			continue
		}
		out, tools = append(out, t), own
	}
	return out
}

func usesTools(t neutral.Turn) bool {
	return slices.ContainsFunc(t.Blocks, func(b neutral.Block) bool {
		return b.Kind == neutral.ToolCall || b.Kind == neutral.ToolResult
	})
}

func withoutEmpty(blocks []neutral.Block) []neutral.Block {
	var kept []neutral.Block
	for _, b := range blocks {
		if b.Kind != neutral.Text || b.Text != "" {
			kept = append(kept, b)
		}
	}
	return kept
}

// message writes one message of text and media.
func (e *requestEncoder) message(role string, blocks []neutral.Block) {
	e.w.Open('{').Key("role").Text(role).Key("content")
	if len(blocks) == 1 && blocks[0].Kind == neutral.Text {
		e.w.Text(blocks[0].Text)
	} else {
		e.w.Open('[')
		for _, b := range blocks {
			e.part(b)
		}
		e.w.Close(']')
	}
	e.w.Close('}')
}

// userTurn writes the results first, each as a message, as OpenAI wants them
// right behind the calls; then the rest of the turn.
func (e *requestEncoder) userTurn(t neutral.Turn) {
	var attached, rest []neutral.Block
	for _, b := range withoutEmpty(t.Blocks) {
		if b.Kind == neutral.ToolResult {
			attached = append(attached, e.result(b)...)
			continue
		}
		rest = append(rest, b)
	}
	if blocks := slices.Concat(attached, rest); len(blocks) > 0 {
		e.message("user", blocks)
	}
}

// result writes a tool message, which is text only, and returns what else the
// result holds.
func (e *requestEncoder) result(b neutral.Block) (attached []neutral.Block) {
	var texts []string
	for _, c := range b.Result.Content {
		switch c.Kind {
		case neutral.Text:
			texts = append(texts, c.Text)
		case neutral.Image, neutral.Document:
			attached = append(attached, c)
		default:
			e.refuse(c.Field, "a tool's result holds text, images and documents only")
		}
	}
	if len(attached) > 0 {
		texts = append(texts, attachedNote)
		e.notes.Approximate("messages.tool_result.content")
	}
	text := strings.Join(texts, "\n")
	if b.Result.IsError {
		e.notes.Approximate("messages.tool_result.is_error")
		if !strings.HasPrefix(strings.ToLower(strings.TrimSpace(text)), "error") {
			text = "Error: " + text
		}
	}
	e.w.Open('{').Key("role").Text("tool")
	e.w.Key("tool_call_id").Text(b.Result.CallID).Key("content").Text(text).Close('}')
	return attached
}

func (e *requestEncoder) assistant(t neutral.Turn) {
	var text []neutral.Block
	var calls []neutral.Block
	for _, b := range withoutEmpty(t.Blocks) {
		switch b.Kind {
		case neutral.ToolCall:
			calls = append(calls, b)
		case neutral.Text:
			text = append(text, b)
		case neutral.Refusal:
			if !e.target.OpenAI { // it is said all the same
				b.Kind = neutral.Text
				e.notes.Approximate("messages.refusal")
			}
			text = append(text, b)
		default:
			e.refuse(b.Field, "an assistant's message holds text and tool calls only")
		}
	}
	if len(text)+len(calls) == 0 {
		return
	}
	e.w.Open('{').Key("role").Text("assistant").Key("content")
	switch {
	case len(text) == 0:
		e.w.Null()
	case len(text) == 1 && text[0].Kind == neutral.Text:
		e.w.Text(text[0].Text)
	default:
		e.w.Open('[')
		for _, b := range text {
			e.part(b)
		}
		e.w.Close(']')
	}
	if len(calls) > 0 {
		e.w.Key("tool_calls").Open('[')
		for _, b := range calls {
			e.name(b.Field+".name", b.Call.Name)
			arguments, _ := b.Call.Object()
			writeCall(&e.w, neutral.Call{ID: b.Call.ID, Name: b.Call.Name, Arguments: string(neutral.Compact(arguments))})
		}
		e.w.Close(']')
	}
	e.w.Close('}')
}

func (e *requestEncoder) part(b neutral.Block) {
	w, m := &e.w, b.Media
	switch b.Kind {
	case neutral.Text:
		w.Open('{').Key("type").Text("text").Key("text").Text(b.Text).Close('}')
	case neutral.Refusal:
		w.Open('{').Key("type").Text("refusal").Key("refusal").Text(b.Text).Close('}')
	case neutral.Image:
		url := m.URL
		if url == "" {
			url = "data:" + m.Type + ";base64," + m.Data
		}
		w.Open('{').Key("type").Text("image_url")
		w.Key("image_url").Open('{').Key("url").Text(url).Close('}').Close('}')
	case neutral.Document:
		e.document(b)
	default:
		e.refuse(b.Field, "this kind of content cannot be sent in Chat")
	}
}

// document writes a PDF as a file where the server takes files, and text as
// text under its title.
func (e *requestEncoder) document(b neutral.Block) {
	m := b.Media
	switch {
	case m.Type == "text/plain":
		text, err := base64.StdEncoding.DecodeString(m.Data)
		if err != nil {
			e.refuse(b.Field, "the document is not base64 text")
		}
		e.notes.Approximate("messages.document")
		title := m.Name
		if title != "" {
			title += "\n\n"
		}
		e.w.Open('{').Key("type").Text("text").Key("text").Text(title + string(text)).Close('}')
	case m.URL != "":
		e.refuse(b.Field+".source.url", "Chat takes no documents by address")
	case m.Type != "application/pdf":
		e.refuse(b.Field+".source.media_type", "Chat takes PDF documents only")
	case !e.target.OpenAI:
		e.refuse(b.Field, "compatible servers take no files")
	default:
		name := m.Name
		if name == "" {
			name = "document.pdf"
		}
		e.w.Open('{').Key("type").Text("file").Key("file").Open('{')
		e.w.Key("filename").Text(name)
		e.w.Key("file_data").Text("data:" + m.Type + ";base64," + m.Data)
		e.w.Close('}').Close('}')
	}
}
