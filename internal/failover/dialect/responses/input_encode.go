package responses

import (
	"encoding/base64"
	"strings"

	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
)

func (e *requestEncoder) input() {
	e.message("system", e.req.System)
	for _, t := range e.req.Turns {
		switch t.Role {
		case neutral.System:
			e.message("system", t.Blocks)
		case neutral.User:
			e.userTurn(t)
		case neutral.Assistant:
			e.assistantTurn(t)
		}
	}
}

// message writes one message, or nothing where it would be empty.
func (e *requestEncoder) message(role string, blocks []neutral.Block) {
	open := false
	for _, b := range blocks {
		if b.Kind == neutral.Text && b.Text == "" {
			continue
		}
		if !open {
			open = true
			e.w.Open('{').Key("type").Text("message").Key("role").Text(role).Key("content").Open('[')
		}
		if role == "assistant" {
			e.said(b)
		} else {
			e.part(b)
		}
	}
	if open {
		e.w.Close(']').Close('}')
	}
}

// userTurn writes the results first, as OpenAI wants them right behind the
// calls; then the rest of the turn.
func (e *requestEncoder) userTurn(t neutral.Turn) {
	var rest []neutral.Block
	for _, b := range t.Blocks {
		if b.Kind == neutral.ToolResult {
			e.result(b)
			continue
		}
		rest = append(rest, b)
	}
	e.message("user", rest)
}

// result writes what a tool gave back: a text, or a list where there is more.
func (e *requestEncoder) result(b neutral.Block) {
	content := b.Result.Content
	if b.Result.IsError {
		e.notes.Approximate("messages.tool_result.is_error")
		content = sayError(content)
	}
	w := &e.w
	w.Open('{').Key("type").Text("function_call_output").Key("call_id").Text(b.Result.CallID).Key("output")
	switch {
	case len(content) == 0:
		w.Text("")
	case len(content) == 1 && content[0].Kind == neutral.Text:
		w.Text(content[0].Text)
	default:
		w.Open('[')
		for _, c := range content {
			e.part(c)
		}
		w.Close(']')
	}
	w.Close('}')
}

// sayError makes the first text say that it is about an error, for which
// Responses has no mark.
func sayError(content []neutral.Block) []neutral.Block {
	if len(content) == 0 || content[0].Kind != neutral.Text {
		return append([]neutral.Block{{Kind: neutral.Text, Text: "Error"}}, content...)
	}
	first := content[0]
	if !strings.HasPrefix(strings.ToLower(strings.TrimSpace(first.Text)), "error") {
		first.Text = "Error: " + first.Text
	}
	return append([]neutral.Block{first}, content[1:]...)
}

// assistantTurn writes what was said and called, in order.
func (e *requestEncoder) assistantTurn(t neutral.Turn) {
	from := 0
	for i, b := range t.Blocks {
		if b.Kind != neutral.ToolCall {
			continue
		}
		e.message("assistant", t.Blocks[from:i])
		from = i + 1
		e.name(b.Field+".name", b.Call.Name)
		arguments, _ := b.Call.Object()
		e.w.Open('{').Key("type").Text("function_call").Key("call_id").Text(b.Call.ID)
		e.w.Key("name").Text(b.Call.Name).Key("arguments").Text(string(neutral.Compact(arguments))).Close('}')
	}
	e.message("assistant", t.Blocks[from:])
}

// said writes a part of an assistant's message.
func (e *requestEncoder) said(b neutral.Block) {
	switch b.Kind {
	case neutral.Text:
		e.w.Open('{').Key("type").Text("output_text").Key("text").Text(b.Text).Key("annotations").Open('[').Close(']').Close('}')
	case neutral.Refusal:
		e.w.Open('{').Key("type").Text("refusal").Key("refusal").Text(b.Text).Close('}')
	default:
		e.refuse(b.Field, "an assistant's message holds text and tool calls only")
	}
}

func (e *requestEncoder) part(b neutral.Block) {
	w, m := &e.w, b.Media
	switch b.Kind {
	case neutral.Text:
		w.Open('{').Key("type").Text("input_text").Key("text").Text(b.Text).Close('}')
	case neutral.Image:
		url := m.URL
		if url == "" {
			url = "data:" + m.Type + ";base64," + m.Data
		}
		w.Open('{').Key("type").Text("input_image").Key("image_url").Text(url).Key("detail").Text("auto").Close('}')
	case neutral.Document:
		e.document(b)
	default:
		e.refuse(b.Field, "this kind of content cannot be sent in Responses")
	}
}

// document writes a PDF as a file where the server takes files, and text as
// text under its title.
func (e *requestEncoder) document(b neutral.Block) {
	w, m := &e.w, b.Media
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
		w.Open('{').Key("type").Text("input_text").Key("text").Text(title + string(text)).Close('}')
	case !e.target.OpenAI:
		e.refuse(b.Field, "compatible servers take no files")
	case m.URL != "":
		w.Open('{').Key("type").Text("input_file").Key("file_url").Text(m.URL).Close('}')
	case m.Type != "application/pdf":
		e.refuse(b.Field+".source.media_type", "Responses takes PDF documents only")
	default:
		name := m.Name
		if name == "" {
			name = "document.pdf"
		}
		w.Open('{').Key("type").Text("input_file").Key("filename").Text(name)
		w.Key("file_data").Text("data:" + m.Type + ";base64," + m.Data).Close('}')
	}
}
