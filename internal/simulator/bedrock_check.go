package simulator

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// converseFields are the members of a Converse request.
const converseFields = "messages system inferenceConfig toolConfig outputConfig additionalModelRequestFields " +
	"additionalModelResponseFieldPaths serviceTier performanceConfig requestMetadata guardrailConfig promptVariables"

var (
	converseID       = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)
	converseDocument = regexp.MustCompile(`^[a-zA-Z0-9()\[\]\s-]{1,200}$`)
	doubleSpace      = regexp.MustCompile(`\s\s`)
	// noSampling are the Claude models that refuse sampling parameters.
	noSampling = regexp.MustCompile(`claude-[a-z]+-(4-[789]|5)`)
)

// checkConverse checks a Converse request by the published rules. Members that are not known are refused, though the
// service may overlook them: they never mean what their sender hoped for.
func checkConverse(o object, model string) *apiError {
	if name := unknown(o, converseFields); name != "" {
		return refusal("The request has the unknown member " + name + ".")
	}
	c := converseCheck{documents: map[string]bool{}, used: map[string]bool{}}
	_, c.tools = o["toolConfig"].(object)
	for _, check := range []*apiError{checkInference(o, model), c.toolConfig(o), checkOutput(o)} {
		if check != nil {
			return check
		}
	}
	if system, ok := list(o["system"]); o["system"] != nil {
		if !ok || len(system) == 0 {
			return refusal("The system field is not a list of blocks.")
		}
		for i, block := range system {
			if e := c.text(fmt.Sprintf("system.%d", i), block); e != nil {
				return e
			}
		}
	}
	return c.messages(o)
}

// checkInference checks the settings of the answer.
func checkInference(o object, model string) *apiError {
	config, ok := o["inferenceConfig"].(object)
	if o["inferenceConfig"] == nil {
		return nil
	}
	if name := unknown(config, "maxTokens temperature topP stopSequences"); !ok || name != "" {
		return refusal("The inferenceConfig is not valid: " + name)
	}
	if n, ok := integer(config["maxTokens"]); config["maxTokens"] != nil && (!ok || n < 1) {
		return refusal("Value at 'inferenceConfig.maxTokens' failed to satisfy constraint: Member must have value greater than or equal to 1")
	}
	if (config["temperature"] != nil || config["topP"] != nil) && noSampling.MatchString(model) {
		return refusal("The model returned the following errors: temperature and top_p are not supported on this model.")
	}
	for _, s := range stringsOf(config["stopSequences"]) {
		if s == "" || isClaude(model) && strings.TrimSpace(s) == "" {
			return refusal("The model returned the following errors: stop_sequences: each stop sequence must contain non-whitespace")
		}
	}
	return nil
}

// checkOutput checks the form that the answer must have.
func checkOutput(o object) *apiError {
	config, _ := o["outputConfig"].(object)
	if name := unknown(config, "effort textFormat"); name != "" {
		return refusal("The outputConfig has the unknown member " + name + ".")
	}
	if effort := str(config, "effort"); config["effort"] != nil && !slices.Contains(strings.Fields("low medium high xhigh max"), effort) {
		return refusal("Value at 'outputConfig.effort' is not one of the allowed values")
	}
	format, _ := config["textFormat"].(object)
	if format == nil {
		return nil
	}
	structure, _ := format["structure"].(object)
	inner, _ := structure["jsonSchema"].(object)
	if _, ok := parse([]byte(str(inner, "schema"))); !ok || str(format, "type") != "json_schema" {
		return refusal("The schema in outputConfig.textFormat is not the text of a JSON schema.")
	}
	return nil
}

// converseCheck is what one part of a request means to another.
type converseCheck struct {
	tools     bool // There is a toolConfig.
	documents map[string]bool
	used      map[string]bool // Ids of calls.
}

