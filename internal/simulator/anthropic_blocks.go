package simulator

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// blockFields are the members of each block type beside type and cache_control; types that are missing here are not
// looked into.
var blockFields = map[string]string{
	"text": "type cache_control text citations", "image": "type cache_control source",
	"document": "type cache_control source title context citations", "tool_use": "type cache_control id name input caller",
	"tool_result": "type cache_control tool_use_id content is_error", "thinking": "type thinking signature",
	"redacted_thinking": "type data",
}

// requiredFields are those that must be there.
var requiredFields = map[string]string{
	"image": "source", "document": "source", "tool_use": "id name input", "tool_result": "tool_use_id",
	"thinking": "thinking signature", "redacted_thinking": "data",
}

// checkBlock checks a block that is not text.
func checkBlock(at string, block object) *apiError {
	kind := str(block, "type")
	for _, name := range strings.Fields(requiredFields[kind]) {
		if _, ok := block[name]; !ok {
			return badRequest("%s.%s: Field required", at, name)
		}
	}
	if known := blockFields[kind]; known != "" {
		if name := unknown(block, known); name != "" {
			return badRequest("%s.%s: Extra inputs are not permitted", at, name)
		}
	}
	for _, name := range []string{"id", "tool_use_id"} {
		if id, ok := block[name].(string); ok && !anthropicID.MatchString(id) {
			return badRequest("%s.%s: String should match pattern '^[a-zA-Z0-9_-]+$'", at, name)
		}
	}
	if input, ok := block["input"]; ok {
		if _, is := input.(object); !is {
			return badRequest("%s.input: Input should be a valid dictionary", at)
		}
	}
	switch kind {
	case "image", "document":
		return checkSource(at+".source", kind, block["source"])
	case "tool_result":
		return checkResultContent(at+".content", block["content"])
	}
	return nil
}

// mediaTypes are what may come as base64.
var mediaTypes = map[string]string{
	"image": "image/jpeg image/png image/gif image/webp", "document": "application/pdf",
}

// checkSource checks where an image or a document comes from.
func checkSource(at, kind string, v any) *apiError {
	source, _ := v.(object)
	switch form := str(source, "type"); {
	case form == "base64":
		if !slices.Contains(strings.Fields(mediaTypes[kind]), str(source, "media_type")) {
			return badRequest("%s.base64.media_type: Input should be '%s'", at, strings.ReplaceAll(mediaTypes[kind], " ", "', '"))
		}
		if data, err := base64.StdEncoding.DecodeString(str(source, "data")); err != nil || len(data) == 0 {
			return badRequest("%s.base64.data: Invalid base64 data", at)
		}
	case form == "url":
		if url := str(source, "url"); !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "http://") {
			return badRequest("%s.url.url: Only HTTP(S) URLs are supported.", at)
		}
	case form == "file", kind == "document" && form == "content":
	case kind == "document" && form == "text":
		if str(source, "media_type") != "text/plain" || str(source, "data") == "" {
			return badRequest("%s.text: media_type should be 'text/plain', and data must be non-empty", at)
		}
	default:
		return badRequest("%s: Input tag '%s' found using 'type' does not match any of the expected tags", at, form)
	}
	return nil
}

// resultBlocks are the block types that may stand in a tool's result. An empty result is allowed in every form.
var resultBlocks = []string{"text", "image", "document", "search_result", "tool_reference"}

// checkResultContent checks what a tool gave back.
func checkResultContent(at string, v any) *apiError {
	if _, isText := v.(string); isText || v == nil {
		return nil
	}
	blocks, ok := list(v)
	if !ok {
		return badRequest("%s: Input should be a valid list", at)
	}
	for i, block := range blocks {
		kind := str(block, "type")
		if !slices.Contains(resultBlocks, kind) {
			return badRequest("%s.%d: Input tag '%s' found using 'type' does not match any of the expected tags", at, i, kind)
		}
		if e := checkBlock(fmt.Sprintf("%s.%d.%s", at, i, kind), block); e != nil {
			return e
		}
	}
	return nil
}

// checkDefined checks that a conversation with tool calls comes with tools.
func checkDefined(o object, messages []object) *apiError {
	if tools, _ := list(o["tools"]); len(tools) > 0 {
		return nil
	}
	for _, t := range turns(messages) {
		if len(t.ids("tool_use", "id"))+len(t.ids("tool_result", "tool_use_id")) > 0 {
			return badRequest("tools: Requests which include `tool_use` or `tool_result` blocks must define tools.")
		}
	}
	return nil
}

// checkValues checks the simple members: a flag, ranges and stop sequences.
func checkValues(o object) *apiError {
	if _, ok := o["stream"].(bool); o["stream"] != nil && !ok {
		return badRequest("stream: Input should be a valid boolean")
	}
	for _, name := range []string{"temperature", "top_p"} {
		if n, ok := number(o[name]); o[name] != nil && (!ok || n < 0 || n > 1) {
			return badRequest("%s: range: 0..1", name)
		}
	}
	stops, isList := o["stop_sequences"].([]any)
	if o["stop_sequences"] != nil && !isList {
		return badRequest("stop_sequences: Input should be a valid list")
	}
	for i, v := range stops {
		switch text, ok := v.(string); {
		case !ok:
			return badRequest("stop_sequences.%d: Input should be a valid string", i)
		case strings.TrimSpace(text) == "":
			return badRequest("stop_sequences: each stop sequence must contain non-whitespace")
		}
	}
	return nil
}

// number returns the value of any number.
func number(v any) (float64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	f, err := n.Float64()
	return f, err == nil
}
