package simulator

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// The members of OpenAI's requests.
const (
	chatFields = "model messages tools tool_choice parallel_tool_calls response_format max_tokens max_completion_tokens " +
		"temperature top_p frequency_penalty presence_penalty seed logit_bias n stop logprobs top_logprobs " +
		"reasoning_effort verbosity stream stream_options service_tier store metadata moderation user safety_identifier " +
		"prompt_cache_key prompt_cache_options prompt_cache_retention modalities audio prediction web_search_options " +
		"functions function_call"
	responsesFields = "model input instructions max_output_tokens max_tool_calls tools tool_choice parallel_tool_calls text " +
		"reasoning temperature top_p top_logprobs include store stream stream_options metadata service_tier truncation user " +
		"safety_identifier prompt_cache_key prompt_cache_options prompt_cache_retention previous_response_id conversation " +
		"background prompt context_management moderation"
	embeddingsFields = "model input dimensions encoding_format user"
)

// maxCallID is the published longest id of a tool call.
const maxCallID = 40

// invalid is OpenAI's answer to an invalid request.
func invalid(param, code, format string, args ...any) *apiError {
	return &apiError{status: 400, kind: "invalid_request_error", param: param, code: code, message: fmt.Sprintf(format, args...)}
}

// missing is OpenAI's answer to an absent member.
func missing(param string) *apiError {
	return invalid(param, "missing_required_parameter", "Missing required parameter: '%s'.", param)
}

// wrongType is OpenAI's answer to a member of the wrong type.
func wrongType(param, want string) *apiError {
	return invalid(param, "invalid_type", "Invalid type for '%s': expected %s.", param, want)
}

// checkChat checks a Chat Completions request by the published rules.
func checkChat(o object) *apiError {
	if str(o, "model") == "" {
		return invalid("", "", "you must provide a model parameter")
	}
	if name := unknown(o, chatFields); name != "" {
		return invalid("", "", "Unrecognized request argument supplied: %s", name)
	}
	if o["messages"] == nil {
		return missing("messages")
	}
	messages, ok := list(o["messages"])
	if !ok {
		return wrongType("messages", "an array of objects")
	}
	if len(messages) == 0 {
		return invalid("messages", "empty_array", "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.")
	}
	_, old := o["max_tokens"]
	_, current := o["max_completion_tokens"]
	if old && current {
		return invalid("max_tokens", "invalid_parameter_combination", "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.")
	}
	for _, name := range []string{"max_tokens", "max_completion_tokens"} {
		if e := checkPositive(o, name); e != nil {
			return e
		}
	}
	if e := checkChatValues(o); e != nil {
		return e
	}
	if stream, _ := o["stream"].(bool); !stream && o["stream_options"] != nil {
		return invalid("stream_options", "", "The 'stream_options' parameter is only allowed when 'stream' is enabled.")
	}
	if e := checkOpenAITools(o, "function"); e != nil {
		return e
	}
	return checkMessageList(messages)
}

// checkPositive checks an optional count.
func checkPositive(o object, name string) *apiError {
	v := o[name]
	if v == nil {
		return nil
	}
	n, ok := integer(v)
	if !ok {
		return wrongType(name, "an integer")
	}
	if n < 1 {
		return invalid(name, "integer_below_min_value", "Invalid '%s': integer below minimum value. Expected a value >= 1, but got %d instead.", name, n)
	}
	return nil
}

// checkOpenAITools checks tools and tool_choice; of is the member that holds a function tool's definition, or "".
func checkOpenAITools(o object, of string) *apiError {
	tools, ok := list(o["tools"])
	if o["tools"] == nil {
		if choice := o["tool_choice"]; choice != nil && of != "" {
			return invalid("tool_choice", "", "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.")
		}
		return nil
	}
	if !ok {
		return wrongType("tools", "an array of objects")
	}
	if len(tools) == 0 && of != "" {
		return invalid("tools", "empty_array", "Invalid 'tools': empty array. Expected an array with minimum length 1, but got an empty array instead.")
	}
	for i, tool := range tools {
		if str(tool, "type") == "" {
			return missing(fmt.Sprintf("tools[%d].type", i))
		}
		if str(tool, "type") != "function" {
			continue
		}
		at := fmt.Sprintf("tools[%d]", i)
		if of != "" {
			inner, ok := tool[of].(object)
			if !ok {
				return missing(at + "." + of)
			}
			tool, at = inner, at+"."+of
			if name := unknown(tool, "name description parameters strict"); name != "" {
				return invalid(at+"."+name, "unknown_parameter", "Unknown parameter: '%s.%s'.", at, name)
			}
		}
		name := str(tool, "name")
		if name == "" {
			return missing(at + ".name")
		}
		if !toolName.MatchString(name) {
			return invalid(at+".name", "invalid_value", "Invalid '%s.name': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.", at)
		}
	}
	return checkOpenAIChoice(o)
}

