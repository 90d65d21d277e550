package simulator

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// included are the words that include may have.
const included = "reasoning.encrypted_content message.output_text.logprobs file_search_call.results web_search_call.results " +
	"web_search_call.action.sources code_interpreter_call.outputs computer_call_output.output.image_url message.input_image.image_url"

// reasons tells the models that think, and take no sampling, from the others.
var reasons = regexp.MustCompile(`^(o[0-9]|gpt-5)`)

// checkResponses checks a Responses request by the published rules.
func checkResponses(o object) *apiError {
	if name := unknown(o, responsesFields); name != "" {
		return invalid(name, "unknown_parameter", "Unknown parameter: '%s'.", name)
	}
	if str(o, "model") == "" {
		return missing("model")
	}
	if n, ok := integer(o["max_output_tokens"]); ok && n < 16 {
		return invalid("max_output_tokens", "integer_below_min_value", "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got %d instead.", n)
	}
	for _, check := range []func(object) *apiError{
		func(o object) *apiError { return checkPositive(o, "max_output_tokens") },
		func(o object) *apiError { return checkOpenAITools(o, "") },
		checkChatValues, checkFlatTools, checkTextFormat, checkThinking, checkIncluded, checkInput,
	} {
		if e := check(o); e != nil {
			return e
		}
	}
	return nil
}

// checkThinking checks what only some models take.
func checkThinking(o object) *apiError {
	thinks := reasons.MatchString(str(o, "model"))
	effort, _ := o["reasoning"].(object)
	for _, name := range []string{"temperature", "top_p"} {
		if thinks && o[name] != nil {
			return invalid(name, "unsupported_parameter", "Unsupported parameter: '%s' is not supported with this model.", name)
		}
	}
	if word := str(effort, "effort"); word != "" {
		if !thinks {
			return invalid("reasoning.effort", "unsupported_parameter", "Unsupported parameter: 'reasoning.effort' is not supported with this model.")
		}
		if !slices.Contains(strings.Fields("none minimal low medium high xhigh max"), word) {
			return invalid("reasoning.effort", "invalid_value", "Invalid value: '%s'.", word)
		}
	}
	return nil
}

// checkIncluded checks include.
func checkIncluded(o object) *apiError {
	for i, word := range stringsOf(o["include"]) {
		if !slices.Contains(strings.Fields(included), word) {
			return invalid(fmt.Sprintf("include[%d]", i), "invalid_value", "Invalid value: '%s'. Supported values are: '%s'.", word, strings.ReplaceAll(included, " ", "', '"))
		}
	}
	return nil
}

// checkFlatTools checks the functions, which are not nested in Responses.
func checkFlatTools(o object) *apiError {
	tools, _ := list(o["tools"])
	for i, tool := range tools {
		if str(tool, "type") != "function" {
			continue
		}
		at := fmt.Sprintf("tools[%d]", i)
		if name := unknown(tool, "type name description parameters strict defer_loading async"); name != "" {
			return invalid(at+"."+name, "unknown_parameter", "Unknown parameter: '%s.%s'.", at, name)
		}
		if strict, _ := tool["strict"].(bool); strict {
			if problem := looseSchema(tool["parameters"]); problem != "" {
				return invalid(at+".parameters", "invalid_function_parameters", "Invalid schema for function '%s': %s", str(tool, "name"), problem)
			}
		}
	}
	return nil
}

// checkTextFormat checks the form of the answer.
func checkTextFormat(o object) *apiError {
	text, _ := o["text"].(object)
	format, ok := text["format"].(object)
	if !ok {
		return nil
	}
	switch kind := str(format, "type"); kind {
	case "text":
	case "json_object":
		if !strings.Contains(strings.ToLower(encode(o["input"])+encode(o["instructions"])), "json") {
			return invalid("input", "", "Response input messages must contain the word 'json' in some form to use 'text.format' of type 'json_object'.")
		}
	case "json_schema":
		if !toolName.MatchString(str(format, "name")) {
			return missing("text.format.name")
		}
		if _, ok := format["schema"].(object); !ok {
			return missing("text.format.schema")
		}
		if strict, _ := format["strict"].(bool); strict {
			if problem := looseSchema(format["schema"]); problem != "" {
				return invalid("text.format.schema", "invalid_json_schema", "Invalid schema for response_format '%s': %s", str(format, "name"), problem)
			}
		}
	default:
		return invalid("text.format.type", "invalid_value", "Invalid value: '%s'. Supported values are: 'json_object', 'json_schema', and 'text'.", kind)
	}
	return nil
}

// looseSchema says why a schema cannot be a strict one: every object has to forbid further members and to require all
// of its own.
func looseSchema(v any) string {
	schema, ok := v.(object)
	if !ok {
		return ""
	}
	members, _ := schema["properties"].(object)
	if str(schema, "type") == "object" {
		if closed, ok := schema["additionalProperties"].(bool); !ok || closed {
			return "In context=(), 'additionalProperties' is required to be supplied and to be false."
		}
		required := stringsOf(schema["required"])
		for _, name := range slices.Sorted(maps.Keys(members)) {
			if !slices.Contains(required, name) {
				return "In context=(), 'required' is required to be supplied and to be an array including every key in properties. Missing '" + name + "'."
			}
		}
	}
	children := []any{schema["items"]}
	for _, at := range []string{"properties", "$defs", "definitions"} {
		group, _ := schema[at].(object)
		children = append(children, slices.Collect(maps.Values(group))...)
	}
	if any, ok := schema["anyOf"].([]any); ok {
		children = append(children, any...)
	}
	for _, child := range children {
		if problem := looseSchema(child); problem != "" {
			return problem
		}
	}
	return ""
}
