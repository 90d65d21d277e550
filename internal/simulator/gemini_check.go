package simulator

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// signatureMark begins every signature that we give, and the model follows it.
const signatureMark = "signature of "

// foreignSignatures are what Google publishes for histories that other models made.
var foreignSignatures = []string{"skip_thought_signature_validator", "context_engineering_is_the_way_to_go"}

// thirdGeneration tells the models that sign their calls, and laterThird those that insist on the ids of them.
var (
	thirdGeneration = regexp.MustCompile(`^gemini-[3-9]`)
	laterThird      = regexp.MustCompile(`^gemini-(3\.[5-9]|[4-9])`)
)

func signs(model string) bool      { return thirdGeneration.MatchString(model) }
func namesCalls(model string) bool { return laterThird.MatchString(model) }

// geminiBad is Gemini's answer to an invalid request.
func geminiBad(format string, args ...any) *apiError {
	return &apiError{status: 400, kind: "INVALID_ARGUMENT", message: fmt.Sprintf(format, args...)}
}

// geminiUnknown refuses a member that is not known. Members in snake_case, which the API knows too, are not known here.
func geminiUnknown(o object, at, known string) *apiError {
	name := unknown(o, known)
	switch {
	case name == "":
		return nil
	case at == "":
		return geminiBad("Invalid JSON payload received. Unknown name %q: Cannot find field.", name)
	}
	return geminiBad("Invalid JSON payload received. Unknown name %q at '%s': Cannot find field.", name, at)
}

// checkGemini checks a request by the published rules.
func checkGemini(o object, model string) *apiError {
	if e := geminiUnknown(o, "", "contents systemInstruction tools toolConfig generationConfig safetySettings cachedContent labels serviceTier"); e != nil {
		return e
	}
	contents, ok := list(o["contents"])
	switch {
	case o["contents"] != nil && !ok:
		return geminiBad("Invalid value at 'contents' (type.googleapis.com/google.ai.generativelanguage.v1beta.Content)")
	case len(contents) == 0:
		return geminiBad("* GenerateContentRequest.contents: contents is not specified\n")
	}
	if system, ok := o["systemInstruction"].(object); ok {
		if e := checkGeminiContent(system, "system_instruction", "user system model"); e != nil {
			return e
		}
	}
	for i, c := range contents {
		if e := checkGeminiContent(c, fmt.Sprintf("contents[%d]", i), "user model"); e != nil {
			return e
		}
	}
	for _, e := range []*apiError{checkGeminiTools(o), checkGeminiConfig(o, model), checkGeminiCalls(contents, model)} {
		if e != nil {
			return e
		}
	}
	return nil
}

// checkGeminiContent checks one turn.
func checkGeminiContent(c object, at, roles string) *apiError {
	if e := geminiUnknown(c, at, "role parts"); e != nil {
		return e
	}
	if role, ok := c["role"].(string); c["role"] != nil && (!ok || !slices.Contains(strings.Fields(roles), role)) {
		return geminiBad("Please use a valid role: user, model.")
	}
	parts, ok := list(c["parts"])
	if !ok || len(parts) == 0 {
		return geminiBad("* GenerateContentRequest.%s.parts: contents.parts must not be empty.\n", at)
	}
	for i, part := range parts {
		if e := checkGeminiPart(part, fmt.Sprintf("%s.parts[%d]", at, i)); e != nil {
			return e
		}
	}
	return nil
}

// partData are the members of which a part has exactly one, and their own members.
var partData = map[string]string{
	"text": "", "inlineData": "mimeType data", "fileData": "mimeType fileUri", "functionCall": "id name args",
	"functionResponse": "id name response parts willContinue scheduling", "executableCode": "language code", "codeExecutionResult": "outcome output",
}

func checkGeminiPart(part object, at string) *apiError {
	if e := geminiUnknown(part, at, "thought thoughtSignature text inlineData fileData functionCall functionResponse executableCode codeExecutionResult videoMetadata mediaResolution"); e != nil {
		return e
	}
	found := 0
	for name, members := range partData {
		v, ok := part[name]
		if !ok || v == "" {
			continue
		}
		found++
		if o, ok := v.(object); ok {
			if e := geminiUnknown(o, at+"."+name, members); e != nil {
				return e
			}
		} else if name != "text" {
			return geminiBad("Invalid value at '%s.%s'", at, name)
		}
	}
	if found != 1 {
		return geminiBad("* GenerateContentRequest.%s.data: required oneof field 'data' must have one initialized field\n", at)
	}
	if s := str(part, "thoughtSignature"); part["thoughtSignature"] != nil {
		_, std := base64.StdEncoding.DecodeString(s)
		if _, url := base64.URLEncoding.DecodeString(s); std != nil && url != nil {
			return geminiBad("Invalid value at '%s.thought_signature' (TYPE_BYTES), Base64 decoding failed for %q", at, s)
		}
	}
	return checkGeminiData(part, at)
}