// toolConfig checks the tools.
func (c *converseCheck) toolConfig(o object) *apiError {
	config, ok := o["toolConfig"].(object)
	if o["toolConfig"] == nil {
		return nil
	}
	tools, isList := list(config["tools"])
	if !ok || !isList || len(tools) == 0 {
		return refusal("Value at 'toolConfig.tools' failed to satisfy constraint: Member must have length greater than or equal to 1")
	}
	for i, tool := range tools {
		spec, ok := tool["toolSpec"].(object)
		if !ok {
			if _, marked := tool["cachePoint"].(object); marked {
				continue
			}
			return refusal(fmt.Sprintf("toolConfig.tools.%d is not a tool.", i))
		}
		schema, _ := spec["inputSchema"].(object)
		root, _ := schema["json"].(object)
		description, described := spec["description"].(string)
		switch {
		case !converseID.MatchString(str(spec, "name")):
			return refusal(fmt.Sprintf("Value at 'toolConfig.tools.%d.member.toolSpec.name' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+", i))
		case described && description == "":
			return refusal(fmt.Sprintf("Value at 'toolConfig.tools.%d.member.toolSpec.description' has no characters", i))
		case str(root, "type") != "object":
			return refusal(fmt.Sprintf("The value at toolConfig.tools.%d.toolSpec.inputSchema.json.type must be one of the following: object.", i))
		case unknown(spec, "name description inputSchema strict") != "":
			return refusal(fmt.Sprintf("toolConfig.tools.%d.toolSpec has an unknown member.", i))
		}
	}
	choice, ok := config["toolChoice"].(object)
	if config["toolChoice"] != nil && (!ok || len(choice) != 1 || unknown(choice, "auto any tool") != "") {
		return refusal("The toolChoice must have exactly one of auto, any and tool.")
	}
	if named, ok := choice["tool"].(object); ok && !slices.Contains(toolNames(config["tools"], "toolSpec"), str(named, "name")) {
		return refusal("The tool in toolChoice is not one of the tools.")
	}
	return nil
}

// messages checks the turns.
func (c *converseCheck) messages(o object) *apiError {
	messages, ok := list(o["messages"])
	if !ok || len(messages) == 0 {
		return refusal("A conversation must start with a user message. Try again with a conversation that starts with a user message.")
	}
	var calls []string
	for i, m := range messages {
		blocks, ok := list(m["content"])
		role := str(m, "role")
		switch {
		case i == 0 && role != "user":
			return refusal("A conversation must start with a user message. Try again with a conversation that starts with a user message.")
		case role != []string{"user", "assistant"}[i%2]:
			return refusal("A conversation must alternate between user and assistant roles. Make sure the conversation alternates between user and assistant roles and try again.")
		case !ok || len(blocks) == 0:
			return refusal(fmt.Sprintf("The content field in the Message object at messages.%d is empty. Add a ContentBlock object to the content field and try again.", i))
		}
		if e := c.results(i, blocks, calls); e != nil {
			return e
		}
		calls = nil
		text, document := false, false
		for j, block := range blocks {
			at := fmt.Sprintf("messages.%d.content.%d", i, j)
			if e := c.block(at, block, role == "user"); e != nil {
				return e
			}
			text, document = text || block["text"] != nil, document || block["document"] != nil
			if call, ok := block["toolUse"].(object); ok {
				calls = append(calls, str(call, "toolUseId"))
			}
		}
		if document && !text {
			return refusal(fmt.Sprintf("A text block must be included in the content field at messages.%d when a document is.", i))
		}
	}
	return nil
}

// results checks that a turn answers the calls of the turn before, and no others.
func (c *converseCheck) results(i int, blocks []object, calls []string) *apiError {
	var results []string
	for _, block := range blocks {
		if result, ok := block["toolResult"].(object); ok {
			results = append(results, str(result, "toolUseId"))
		}
	}
	var open []string
	for _, id := range calls {
		if !slices.Contains(results, id) {
			open = append(open, id)
		}
	}
	if len(open) > 0 {
		return refusal(fmt.Sprintf("Expected toolResult blocks at messages.%d.content for the following Ids: %s", i, strings.Join(open, ", ")))
	}
	if len(results) > len(calls) {
		return refusal(fmt.Sprintf("The number of toolResult blocks at messages.%d.content exceeds the number of toolUse blocks of previous turn.", i))
	}
	return nil
}

