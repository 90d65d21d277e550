package simulator

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxItemCallID is the published longest id of a call in Responses.
const maxItemCallID = 64

// itemMembers are the members of the items that an app may send back.
var itemMembers = map[string]string{
	"message":              "type id role status content phase",
	"function_call":        "type id call_id name arguments status namespace caller",
	"function_call_output": "type id call_id output status",
	"reasoning":            "type id summary content encrypted_content status",
}

// otherItems are those that are taken as they are.
const otherItems = "file_search_call web_search_call computer_call computer_call_output code_interpreter_call image_generation_call " +
	"local_shell_call local_shell_call_output shell_call shell_call_output apply_patch_call apply_patch_call_output mcp_list_tools " +
	"mcp_approval_request mcp_approval_response mcp_call custom_tool_call custom_tool_call_output compaction"

// checkInput checks the input of Responses.
func checkInput(o object) *apiError {
	switch input := o["input"].(type) {
	case nil:
		if o["prompt"] != nil || o["previous_response_id"] != nil || o["conversation"] != nil {
			return nil
		}
		return missing("input")
	case string:
		return nil
	case []any:
		items, ok := list(input)
		if !ok {
			return wrongType("input", "an array of objects")
		}
		if len(items) == 0 {
			return invalid("input", "empty_array", "Invalid 'input': empty array. Expected an array with minimum length 1, but got an empty array instead.")
		}
		return checkItems(items, o["previous_response_id"] != nil)
	}
	return wrongType("input", "a string or an array")
}

// checkItems checks the items: their members, and that every output answers a call and every call has its output.
// Calls may have been made in an earlier response.
func checkItems(items []object, goesOn bool) *apiError {
	var open []string
	for i, item := range items {
		at := fmt.Sprintf("input[%d]", i)
		kind := str(item, "type")
		if kind == "" && item["role"] != nil {
			kind = "message"
		}
		members, known := itemMembers[kind]
		switch {
		case kind == "item_reference", kind == "" && item["id"] != nil:
			e := invalid("input", "", "Item with id '%s' not found.", str(item, "id"))
			e.status = 404
			return e
		case slices.Contains(strings.Fields(otherItems), kind):
			continue
		case !known:
			return invalid(at, "invalid_value", "Invalid value: '%s'. Supported values are: 'function_call', 'function_call_output', 'message', 'reasoning', and others.", kind)
		}
		if name := unknown(item, members); name != "" {
			return invalid(at+"."+name, "unknown_parameter", "Unknown parameter: '%s.%s'.", at, name)
		}
		if e := checkItem(at, kind, item); e != nil {
			return e
		}
		switch id := str(item, "call_id"); kind {
		case "function_call":
			open = append(open, id)
		case "function_call_output":
			if !goesOn && !slices.Contains(open, id) {
				return invalid("input", "", "No tool call found for function call output with call_id %s.", id)
			}
			open = slices.DeleteFunc(open, func(o string) bool { return o == id })
		}
	}
	if len(open) > 0 {
		return invalid("input", "", "No tool output found for function call %s.", open[0])
	}
	return nil
}

// prefixes are how the ids of items begin.
var prefixes = map[string]string{"message": "msg", "function_call": "fc", "reasoning": "rs"}

// checkItem checks one item.
func checkItem(at, kind string, item object) *apiError {
	if id, prefix := str(item, "id"), prefixes[kind]; item["id"] != nil && !strings.HasPrefix(id, prefix) {
		return invalid(at+".id", "invalid_value", "Invalid '%s.id': '%s'. Expected an ID that begins with '%s'.", at, id, prefix)
	}
	switch kind {
	case "message":
		return checkItemMessage(at, item)
	case "reasoning":
		if _, ok := item["summary"].([]any); !ok || item["id"] == nil {
			return missing(at + ".summary")
		}
		return nil
	}
	id := str(item, "call_id")
	if id == "" {
		return missing(at + ".call_id")
	}
	if n := utf8.RuneCountInString(id); n > maxItemCallID {
		return invalid(at+".call_id", "string_above_max_length", "Invalid '%s.call_id': string too long. Expected a string with maximum length %d, but got a string with length %d instead.", at, maxItemCallID, n)
	}
	if kind == "function_call_output" {
		return checkItemContent(at+".output", "user", item["output"])
	}
	if str(item, "name") == "" {
		return missing(at + ".name")
	}
	if _, ok := item["arguments"].(string); !ok {
		return wrongType(at+".arguments", "a string")
	}
	return nil
}

// itemParts are the content parts that each role may have.
var itemParts = map[string]string{
	"user": "input_text input_image input_file", "system": "input_text input_image input_file", "developer": "input_text input_image input_file",
	"assistant": "output_text refusal",
}

// checkItemMessage checks a message.
func checkItemMessage(at string, item object) *apiError {
	role := str(item, "role")
	if itemParts[role] == "" {
		return invalid(at+".role", "invalid_value", "Invalid value: '%s'. Supported values are: 'assistant', 'system', 'developer', and 'user'.", role)
	}
	return checkItemContent(at+".content", role, item["content"])
}

// partMembers are the members of a part, the needed one first.
var partMembers = map[string]string{
	"input_text": "text type prompt_cache_breakpoint", "output_text": "text type annotations logprobs", "refusal": "refusal type",
	"input_image": " type image_url file_id detail prompt_cache_breakpoint", "input_file": " type file_data file_url file_id filename detail prompt_cache_breakpoint",
}

// checkItemContent checks a text or a list of parts.
func checkItemContent(at, role string, content any) *apiError {
	if _, ok := content.(string); ok {
		return nil
	}
	parts, ok := list(content)
	if !ok {
		return wrongType(at, "a string or an array of objects")
	}
	for j, part := range parts {
		kind := str(part, "type")
		at := fmt.Sprintf("%s[%d]", at, j)
		if !slices.Contains(strings.Fields(itemParts[role]), kind) {
			return invalid(at, "invalid_value", "Invalid value: '%s'. Supported values are: '%s'.", kind, strings.ReplaceAll(itemParts[role], " ", "', '"))
		}
		if name := unknown(part, partMembers[kind]); name != "" {
			return invalid(at+"."+name, "unknown_parameter", "Unknown parameter: '%s.%s'.", at, name)
		}
		if needed, _, _ := strings.Cut(partMembers[kind], " "); needed != "" {
			if _, ok := part[needed].(string); !ok {
				return missing(at + "." + needed)
			}
		}
		if e := checkItemMedia(at, kind, part); e != nil {
			return e
		}
	}
	return nil
}

// checkItemMedia checks a picture or a file.
func checkItemMedia(at, kind string, part object) *apiError {
	switch kind {
	case "input_image":
		if part["file_id"] != nil {
			return nil
		}
		url := str(part, "image_url")
		head, data, _ := strings.Cut(url, ";base64,")
		if isData := strings.HasPrefix(head, "data:image/") && data != ""; !isData && !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "http://") {
			return invalid(at+".image_url", "invalid_value", "Invalid '%s.image_url'. Expected a valid URL, but got a value with an invalid format.", at)
		}
	case "input_file":
		if part["file_id"] == nil && part["file_url"] == nil && (part["file_data"] == nil || part["filename"] == nil) {
			return missing(at + ".file_id")
		}
	}
	return nil
}
