package gemini

import (
	"encoding/base64"
	"strings"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
	"github.com/understudy-dev/understudy/internal/failover/dialect/wire"
)

// attachedNote stands in a tool's result for what follows it as parts of the
// turn.
const attachedNote = "[attached below]"

func (e *requestEncoder) contents(turns []neutral.Turn) {
	e.w.Key("contents").Open('[')
	for _, t := range turns {
		role := "user"
		if t.Role == neutral.Assistant {
			role = "model"
		}
		e.w.Open('{').Key("role").Text(role).Key("parts").Open('[')
		e.parts(t)
		e.w.Close(']').Close('}')
	}
	e.w.Close(']')
}

// parts writes a turn: results first, then what they hold beside text, then
// the rest.
func (e *requestEncoder) parts(t neutral.Turn) {
	var attached []neutral.Block
	flush := func() {
		for _, b := range attached {
			e.media(b)
		}
		attached = nil
	}
	for _, b := range t.Blocks {
		if b.Kind != neutral.ToolResult {
			flush()
		}
		switch b.Kind {
		case neutral.Text:
			e.text(b.Text)
		case neutral.Refusal:
			e.notes.Approximate("messages.refusal")
			e.text(b.Text)
		case neutral.Image, neutral.Document:
			if t.Role == neutral.Assistant {
				e.refuse(b.Field, "images and documents can be translated from the user only")
			}
			e.media(b)
		case neutral.ToolCall:
			e.call(b)
		case neutral.ToolResult:
			attached = append(attached, e.result(b)...)
		}
	}
	flush()
}

func (e *requestEncoder) text(text string) { e.w.Open('{').Key("text").Text(text).Close('}') }

// inlineTypes are the media types that go in by value. GIF is not among them.
var inlineTypes = map[neutral.Kind]string{
	neutral.Image:    " image/png image/jpeg image/webp image/heic image/heif ",
	neutral.Document: " application/pdf ",
}

// media writes an image or a PDF by value. Addresses are refused: Gemini
// fetches only those that Google hosts, and we fetch none.
func (e *requestEncoder) media(b neutral.Block) {
	m := b.Media
	switch {
	case m.URL != "":
		e.refuse(b.Field, "Gemini takes images and documents by value only, as base64")
	case b.Kind == neutral.Document && m.Type == "text/plain":
		e.plainDocument(b)
	case m.Type == "" || !strings.Contains(inlineTypes[b.Kind], " "+m.Type+" "):
		e.refuse(b.Field, "Gemini does not take this media type")
	default:
		e.w.Open('{').Key("inlineData").Open('{')
		e.w.Key("mimeType").Text(m.Type).Key("data").Text(m.Data)
		e.w.Close('}').Close('}')
	}
}

// plainDocument writes a document of plain text as text under its title.
func (e *requestEncoder) plainDocument(b neutral.Block) {
	plain, err := base64.StdEncoding.DecodeString(b.Media.Data)
	if err != nil {
		e.refuse(b.Field, "the document is not base64 text")
	}
	e.notes.Approximate("messages.document")
	text := string(plain)
	if b.Media.Name != "" {
		text = b.Media.Name + "\n\n" + text
	}
	if text != "" {
		e.text(text)
	}
}

func (e *requestEncoder) call(b neutral.Block) {
	args, exact := b.Call.Object()
	if !exact {
		e.notes.Approximate("messages.tool_calls.arguments")
	}
	e.name(b.Field+".name", b.Call.Name)
	e.w.Open('{').Key("functionCall").Open('{')
	e.id(b.Call.ID)
	e.w.Key("name").Text(b.Call.Name).Key("args").Raw(args).Close('}')
	if b.Call.Signature != "" {
		e.w.Key("thoughtSignature").Text(b.Call.Signature)
	}
	e.w.Close('}')
}

// id writes the id of a call where the model insists on it; older ones, and
// older surfaces, call it an unknown name and go by order and name.
func (e *requestEncoder) id(id string) {
	if e.caps.CallIDs {
		e.w.Key("id").Text(id)
	}
}

// result writes what a tool gave back, and returns what else than text it
// holds.
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
	e.w.Open('{').Key("functionResponse").Open('{')
	e.id(b.Result.CallID)
	e.w.Key("name").Text(e.names[b.Result.CallID]).Key("response")
	writeResponse(&e.w, strings.Join(texts, "\n"), b.Result.IsError)
	e.w.Close('}').Close('}')
	return attached
}

// writeResponse writes a result as the object that it must be. A text that is
// one goes as it is, unless one of its members would be taken for one of
// Gemini's own two.
func writeResponse(w *wire.Writer, text string, isError bool) {
	raw := failover.RawJSON(strings.TrimSpace(text))
	isObject := raw.IsObject() && failover.ValidJSON(raw)
	switch {
	case isError:
		w.Open('{').Key("error").Text(text).Close('}')
	case isObject && raw.Member("output") == nil && raw.Member("error") == nil:
		w.Raw(raw)
	case isObject:
		w.Open('{').Key("output").Raw(raw).Close('}')
	default:
		w.Open('{').Key("output").Text(text).Close('}')
	}
}

// system writes the instructions, one part each.
func (e *requestEncoder) system() {
	blocks := withoutEmpty(e.req.System)
	if len(blocks) == 0 {
		return
	}
	e.w.Key("systemInstruction").Open('{').Key("parts").Open('[')
	for _, b := range blocks {
		if b.Kind != neutral.Text && b.Kind != neutral.Refusal {
			e.refuse(b.Field, "Gemini's system instruction is text only")
		}
		e.text(b.Text)
	}
	e.w.Close(']').Close('}')
}

// isBase64 reports whether a signature can be one.
func isBase64(s string) bool {
	if s == "" {
		return false
	}
	_, std := base64.StdEncoding.DecodeString(s)
	_, url := base64.URLEncoding.DecodeString(s)
	return std == nil || url == nil
}
