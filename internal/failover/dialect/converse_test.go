package dialect_test

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
	"github.com/understudy-dev/understudy/internal/failover/dialect/wire"
)

// converseEncoder writes a stream as Bedrock does, for tests of what reads it.
type converseEncoder struct {
	usage   neutral.Usage
	text    bool // the block of the text is open
	refused bool
}

func (e *converseEncoder) Encode(dst []byte, ev neutral.Event) ([]byte, bool) {
	event := func(name, format string, args ...any) {
		dst = wire.AppendEvent(dst, name, fmt.Appendf(nil, format, args...))
	}
	quoted := string(wire.AppendString(nil, ev.Text))
	block := ev.Call + 1
	switch ev.Kind {
	case neutral.Start:
		event("messageStart", `{"p":"abcd","role":"assistant"}`)
	case neutral.TextDelta, neutral.RefusalDelta:
		e.text, e.refused = true, e.refused || ev.Kind == neutral.RefusalDelta
		event("contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":%s},"p":"abcdefgh"}`, quoted)
	case neutral.CallStart:
		event("contentBlockStart", `{"contentBlockIndex":%d,"p":"ab","start":{"toolUse":{"name":%q,"toolUseId":%q}}}`, block, ev.Name, ev.ID)
	case neutral.CallDelta:
		event("contentBlockDelta", `{"contentBlockIndex":%d,"delta":{"toolUse":{"input":%s}},"p":"abc"}`, block, quoted)
	case neutral.CallEnd:
		event("contentBlockStop", `{"contentBlockIndex":%d,"p":"abc"}`, block)
	case neutral.UsageKnown:
		e.usage = ev.Usage
	case neutral.Done:
		if e.text {
			event("contentBlockStop", `{"contentBlockIndex":0,"p":"abc"}`)
		}
		reasons := map[neutral.Reason]string{
			neutral.Stopped: "end_turn", neutral.Length: "max_tokens", neutral.ToolCalls: "tool_use", neutral.Filtered: "content_filtered",
		}
		event("messageStop", `{"p":"abcdef","stopReason":%q}`, reasons[ev.Finish.Reason])
		u := e.usage
		event("metadata", `{"metrics":{"latencyMs":421},"p":"a","usage":{"inputTokens":%d,"outputTokens":%d,"totalTokens":%d,"cacheReadInputTokens":%d,"cacheWriteInputTokens":%d}}`,
			u.Input-u.CacheRead-u.CacheWrite, u.Output, u.Input+u.Output, u.CacheRead, u.CacheWrite)
	}
	return dst, ev.Kind != neutral.Start && ev.Kind != neutral.UsageKnown
}

var documentName = regexp.MustCompile(`^[A-Za-z0-9()\[\]-]+( [A-Za-z0-9()\[\]-]+)*$`)

func forbiddenInConverse(body []byte) string {
	v := failover.RawJSON(body)
	c := converseRules{tools: v.Member("toolConfig").IsObject(), used: map[string]bool{}, documents: map[string]bool{}}
	for _, p := range []string{
		unknown(v, "messages", "system", "inferenceConfig", "toolConfig", "outputConfig", "additionalModelRequestFields", "serviceTier", "requestMetadata"),
		unknown(v.Member("inferenceConfig"), "maxTokens", "temperature", "topP", "stopSequences"),
		unknown(v.Member("outputConfig"), "effort", "textFormat"),
		unknown(v.Member("additionalModelRequestFields"), "thinking", "tool_choice"),
		c.toolConfig(v.Member("toolConfig")), c.textFormat(v.Member("outputConfig").Member("textFormat")),
	} {
		if p != "" {
			return p
		}
	}
	if limit, ok := v.Member("inferenceConfig").Member("maxTokens").Int(); v.Member("inferenceConfig").Member("maxTokens") != nil && (!ok || limit < 1) {
		return "maxTokens"
	}
	for _, b := range elements(v.Member("system")) {
		if p := c.textOrCache(b); p != "" {
			return "system: " + p
		}
	}
	if v.Member("system") != nil && len(elements(v.Member("system"))) == 0 {
		return "empty system"
	}
	turns := elements(v.Member("messages"))
	if len(turns) == 0 {
		return "no turn"
	}
	for i, turn := range turns {
		if want := []string{"user", "assistant"}[i%2]; turn.Member("role").Text() != want {
			return fmt.Sprintf("turn %d is not the %s's", i, want)
		}
		if p := c.turn(elements(turn.Member("content")), i%2 == 0); p != "" {
			return fmt.Sprintf("turn %d: %s", i, p)
		}
	}
	return ""
}

// converseRules are Bedrock's published rules for one request.
type converseRules struct {
	tools     bool
	calls     []string // of the turn before, not answered yet
	used      map[string]bool
	documents map[string]bool
	marks     int
}

func (c *converseRules) turn(blocks []failover.RawJSON, user bool) string {
	if len(blocks) == 0 {
		return "empty turn"
	}
	text, document := false, false
	var calls []string
	for i, b := range blocks {
		kinds := names(b)
		if len(kinds) != 1 {
			return "block " + string(b)
		}
		p := ""
		switch v := b.Member(kinds[0]); kinds[0] {
		case "text", "cachePoint":
			p = c.textOrCache(b)
			text = text || kinds[0] == "text"
			if kinds[0] == "cachePoint" && i == 0 {
				p = "a cache point behind nothing"
			}
		case "image":
			p = c.media(v, user, "png", "jpeg", "gif", "webp")
		case "document":
			document = true
			p = c.document(v, user)
		case "toolUse":
			id := v.Member("toolUseId").Text()
			if user || !c.tools || c.used[id] || !neutral.IsWord(id) || len(id) > 64 || !neutral.IsWord(v.Member("name").Text()) || !v.Member("input").IsObject() {
				p = "toolUse " + string(v)
			}
			c.used[id] = true
			calls = append(calls, id)
		case "toolResult":
			if text || document {
				return "a result behind other content"
			}
			c.answered(v.Member("toolUseId").Text())
			p = c.result(v, user)
		default:
			p = "block " + kinds[0]
		}
		if p != "" {
			return p
		}
	}
	if document && !text {
		return "a document without text"
	}
	if user && len(c.calls) > 0 {
		return fmt.Sprint("calls without a result in the next turn: ", c.calls)
	}
	c.calls = calls
	return ""
}

// answered takes a call off the list of those that wait for a result.
func (c *converseRules) answered(id string) {
	c.calls = slices.DeleteFunc(c.calls, func(call string) bool { return call == id })
}

func (c *converseRules) textOrCache(b failover.RawJSON) string {
	if b.Member("cachePoint") != nil {
		if c.marks++; c.marks > 4 || b.Member("cachePoint").Member("type").Text() != "default" {
			return "cache point"
		}
		return ""
	}
	if strings.TrimSpace(b.Member("text").Text()) == "" {
		return "blank text"
	}
	return unknown(b, "text")
}

func (c *converseRules) media(v failover.RawJSON, user bool, formats ...string) string {
	data, err := base64.StdEncoding.DecodeString(v.Member("source").Member("bytes").Text())
	if !user || err != nil || len(data) == 0 || !strings.Contains(" "+strings.Join(formats, " ")+" ", " "+v.Member("format").Text()+" ") {
		return "media " + string(v)
	}
	return unknown(v.Member("source"), "bytes")
}

func (c *converseRules) document(v failover.RawJSON, user bool) string {
	name := v.Member("name").Text()
	if !documentName.MatchString(name) || len(name) > 200 || c.documents[name] {
		return "document name " + name
	}
	c.documents[name] = true
	if p := unknown(v, "name", "format", "source"); p != "" {
		return p
	}
	return c.media(v, user, "pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md")
}

func (c *converseRules) result(v failover.RawJSON, user bool) string {
	if !user || !c.tools || !v.Member("content").IsArray() || !neutral.IsWord(v.Member("toolUseId").Text()) {
		return "toolResult " + string(v)
	}
	if status := v.Member("status"); status != nil && status.Text() != "error" && status.Text() != "success" {
		return "status"
	}
	for _, b := range elements(v.Member("content")) {
		p := ""
		switch names(b)[0] {
		case "text":
			p = c.textOrCache(b)
		case "image":
			p = c.media(b.Member("image"), true, "png", "jpeg", "gif", "webp")
		case "document":
			p = c.document(b.Member("document"), true)
		default:
			p = "content " + string(b)
		}
		if p != "" {
			return p
		}
	}
	return unknown(v, "toolUseId", "content", "status")
}

func (c *converseRules) toolConfig(v failover.RawJSON) string {
	if v == nil {
		return ""
	}
	specs := 0
	for _, tool := range elements(v.Member("tools")) {
		if tool.Member("cachePoint") != nil {
			c.marks++
			continue
		}
		specs++
		spec := tool.Member("toolSpec")
		if !neutral.IsWord(spec.Member("name").Text()) || spec.Member("inputSchema").Member("json").Member("type").Text() != "object" {
			return "tool " + string(tool)
		}
		if p := unknown(spec, "name", "description", "inputSchema", "strict"); p != "" {
			return p
		}
	}
	if choice := v.Member("toolChoice"); choice != nil {
		if len(names(choice)) != 1 || !choice.Member(names(choice)[0]).IsObject() || unknown(choice, "auto", "any", "tool") != "" {
			return "toolChoice " + string(choice)
		}
	}
	if specs == 0 {
		return "no tools"
	}
	return unknown(v, "tools", "toolChoice")
}

func (c *converseRules) textFormat(v failover.RawJSON) string {
	if v == nil {
		return ""
	}
	schema := v.Member("structure").Member("jsonSchema").Member("schema")
	if v.Member("type").Text() != "json_schema" || !failover.ValidJSON([]byte(schema.Text())) || schema.Text() == "" {
		return "textFormat " + string(v)
	}
	return ""
}
