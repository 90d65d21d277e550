package simulator

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// The members of a Messages request, and those that only the first API version knows.
const (
	messagesFields = "model messages max_tokens system stream tools tool_choice stop_sequences thinking output_config " +
		"metadata service_tier speed inference_geo container diagnostics cache_control context_management mcp_servers " +
		"fallbacks thread previous_message_id"
	samplingFields = " temperature top_p top_k"
	countFields    = "model messages system tools tool_choice thinking output_config cache_control context_management mcp_servers"
)

// anthropicVersions are the API versions that exist.
var anthropicVersions = []string{"2023-06-01", "2026-10-21"}

// anthropicID is the pattern of the ids of tool calls.
var anthropicID = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)

// anthropicBlocks are the block types that may stand in a turn of each role.
var anthropicBlocks = map[string]string{
	"user": "text image document search_result tool_result container_upload",
	"assistant": "text thinking redacted_thinking tool_use server_tool_use web_search_tool_result " +
		"code_execution_tool_result",
	"system": "text",
}

// badRequest is Anthropic's answer to an invalid request.
func badRequest(format string, args ...any) *apiError {
	return &apiError{status: 400, kind: "invalid_request_error", message: fmt.Sprintf(format, args...)}
}

// checkMessages checks a Messages request by the published rules.
func checkMessages(o object, version string, counting bool) *apiError {
	known := messagesFields
	if counting {
		known = countFields
	}
	if version == "2023-06-01" {
		known += samplingFields
	}
	for _, name := range []string{"model", "messages", "max_tokens"} {
		if _, ok := o[name]; !ok && (name != "max_tokens" || !counting) {
			return badRequest("%s: Field required", name)
		}
	}
	if name := unknown(o, known); name != "" {
		return badRequest("%s: Extra inputs are not permitted", name)
	}
	if _, ok := o["model"].(string); !ok {
		return badRequest("model: Input should be a valid string")
	}
	if !counting {
		if n, ok := integer(o["max_tokens"]); !ok {
			return badRequest("max_tokens: Input should be a valid integer")
		} else if n < 0 {
			return badRequest("max_tokens: Input should be greater than or equal to 0")
		}
	}
	for _, check := range []func(object) *apiError{checkValues, checkAnthropicTools} {
		if e := check(o); e != nil {
			return e
		}
	}
	if system, ok := o["system"].([]any); ok {
		if e := checkBlocks("system", "system", system); e != nil {
			return e
		}
	}
	messages, ok := list(o["messages"])
	switch {
	case !ok:
		return badRequest("messages: Input should be a valid list")
	case len(messages) == 0:
		return badRequest("messages: at least one message is required")
	}
	if e := checkTurns(messages); e != nil {
		return e
	}
	return checkDefined(o, messages)
}

// checkAnthropicTools checks tools, tool_choice and sampling.
func checkAnthropicTools(o object) *apiError {
	tools, ok := list(o["tools"])
	if o["tools"] != nil && !ok {
		return badRequest("tools: Input should be a valid list")
	}
	if names := toolNames(o["tools"], ""); len(slices.Compact(slices.Sorted(slices.Values(names)))) < len(names) {
		return badRequest("tools: Tool names must be unique.")
	}
	for i, tool := range tools {
		if kind := str(tool, "type"); kind != "" && kind != "custom" {
			continue // A server tool has a shape of its own.
		}
		name := str(tool, "name")
		if name == "" {
			return badRequest("tools.%d.custom.name: Field required", i)
		}
		if !toolName.MatchString(name) {
			return badRequest("tools.%d.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'", i)
		}
		schema, ok := tool["input_schema"].(object)
		if !ok {
			return badRequest("tools.%d.custom.input_schema: Field required", i)
		}
		if str(schema, "type") != "object" {
			return badRequest("tools.%d.custom.input_schema.type: Input should be 'object'", i)
		}
		if name := unknown(tool, "name description input_schema type strict cache_control defer_loading "+
			"eager_input_streaming input_examples allowed_callers"); name != "" {
			return badRequest("tools.%d.custom.%s: Extra inputs are not permitted", i, name)
		}
	}
	choice, ok := o["tool_choice"].(object)
	if !ok {
		if o["tool_choice"] != nil {
			return badRequest("tool_choice: Input should be a valid dictionary or object to extract fields from")
		}
		return nil
	}
	kind := str(choice, "type")
	switch {
	case !slices.Contains([]string{"auto", "any", "tool", "none"}, kind):
		return badRequest("tool_choice: Input tag '%s' found using 'type' does not match any of the expected tags: 'any', 'auto', 'none', 'tool'", kind)
	case len(tools) == 0 && kind != "none":
		return badRequest("tool_choice: tool_choice may only be specified while providing tools")
	case kind == "tool" && !slices.Contains(toolNames(o["tools"], ""), str(choice, "name")):
		return badRequest("tool_choice: Tool '%s' not found in provided tools", str(choice, "name"))
	}
	return nil
}