// geminiMedia are those that go in by value.
const geminiMedia = "image/png image/jpeg image/webp image/heic image/heif application/pdf text/plain audio/wav audio/mp3 video/mp4"

func checkGeminiData(part object, at string) *apiError {
	if data, ok := part["inlineData"].(object); ok {
		if _, err := base64.StdEncoding.DecodeString(str(data, "data")); err != nil || str(data, "data") == "" {
			return geminiBad("Invalid value at '%s.inline_data.data' (TYPE_BYTES), Base64 decoding failed", at)
		}
		if media := str(data, "mimeType"); !slices.Contains(strings.Fields(geminiMedia), media) {
			return geminiBad("Unsupported MIME type: %s", media)
		}
	}
	for _, kind := range [][3]string{{"functionCall", "function_call", "args"}, {"functionResponse", "function_response", "response"}} {
		o, ok := part[kind[0]].(object)
		if !ok {
			continue
		}
		if str(o, "name") == "" {
			return geminiBad("* GenerateContentRequest.%s.%s.name: Name cannot be empty.\n", at, kind[1])
		}
		if _, ok := o[kind[2]].(object); !ok && (o[kind[2]] != nil || kind[2] == "response") {
			return geminiBad("Invalid value at '%s.%s.%s' (type.googleapis.com/google.protobuf.Struct)", at, kind[1], kind[2])
		}
	}
	return nil
}

// functions are the calls or the results of a turn.
func functions(c object, name string) (all []object, parts []object) {
	of, _ := list(c["parts"])
	for _, part := range of {
		if o, ok := part[name].(object); ok {
			all, parts = append(all, o), append(parts, part)
		}
	}
	return all, parts
}

// checkGeminiCalls checks the order of turns, calls against results, and signatures.
func checkGeminiCalls(contents []object, model string) *apiError {
	current := 0
	for i, c := range contents {
		if results, _ := functions(c, "functionResponse"); str(c, "role") != "model" && len(results) == 0 {
			current = i
		}
	}
	var open []object
	for i, c := range contents {
		calls, parts := functions(c, "functionCall")
		results, _ := functions(c, "functionResponse")
		isModel := str(c, "role") == "model"
		switch {
		case i == 0 && isModel:
			return geminiBad("Please ensure that multiturn requests begin with a user turn.")
		case len(calls) > 0 && !isModel, len(results) > 0 && isModel:
			return geminiBad("Please use a valid role: user, model.")
		case len(results) != len(open):
			return geminiBad("Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.")
		}
		for k, call := range open {
			if str(call, "name") != str(results[k], "name") || namesCalls(model) && (str(call, "id") == "" || call["id"] != results[k]["id"]) {
				return geminiBad("functionResponse.id does not match functionCall.id, or its name does not, at contents[%d].", i)
			}
		}
		if e := checkGeminiSignatures(parts, i > current, model); e != nil {
			return e
		}
		open = calls
	}
	if len(open) > 0 {
		return geminiBad("Please ensure that function call turn is followed by a function response turn.")
	}
	return nil
}

// checkGeminiSignatures checks the calls of one step: in the current turn the first must be signed, and signatures must be
// this model's own or those for foreign histories.
func checkGeminiSignatures(parts []object, current bool, model string) *apiError {
	for i, part := range parts {
		signature := str(part, "thoughtSignature")
		decoded, _ := base64.StdEncoding.DecodeString(signature)
		switch {
		case !signs(model):
		case signature == "" && current && i == 0:
			call, _ := part["functionCall"].(object)
			return geminiBad("Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly, and missing thought_signature may lead to degraded model performance. Additional data, function call `default_api:%s`.", str(call, "name"))
		case signature != "" && !slices.Contains(foreignSignatures, signature) && !strings.HasPrefix(string(decoded), signatureMark+model+"/"):
			return geminiBad("Corrupted thought signature.")
		}
	}
	return nil
}
