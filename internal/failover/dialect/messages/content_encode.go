package messages

import (
	"encoding/base64"
	"net/url"
	"strings"

	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
	"github.com/understudy-dev/understudy/internal/failover/dialect/schema"
)

// system writes the system prompt as one block per message, so that cache
// marks survive.
func (e *requestEncoder) system() {
	blocks := neutral.WithoutBlank(e.req.System)
	if f := e.req.Format; f != nil && f.Schema == nil {
		blocks = append(blocks, neutral.Block{Text: schema.Instruction})
		e.notes.Approximate(f.Field)
	}
	if len(blocks) == 0 {
		return
	}
	e.w.Key("system").Open('[')
	for _, b := range blocks {
		switch {
		case b.Kind != neutral.Text && b.Kind != neutral.Refusal:
			e.refuse(b.Field, "Anthropic's system prompt is text only")
		case strings.TrimSpace(b.Text) != "":
			e.text(b)
		}
	}
	e.w.Close(']')
}

func (e *requestEncoder) turns(turns []neutral.Turn) {
	e.w.Key("messages").Open('[')
	for _, t := range turns {
		role := "user"
		if t.Role == neutral.Assistant {
			role = "assistant"
		}
		e.w.Open('{').Key("role").Text(role).Key("content").Open('[')
		for _, b := range t.Blocks {
			e.block(b, t.Role)
		}
		e.w.Close(']').Close('}')
	}
	e.w.Close(']')
}

func (e *requestEncoder) block(b neutral.Block, role neutral.Role) {
	switch b.Kind {
	case neutral.Refusal:
		e.notes.Approximate("messages.refusal")
		e.text(b)
	case neutral.Text:
		e.text(b)
	case neutral.Image, neutral.Document:
		if role == neutral.Assistant {
			e.refuse(b.Field, "Anthropic takes images and documents from the user only")
			return
		}
		e.media(b)
	case neutral.ToolCall:
		e.call(b)
	case neutral.ToolResult:
		e.result(b)
	}
}

func (e *requestEncoder) text(b neutral.Block) {
	e.w.Open('{').Key("type").Text("text").Key("text").Text(b.Text)
	e.cacheMark(b)
	e.w.Close('}')
}

// cacheMark carries a cache mark over, up to Anthropic's limit. Their lifetimes
// differ.
func (e *requestEncoder) cacheMark(b neutral.Block) {
	if !b.Cache || e.cacheMarks == maxCacheMarks {
		return
	}
	e.cacheMarks++
	e.notes.Approximate("prompt_cache_breakpoint")
	e.w.Key("cache_control").Open('{').Key("type").Text("ephemeral").Close('}')
}

// namesPDF tells by an address whether a PDF lies there; Anthropic reads no
// other documents by address.
func namesPDF(address string) bool {
	u, err := url.Parse(address)
	return err == nil && strings.HasSuffix(strings.ToLower(u.Path), ".pdf")
}

func (e *requestEncoder) media(b neutral.Block) {
	w, m := &e.w, b.Media
	kind := "image"
	if b.Kind == neutral.Document {
		kind = "document"
	}
	w.Open('{').Key("type").Text(kind).Key("source").Open('{')
	switch {
	case strings.HasPrefix(m.URL, "http") && (b.Kind == neutral.Image || namesPDF(m.URL)):
		w.Key("type").Text("url").Key("url").Text(m.URL)
	case m.URL != "":
		e.refuse(b.Field, "Anthropic takes an http address of a picture or a PDF, or base64 data")
	case b.Kind == neutral.Document && m.Type == "text/plain":
		plain, err := base64.StdEncoding.DecodeString(m.Data)
		if err != nil {
			e.refuse(b.Field, "the document is not base64 text")
		}
		w.Key("type").Text("text").Key("media_type").Text(m.Type).Key("data").Text(string(plain))
	default:
		if !takes(b.Kind, m.Type) {
			e.refuse(b.Field, "Anthropic does not take this media type")
		}
		w.Key("type").Text("base64").Key("media_type").Text(m.Type).Key("data").Text(m.Data)
	}
	w.Close('}')
	if m.Name != "" {
		w.Key("title").Text(m.Name)
	}
	e.cacheMark(b)
	w.Close('}')
}