// checkTurns checks roles, contents and the pairing of tool calls and results. Turns of one role in a row count as
// one turn.
func checkTurns(messages []object) *apiError {
	for i, m := range messages {
		role := str(m, "role")
		if anthropicBlocks[role] == "" {
			return badRequest("messages.%d.role: Input should be 'user', 'assistant' or 'system'", i)
		}
		if i == 0 && role == "assistant" {
			return badRequest("messages: first message must use the \"user\" role")
		}
		if name := unknown(m, "role content"); name != "" {
			return badRequest("messages.%d.%s: Extra inputs are not permitted", i, name)
		}
		if e := checkContent(i, m, i == len(messages)-1); e != nil {
			return e
		}
	}
	return checkPairs(messages)
}

// checkContent checks the content of one turn.
func checkContent(i int, m object, last bool) *apiError {
	role := str(m, "role")
	switch content := m["content"].(type) {
	case nil:
		return badRequest("messages.%d.content: Field required", i)
	case string:
		// An assistant turn may be empty; measured against the live API, whatever its place.
		if content == "" && role != "assistant" {
			return badRequest("messages.%d: all messages must have non-empty content except for the optional final assistant message", i)
		}
		if content != "" && strings.TrimSpace(content) == "" {
			return badRequest("messages: text content blocks must contain non-whitespace text")
		}
		return checkPrefill(role, content, last)
	case []any:
		if len(content) == 0 && role != "assistant" {
			return badRequest("messages.%d: all messages must have non-empty content except for the optional final assistant message", i)
		}
		if e := checkBlocks(fmt.Sprintf("messages.%d.content", i), role, content); e != nil {
			return e
		}
		if len(content) > 0 {
			final, _ := content[len(content)-1].(object)
			return checkPrefill(role, str(final, "text"), last)
		}
		return nil
	}
	return badRequest("messages.%d.content: Input should be a valid list", i)
}

// checkPrefill refuses a begun answer that ends in white space.
func checkPrefill(role, text string, last bool) *apiError {
	if last && role == "assistant" && text != "" && unicode.IsSpace(rune(text[len(text)-1])) {
		return badRequest("messages: final assistant content cannot end with trailing whitespace")
	}
	return nil
}

// checkBlocks checks the blocks of one content: their types, ids and texts. Blank text is allowed beside something
// else, empty text nowhere.
func checkBlocks(at, role string, content []any) *apiError {
	blank, other := false, false
	for j, item := range content {
		block, ok := item.(object)
		if !ok {
			return badRequest("%s.%d: Input should be a valid dictionary or object to extract fields from", at, j)
		}
		kind := str(block, "type")
		if !slices.Contains(strings.Fields(anthropicBlocks[role]), kind) {
			return badRequest("%s.%d: Input tag '%s' found using 'type' does not match any of the expected tags", at, j, kind)
		}
		if kind != "text" {
			other = true
			if e := checkBlock(fmt.Sprintf("%s.%d.%s", at, j, kind), block); e != nil {
				return e
			}
			continue
		}
		text, ok := block["text"].(string)
		extra := unknown(block, blockFields["text"])
		switch {
		case extra != "":
			return badRequest("%s.%d.text.%s: Extra inputs are not permitted", at, j, extra)
		case !ok:
			return badRequest("%s.%d.text.text: Field required", at, j)
		case text == "":
			return badRequest("%s: text content blocks must be non-empty", strings.SplitN(at, ".", 2)[0])
		case strings.TrimSpace(text) == "":
			blank = true
		default:
			other = true
		}
	}
	if blank && !other {
		return badRequest("%s: text content blocks must contain non-whitespace text", strings.SplitN(at, ".", 2)[0])
	}
	return nil
}