// block checks one block, which has exactly one member.
func (c *converseCheck) block(at string, block object, user bool) *apiError {
	if len(block) != 1 {
		return refusal("The ContentBlock object at " + at + " must set exactly one member.")
	}
	call, isCall := block["toolUse"].(object)
	result, isResult := block["toolResult"].(object)
	switch {
	case block["text"] != nil || block["cachePoint"] != nil:
		return c.text(at, block)
	case block["image"] != nil && user:
		return c.media(at, block["image"], "png jpeg gif webp")
	case block["document"] != nil && user:
		return c.document(at, block["document"])
	case block["reasoningContent"] != nil && !user:
		return nil
	case (isCall || isResult) && !c.tools:
		return refusal("The toolConfig field must be defined when using toolUse and toolResult content blocks.")
	case isCall && !user:
		_, object := call["input"].(object)
		id := str(call, "toolUseId")
		if !converseID.MatchString(id) || !converseID.MatchString(str(call, "name")) || !object || c.used[id] {
			return refusal("The toolUse block at " + at + " is not valid.")
		}
		c.used[id] = true
		return nil
	case isResult && user:
		return c.result(at, result)
	}
	return refusal("The ContentBlock object at " + at + " is not one that this role may send.")
}

// text checks a text or a cache point.
func (c *converseCheck) text(at string, block object) *apiError {
	if point, ok := block["cachePoint"].(object); ok {
		if str(point, "type") != "default" {
			return refusal("The cachePoint at " + at + " has no type.")
		}
		return nil
	}
	if text, ok := block["text"].(string); !ok || strings.TrimSpace(text) == "" {
		return refusal("The text field in the ContentBlock object at " + at + " is blank. Add text to the text field, and try again.")
	}
	return nil
}

// media checks a picture or a document.
func (c *converseCheck) media(at string, v any, formats string) *apiError {
	o, _ := v.(object)
	source, _ := o["source"].(object)
	data, err := base64.StdEncoding.DecodeString(str(source, "bytes"))
	if err != nil || len(data) == 0 || !slices.Contains(strings.Fields(formats), str(o, "format")) || len(source) != 1 {
		return refusal("The media at " + at + " is not valid: its source must have bytes, and its format be one of " + formats + ".")
	}
	return nil
}

func (c *converseCheck) document(at string, v any) *apiError {
	o, _ := v.(object)
	name := str(o, "name")
	if !converseDocument.MatchString(name) || doubleSpace.MatchString(name) {
		return refusal("The document name can only contain whitespace, hyphens, parentheses, square brackets, and alphanumeric characters. The name can't contain more than one consecutive whitespace character.")
	}
	if c.documents[name] {
		return refusal("The document names in a request must be unique.")
	}
	c.documents[name] = true
	return c.media(at, v, "pdf csv doc docx xls xlsx html txt md")
}

// result checks what a tool gave back.
func (c *converseCheck) result(at string, result object) *apiError {
	content, ok := list(result["content"])
	status := str(result, "status")
	if !ok || !converseID.MatchString(str(result, "toolUseId")) || result["status"] != nil && status != "success" && status != "error" ||
		unknown(result, "toolUseId content status") != "" {
		return refusal("The toolResult block at " + at + " is not valid.")
	}
	for i, block := range content {
		at := fmt.Sprintf("%s.toolResult.content.%d", at, i)
		var e *apiError
		switch {
		case block["json"] != nil:
		case block["image"] != nil:
			e = c.media(at, block["image"], "png jpeg gif webp")
		case block["document"] != nil:
			e = c.document(at, block["document"])
		default:
			e = c.text(at, block)
		}
		if e != nil {
			return e
		}
	}
	return nil
}
