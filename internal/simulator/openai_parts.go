package simulator

import (
	"fmt"
	"slices"
	"strings"
)

// chatParts are the content parts that each role may have.
var chatParts = map[string]string{
	"user": "text image_url input_audio file", "assistant": "text refusal",
	"system": "text", "developer": "text", "tool": "text", "function": "text",
}

// checkParts checks the parts of a Chat content.
func checkParts(at, role string, parts []any) *apiError {
	if len(parts) == 0 {
		return invalid(at+".content", "empty_array", "Invalid '%s.content': empty array. Expected an array with minimum length 1, but got an empty array instead.", at)
	}
	for j, item := range parts {
		part, _ := item.(object)
		kind := str(part, "type")
		at := fmt.Sprintf("%s.content[%d]", at, j)
		if !slices.Contains(strings.Fields(chatParts[role]), kind) {
			return invalid(at+".type", "invalid_value", "Invalid value: '%s'. Supported values are: '%s'.", kind, strings.ReplaceAll(chatParts[role], " ", "', '"))
		}
		if _, ok := part[kind]; !ok {
			return missing(at + "." + kind)
		}
		if name := unknown(part, "type prompt_cache_breakpoint "+kind); name != "" {
			return invalid(at+"."+name, "unknown_parameter", "Unknown parameter: '%s.%s'.", at, name)
		}
		if e := checkPart(at+"."+kind, kind, part[kind]); e != nil {
			return e
		}
	}
	return nil
}

// checkPart checks what a part holds.
func checkPart(at, kind string, v any) *apiError {
	switch kind {
	case "text", "refusal":
		if _, ok := v.(string); !ok {
			return wrongType(at, "a string")
		}
	case "image_url":
		image, ok := v.(object)
		if !ok {
			return wrongType(at, "an object")
		}
		url := str(image, "url")
		head, data, _ := strings.Cut(url, ";base64,")
		isData := strings.HasPrefix(head, "data:image/") && data != ""
		if !isData && !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "http://") {
			return invalid(at+".url", "invalid_value", "Invalid value for '%s.url': expected a base64-encoded data URL with an image MIME type, or an http(s) URL.", at)
		}
	}
	return nil
}

// maxStops is the published number of stop sequences.
const maxStops = 4

// checkChatValues checks the simple members: a flag, ranges and stop sequences.
func checkChatValues(o object) *apiError {
	if _, ok := o["stream"].(bool); o["stream"] != nil && !ok {
		return wrongType("stream", "a boolean")
	}
	for name, most := range map[string]float64{"temperature": 2, "top_p": 1} {
		n, ok := number(o[name])
		switch {
		case o[name] == nil:
		case !ok:
			return wrongType(name, "a decimal")
		case n < 0 || n > most:
			return invalid(name, "decimal_out_of_range", "Invalid '%s': expected a value between 0 and %v.", name, most)
		}
	}
	if stops, ok := o["stop"].([]any); ok && len(stops) > maxStops {
		return invalid("stop", "array_above_max_length", "Invalid 'stop': array too long. Expected an array with maximum length %d, but got an array with length %d instead.", maxStops, len(stops))
	}
	return nil
}