func takes(kind neutral.Kind, mediaType string) bool {
	switch mediaType {
	case "image/jpeg", "image/png", "image/gif", "image/webp":
		return kind == neutral.Image
	}
	return kind == neutral.Document && mediaType == "application/pdf"
}

func (e *requestEncoder) call(b neutral.Block) {
	input, exact := b.Call.Object()
	if !exact {
		e.notes.Approximate("messages.tool_calls.arguments")
	}
	e.name(b.Field+".name", b.Call.Name)
	e.w.Open('{').Key("type").Text("tool_use")
	e.w.Key("id").Text(b.Call.ID).Key("name").Text(b.Call.Name).Key("input").Raw(input)
	e.w.Close('}')
}

func (e *requestEncoder) result(b neutral.Block) {
	e.w.Open('{').Key("type").Text("tool_result").Key("tool_use_id").Text(b.Result.CallID)
	if content := neutral.WithoutBlank(b.Result.Content); len(content) > 0 {
		e.w.Key("content").Open('[')
		for _, c := range content {
			e.block(c, neutral.User)
		}
		e.w.Close(']')
	}
	if b.Result.IsError {
		e.w.Key("is_error").Bool(true)
	}
	e.w.Close('}')
}

// maxNameLength is the longest tool name that every Claude model takes.
const maxNameLength = 64

func (e *requestEncoder) name(field, name string) {
	if !neutral.IsWord(name) || len(name) > maxNameLength {
		e.refuse(field, "Anthropic takes up to 64 letters, digits, underscores and hyphens")
	}
}

// tools writes the tools and how they may be used. A history with calls needs
// tools to be present, so those that it names are declared, and forbidden,
// where the app sent none.
func (e *requestEncoder) tools(turns []neutral.Turn) {
	tools, choice := e.req.Tools, e.req.Choice
	if len(tools) == 0 {
		if tools = neutral.Mentioned(turns); len(tools) == 0 {
			return
		}
		e.notes.Approximate("tools")
		choice = neutral.Choice{Mode: neutral.None}
	}
	e.w.Key("tools").Open('[')
	for _, t := range tools {
		e.tool(t)
	}
	e.w.Close(']')
	e.choice(choice)
}

func (e *requestEncoder) tool(t neutral.Tool) {
	e.name(t.Field+".name", t.Name)
	input, ok := schema.Object(t.Schema)
	if !ok {
		e.refuse(t.Field+".parameters", "Anthropic needs a schema of type object")
	}
	e.w.Open('{').Key("name").Text(t.Name)
	if t.Description != "" {
		e.w.Key("description").Text(t.Description)
	}
	e.w.Key("input_schema").Raw(input)
	if t.Strict {
		if _, exact, ok := schema.Restrict(input); exact && ok {
			e.w.Key("strict").Bool(true)
		} else {
			e.notes.Drop("tools.strict")
		}
	}
	e.w.Close('}')
}

func (e *requestEncoder) choice(c neutral.Choice) {
	serial := e.req.SerialCalls && c.Mode != neutral.None
	if c.Mode == neutral.Unset {
		if !serial {
			return
		}
		c.Mode = neutral.Auto
	}
	if !e.caps.ForcedTools && (c.Mode == neutral.Required || c.Mode == neutral.Named) {
		e.refuse("tool_choice", "this model cannot be made to call a tool")
	}
	words := map[neutral.Mode]string{neutral.Auto: "auto", neutral.None: "none", neutral.Required: "any", neutral.Named: "tool"}
	e.w.Key("tool_choice").Open('{').Key("type").Text(words[c.Mode])
	if c.Mode == neutral.Named {
		e.w.Key("name").Text(c.Name)
	}
	if serial {
		e.w.Key("disable_parallel_tool_use").Bool(true)
	}
	e.w.Close('}')
}
