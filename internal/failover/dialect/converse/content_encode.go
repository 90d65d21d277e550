package converse

import (
	"slices"
	"strconv"
	"strings"

	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
	"github.com/understudy-dev/understudy/internal/failover/dialect/schema"
)

// system writes the system prompt as one block per message, so that cache
// points survive.
func (e *requestEncoder) system() {
	blocks := e.req.System
	if f := e.req.Format; f != nil && f.Schema == nil {
		blocks = append(slices.Clip(blocks), neutral.Block{Text: schema.Instruction})
		e.notes.Approximate(f.Field)
	}
	for _, b := range blocks {
		if !isText(b) {
			e.refuse(b.Field, "Bedrock's system prompt is text only")
		}
	}
	if !slices.ContainsFunc(blocks, hasText) {
		return
	}
	e.w.Key("system").Open('[')
	for _, b := range blocks {
		e.text(b)
	}
	e.w.Close(']')
}

func isText(b neutral.Block) bool { return b.Kind == neutral.Text || b.Kind == neutral.Refusal }

// hasText reports text that Bedrock takes: it refuses every block that is blank.
func hasText(b neutral.Block) bool { return isText(b) && strings.TrimSpace(b.Text) != "" }

func (e *requestEncoder) turns(turns []neutral.Turn) {
	e.w.Key("messages").Open('[')
	for _, t := range turns {
		role := "user"
		if t.Role == neutral.Assistant {
			role = "assistant"
		}
		e.w.Open('{').Key("role").Text(role).Key("content").Open('[')
		for _, b := range t.Blocks {
			e.block(b, t)
		}
		e.w.Close(']').Close('}')
	}
	e.w.Close(']')
}

func (e *requestEncoder) block(b neutral.Block, t neutral.Turn) {
	switch b.Kind {
	case neutral.Refusal:
		e.notes.Approximate("messages.refusal")
		e.text(b)
	case neutral.Text:
		e.text(b)
	case neutral.Image, neutral.Document:
		if t.Role == neutral.Assistant {
			e.refuse(b.Field, "Bedrock takes images and documents from the user only")
			return
		}
		// Whether a document may stand alone is not certain; that it may stand
		// beside text is.
		if b.Kind == neutral.Document && !slices.ContainsFunc(t.Blocks, hasText) {
			e.refuse(b.Field, "Bedrock wants text beside a document")
		}
		e.media(b)
		e.cachePoint(b.Cache)
	case neutral.ToolCall:
		e.call(b)
		e.cachePoint(b.Cache)
	case neutral.ToolResult:
		e.result(b)
		e.cachePoint(b.Cache)
	}
}

func (e *requestEncoder) text(b neutral.Block) {
	if hasText(b) {
		e.w.Open('{').Key("text").Text(b.Text).Close('}')
		e.cachePoint(b.Cache)
	}
}

// cachePoint marks what stands before it as worth caching. Models that cannot
// cache refuse it, so only those get it of which it is known.
func (e *requestEncoder) cachePoint(wanted bool) {
	if !wanted || !e.caps.Claude || e.cachePoints == maxCachePoints {
		return
	}
	e.cachePoints++
	e.w.Open('{').Key("cachePoint").Open('{').Key("type").Text("default").Close('}').Close('}')
}

// formats are the words for the media types that Bedrock takes.
var formats = map[neutral.Kind]map[string]string{
	neutral.Image: {"image/png": "png", "image/jpeg": "jpeg", "image/gif": "gif", "image/webp": "webp"},
	neutral.Document: {
		"application/pdf": "pdf", "text/csv": "csv", "text/html": "html", "text/plain": "txt", "text/markdown": "md",
		"application/msword": "doc", "application/vnd.ms-excel": "xls",
		"application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
		"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet":       "xlsx",
	},
}

func (e *requestEncoder) media(b neutral.Block) {
	w, m := &e.w, b.Media
	format, ok := formats[b.Kind][m.Type]
	switch {
	case m.URL != "":
		e.refuse(b.Field, "Bedrock fetches nothing from an address; send the data itself")
	case !ok:
		e.refuse(b.Field, "Bedrock does not take this media type")
	}
	w.Open('{')
	if b.Kind == neutral.Image {
		w.Key("image").Open('{').Key("format").Text(format)
	} else {
		w.Key("document").Open('{').Key("name").Text(e.documentName(m.Name)).Key("format").Text(format)
	}
	w.Key("source").Open('{').Key("bytes").Text(m.Data).Close('}')
	w.Close('}').Close('}')
}

// documentName makes a name that is allowed (letters and digits, hyphens,
// brackets, single spaces) and that no other document of the request has.
func (e *requestEncoder) documentName(title string) string {
	const most = 200 - len(" 9999")
	name := strings.Map(func(r rune) rune {
		switch {
		case strings.ContainsRune(asciiWord+"-()[]", r):
			return r
		case strings.ContainsRune(" \t\r\n\u00a0", r):
			return ' '
		}
		return '-'
	}, title)
	name = strings.Join(strings.Fields(name), " ")
	name = strings.TrimSpace(name[:min(len(name), most)])
	if strings.Trim(name, "- ") == "" {
		name = "document"
	}
	fresh := name
	for n := 2; e.documents[fresh]; n++ {
		fresh = name + " " + strconv.Itoa(n)
	}
	e.documents[fresh] = true
	return fresh
}

func (e *requestEncoder) call(b neutral.Block) {
	input, exact := b.Call.Object()
	if !exact {
		e.notes.Approximate("messages.tool_calls.arguments")
	}
	e.name(b.Field+".name", b.Call.Name)
	e.w.Open('{').Key("toolUse").Open('{')
	e.w.Key("toolUseId").Text(b.Call.ID).Key("name").Text(b.Call.Name).Key("input").Raw(input)
	e.w.Close('}').Close('}')
}

// result writes what a tool gave back. Its content is a list, which may be
// empty; that it failed is said in words to models that know no status.
func (e *requestEncoder) result(b neutral.Block) {
	content := b.Result.Content
	if b.Result.IsError && !e.caps.Claude {
		e.notes.Approximate("messages.tool_result.is_error")
		content = append([]neutral.Block{{Kind: neutral.Text, Text: "Error:"}}, content...)
	}
	e.w.Open('{').Key("toolResult").Open('{').Key("toolUseId").Text(b.Result.CallID)
	e.w.Key("content").Open('[')
	for _, c := range content {
		switch c.Kind {
		case neutral.Text, neutral.Refusal:
			c.Cache = false // only whole results can be marked
			e.text(c)
		case neutral.Image, neutral.Document:
			e.media(c)
		default:
			e.refuse(c.Field, "a tool's result holds text, images and documents only")
		}
	}
	e.w.Close(']')
	if b.Result.IsError && e.caps.Claude {
		e.w.Key("status").Text("error")
	}
	e.w.Close('}').Close('}')
}
