package simulator

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var geminiToolName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}$`)

// schemaFields are what the older form of schemas knows, a part of OpenAPI's.
const schemaFields = "type format title description nullable enum maxItems minItems properties required minProperties " +
	"maxProperties minLength maxLength pattern example anyOf propertyOrdering default items minimum maximum"

// checkGeminiTools checks tools and how they may be called.
func checkGeminiTools(o object) *apiError {
	tools, ok := list(o["tools"])
	if o["tools"] != nil && !ok {
		return geminiBad("Invalid value at 'tools'")
	}
	for i, tool := range tools {
		if e := geminiUnknown(tool, fmt.Sprintf("tools[%d]", i), "functionDeclarations googleSearch codeExecution urlContext"); e != nil {
			return e
		}
		functions, _ := list(tool["functionDeclarations"])
		for k, f := range functions {
			at := fmt.Sprintf("tools[%d].function_declarations[%d]", i, k)
			if e := geminiUnknown(f, at, "name description parameters parametersJsonSchema response responseJsonSchema behavior"); e != nil {
				return e
			}
			if !geminiToolName.MatchString(str(f, "name")) {
				return geminiBad("* GenerateContentRequest.%s.name: Invalid function name. Must start with a letter or an underscore. Must be alphameric (a-z, A-Z, 0-9), underscores (_), dots (.), colons (:), or dashes (-), with a maximum length of 64.\n", at)
			}
			if f["parameters"] != nil && f["parametersJsonSchema"] != nil {
				return geminiBad("* GenerateContentRequest.%s: parameters and parameters_json_schema cannot both be set\n", at)
			}
			if e := checkOldSchema(f["parameters"], at+".parameters"); e != nil {
				return e
			}
			if e := checkJSONSchema(f["parametersJsonSchema"], at+".parameters_json_schema"); e != nil {
				return e
			}
		}
	}
	return checkGeminiCalling(o)
}

// checkOldSchema refuses what the older form does not know.
func checkOldSchema(v any, at string) *apiError {
	schema, ok := v.(object)
	if !ok {
		if v != nil {
			return geminiBad("Invalid value at '%s'", at)
		}
		return nil
	}
	if e := geminiUnknown(schema, at, schemaFields); e != nil {
		return e
	}
	properties, _ := schema["properties"].(object)
	for name, child := range properties {
		if e := checkOldSchema(child, at+".properties["+name+"]"); e != nil {
			return e
		}
	}
	return checkOldSchema(schema["items"], at+".items")
}

// checkJSONSchema wants an object without the dialect that a schema may name.
func checkJSONSchema(v any, at string) *apiError {
	schema, ok := v.(object)
	switch {
	case v == nil:
		return nil
	case !ok:
		return geminiBad("Invalid value at '%s'", at)
	case schema["$schema"] != nil:
		return geminiBad("Invalid JSON payload received. Unknown name \"$schema\" at '%s': Cannot find field.", at)
	}
	return nil
}

func checkGeminiCalling(o object) *apiError {
	config, ok := o["toolConfig"].(object)
	if !ok {
		return nil
	}
	if e := geminiUnknown(config, "tool_config", "functionCallingConfig retrievalConfig"); e != nil {
		return e
	}
	calling, _ := config["functionCallingConfig"].(object)
	if e := geminiUnknown(calling, "tool_config.function_calling_config", "mode allowedFunctionNames streamFunctionCallArguments"); e != nil {
		return e
	}
	mode, allowed := str(calling, "mode"), stringsOf(calling["allowedFunctionNames"])
	declared := geminiTools(o)
	switch {
	case !slices.Contains([]string{"", "AUTO", "ANY", "NONE", "VALIDATED"}, mode):
		return geminiBad("Invalid value at 'tool_config.function_calling_config.mode' (type.googleapis.com/google.ai.generativelanguage.v1beta.FunctionCallingConfig.Mode), %q", mode)
	case len(declared) == 0 && mode != "" && mode != "NONE":
		return geminiBad("Function calling config is set without function_declarations.")
	case len(allowed) > 0 && mode != "ANY" && mode != "VALIDATED":
		return geminiBad("* GenerateContentRequest.tool_config.function_calling_config.allowed_function_names: should only be set when mode is ANY or VALIDATED\n")
	}
	for _, name := range allowed {
		if !slices.Contains(declared, name) {
			return geminiBad("* GenerateContentRequest.tool_config.function_calling_config.allowed_function_names: [%s] is not declared\n", name)
		}
	}
	return nil
}

// checkGeminiConfig checks generationConfig against itself and against the model.
func checkGeminiConfig(o object, model string) *apiError {
	c, ok := o["generationConfig"].(object)
	if !ok {
		if o["generationConfig"] != nil {
			return geminiBad("Invalid value at 'generation_config'")
		}
		return nil
	}
	if e := geminiUnknown(c, "generation_config", "temperature topP topK candidateCount maxOutputTokens stopSequences responseMimeType "+
		"responseSchema responseJsonSchema responseLogprobs logprobs presencePenalty frequencyPenalty seed thinkingConfig "+
		"responseModalities mediaResolution enableEnhancedCivicAnswers"); e != nil {
		return e
	}
	second := strings.HasPrefix(model, "gemini-2")
	hasSchema := c["responseSchema"] != nil || c["responseJsonSchema"] != nil
	limit, _ := integer(c["maxOutputTokens"])
	isPenalty := func(name string) bool { return c[name] != nil && fmt.Sprint(c[name]) != "0" }
	switch {
	case c["maxOutputTokens"] != nil && (limit < 1 || limit > 65536):
		return geminiBad("Unable to submit request because it has a maxOutputTokens value of %v but the supported range is from 1 (inclusive) to 65537 (exclusive). Update the value and try again.", c["maxOutputTokens"])
	case len(stringsOf(c["stopSequences"])) > 5, slices.Contains(stringsOf(c["stopSequences"]), ""):
		return geminiBad("* GenerateContentRequest.generation_config.stop_sequences: up to 5 stop sequences that are not empty are supported\n")
	case (isPenalty("presencePenalty") || isPenalty("frequencyPenalty")) && !strings.HasPrefix(model, "gemini-2.0"):
		return geminiBad("Penalty is not enabled for this model")
	case c["responseSchema"] != nil && c["responseJsonSchema"] != nil:
		return geminiBad("response_schema and response_json_schema cannot both be set")
	case hasSchema && str(c, "responseMimeType") != "application/json":
		return geminiBad("* GenerateContentRequest.generation_config.response_schema: only allowed with response mime type 'application/json'\n")
	case second && str(c, "responseMimeType") == "application/json" && len(geminiTools(o)) > 0:
		return geminiBad("Function calling with a response mime type: 'application/json' is unsupported")
	}
	for _, e := range []*apiError{
		checkOldSchema(c["responseSchema"], "generation_config.response_schema"),
		checkJSONSchema(c["responseJsonSchema"], "generation_config.response_json_schema"), checkGeminiThinking(c, model),
	} {
		if e != nil {
			return e
		}
	}
	return nil
}

// checkGeminiThinking checks how much the model is to think: the second generation by a budget, later ones by a level.
func checkGeminiThinking(c object, model string) *apiError {
	t, ok := c["thinkingConfig"].(object)
	if !ok {
		return nil
	}
	if e := geminiUnknown(t, "generation_config.thinking_config", "includeThoughts thinkingBudget thinkingLevel"); e != nil {
		return e
	}
	budget, _ := integer(t["thinkingBudget"])
	level := str(t, "thinkingLevel")
	switch {
	case t["thinkingBudget"] != nil && t["thinkingLevel"] != nil:
		return geminiBad("You can only set only one of thinking budget and thinking level.")
	case level != "" && !slices.Contains([]string{"MINIMAL", "LOW", "MEDIUM", "HIGH"}, level):
		return geminiBad("Invalid value at 'generation_config.thinking_config.thinking_level', %q", level)
	case level != "" && !signs(model), (level == "MINIMAL" || level == "MEDIUM") && strings.HasPrefix(model, "gemini-3-pro"),
		level == "MINIMAL" && strings.HasPrefix(model, "gemini-3.8"):
		return geminiBad("Thinking level %s is not supported for this model.", level)
	case t["thinkingBudget"] != nil && budget == 0 && strings.HasPrefix(model, "gemini-2.5-pro"):
		return geminiBad("Budget 0 is invalid. This model only works in thinking mode.")
	case budget > 32768 || budget > 24576 && !strings.HasPrefix(model, "gemini-2.5-pro"):
		return geminiBad("The thinking budget %d is invalid. Please choose a value between 0 and 24576.", budget)
	case len(t) > 0 && strings.HasPrefix(model, "gemini-2.0"):
		return geminiBad("Thinking is not enabled for this model")
	}
	return nil
}