// checkOpenAIChoice checks a tool_choice beside tools.
func checkOpenAIChoice(o object) *apiError {
	names, forced := chatTools(o["tools"], o["tool_choice"])
	switch choice := o["tool_choice"].(type) {
	case nil:
	case string:
		if !slices.Contains([]string{"none", "auto", "required"}, choice) {
			return invalid("tool_choice", "invalid_value", "Invalid value: '%s'. Supported values are: 'none', 'auto', and 'required'.", choice)
		}
	case object:
		if str(choice, "type") == "function" && !slices.Contains(names, forced) {
			return invalid("tool_choice", "", "Tool choice '%s' not found in 'tools' parameter.", forced)
		}
	default:
		return wrongType("tool_choice", "a string or an object")
	}
	return nil
}

// checkMessageList checks the roles, contents and tool calls of Chat messages.
func checkMessageList(messages []object) *apiError {
	var open []string // Calls of the assistant that are not answered yet.
	after := false    // Tool messages may stand here.
	for i, m := range messages {
		role := str(m, "role")
		at := fmt.Sprintf("messages[%d]", i)
		if !slices.Contains([]string{"developer", "system", "user", "assistant", "tool", "function"}, role) {
			return invalid(at+".role", "invalid_value", "Invalid value: '%s'. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and 'developer'.", role)
		}
		if role == "tool" {
			if !after {
				return invalid(fmt.Sprintf("messages.[%d].role", i), "", "Invalid parameter: messages with role 'tool' must be a response to a preceding message with 'tool_calls'.")
			}
			id := str(m, "tool_call_id")
			if id == "" {
				return missing(at + ".tool_call_id")
			}
			if !slices.Contains(open, id) {
				return invalid("messages", "", "Invalid parameter: 'tool_call_id' of '%s' not found in 'tool_calls' of previous message.", id)
			}
			open = slices.DeleteFunc(open, func(o string) bool { return o == id })
		} else if len(open) > 0 {
			return unanswered(open)
		}
		if e := checkMessage(at, m); e != nil {
			return e
		}
		if role != "tool" {
			calls, _ := list(m["tool_calls"])
			open, after = nil, len(calls) > 0
			for _, call := range calls {
				open = append(open, str(call, "id"))
			}
		}
	}
	if len(open) > 0 {
		return unanswered(open)
	}
	return nil
}

// unanswered is the answer to calls that no tool message answers.
func unanswered(ids []string) *apiError {
	return invalid("messages", "", "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: %s", strings.Join(ids, ", "))
}

// checkMessage checks one Chat message.
func checkMessage(at string, m object) *apiError {
	role := str(m, "role")
	if name := unknown(m, "role content name refusal tool_calls tool_call_id audio function_call reasoning_content"); name != "" {
		return invalid(at+"."+name, "unknown_parameter", "Unknown parameter: '%s.%s'.", at, name)
	}
	calls, ok := list(m["tool_calls"])
	if m["tool_calls"] != nil {
		switch {
		case !ok:
			return wrongType(at+".tool_calls", "an array of objects")
		case len(calls) == 0:
			return invalid(at+".tool_calls", "empty_array", "Invalid '%s.tool_calls': empty array. Expected an array with minimum length 1, but got an empty array instead.", at)
		case role != "assistant":
			return invalid(at+".tool_calls", "unknown_parameter", "Unknown parameter: '%s.tool_calls'.", at)
		}
	}
	for j, call := range calls {
		if e := checkCall(fmt.Sprintf("%s.tool_calls[%d]", at, j), call); e != nil {
			return e
		}
	}
	switch content := m["content"].(type) {
	case nil:
		if role != "assistant" || len(calls) == 0 && m["function_call"] == nil && m["refusal"] == nil && m["audio"] == nil {
			return invalid(at+".content", "", "Invalid value for 'content': expected a string, got null.")
		}
	case string:
	case []any:
		return checkParts(at, role, content)
	default:
		return wrongType(at+".content", "a string or an array of objects")
	}
	return nil
}

// checkCall checks one call in an assistant message.
func checkCall(at string, call object) *apiError {
	id := str(call, "id")
	if id == "" {
		return missing(at + ".id")
	}
	if n := utf8.RuneCountInString(id); n > maxCallID {
		return invalid(at+".id", "string_above_max_length", "Invalid '%s.id': string too long. Expected a string with maximum length %d, but got a string with length %d instead.", at, maxCallID, n)
	}
	if str(call, "type") == "" {
		return missing(at + ".type")
	}
	if str(call, "type") != "function" {
		return nil
	}
	function, _ := call["function"].(object)
	if str(function, "name") == "" {
		return missing(at + ".function.name")
	}
	if _, ok := function["arguments"].(string); !ok {
		return wrongType(at+".function.arguments", "a string")
	}
	return nil
}
