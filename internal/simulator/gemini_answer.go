package simulator

import (
	"encoding/base64"
	"encoding/json"
	"strings"
)

// geminiPrompt reads what the answer depends on.
func (x *exchange) geminiPrompt(o object) prompt {
	p := prompt{provider: x.p.config.Name, model: x.model}
	p.chars = chars(o["contents"]) + chars(o["systemInstruction"]) + chars(o["tools"])
	config, _ := o["toolConfig"].(object)
	calling, _ := config["functionCallingConfig"].(object)
	if mode := str(calling, "mode"); mode != "NONE" {
		p.tools = geminiTools(o)
		if mode == "ANY" {
			p.forced = "*"
			if allowed := stringsOf(calling["allowedFunctionNames"]); len(allowed) > 0 {
				p.forced = allowed[0]
			}
		}
	}
	contents, _ := list(o["contents"])
	last := contents[len(contents)-1]
	if str(last, "role") == "model" {
		return p
	}
	var texts, results []string
	parts, _ := list(last["parts"])
	for _, part := range parts {
		if text, ok := part["text"].(string); ok {
			texts = append(texts, text)
		}
		if response, ok := part["functionResponse"].(object); ok {
			results = append(results, resultText(response["response"]))
		}
	}
	p.user = strings.Join(texts, "\n")
	if len(results) > 0 {
		p.result = new(strings.Join(results, "\n"))
	}
	return p
}

// resultText is the text of a function's response.
func resultText(v any) string {
	o, _ := v.(object)
	for _, name := range []string{"output", "error"} {
		if s, ok := o[name].(string); ok && len(o) == 1 {
			return s
		}
	}
	return encode(v)
}

// geminiTools are the names of the functions that are declared.
func geminiTools(o object) []string {
	var names []string
	tools, _ := list(o["tools"])
	for _, tool := range tools {
		names = append(names, toolNames(tool["functionDeclarations"], "")...)
	}
	return names
}

// The pieces of an answer, in the order of the wire.
type (
	geminiPart struct {
		Text      *string     `json:"text,omitempty"`
		Thought   bool        `json:"thought,omitempty"`
		Call      *geminiCall `json:"functionCall,omitempty"`
		Signature string      `json:"thoughtSignature,omitempty"`
	}
	geminiCall struct {
		ID   string          `json:"id,omitempty"`
		Name string          `json:"name"`
		Args json.RawMessage `json:"args"`
	}
	geminiContent struct {
		Parts []geminiPart `json:"parts,omitempty"`
		Role  string       `json:"role,omitempty"`
	}
	geminiCandidate struct {
		Content geminiContent `json:"content"`
		Reason  string        `json:"finishReason,omitempty"`
		Message string        `json:"finishMessage,omitempty"`
		Index   int           `json:"index"`
	}
	geminiUsage struct {
		Prompt     int `json:"promptTokenCount"`
		Candidates int `json:"candidatesTokenCount,omitempty"`
		Total      int `json:"totalTokenCount"`
		Cached     int `json:"cachedContentTokenCount,omitempty"`
		Thoughts   int `json:"thoughtsTokenCount,omitempty"`
	}
	geminiResponse struct {
		Candidates []geminiCandidate `json:"candidates"`
		Usage      geminiUsage       `json:"usageMetadata"`
		Model      string            `json:"modelVersion"`
		ID         string            `json:"responseId"`
	}
)

// generate builds the answer to a request.
func (x *exchange) generate(o object, p prompt) reply {
	config, _ := o["generationConfig"].(object)
	thinking, _ := config["thinkingConfig"].(object)
	script := readScript(p)
	maxTokens, _ := integer(config["maxOutputTokens"])
	_, short := script.limit(maxTokens, stringsOf(config["stopSequences"]))
	u := script.count(p)
	usage := geminiUsage{
		Prompt: u.prompt, Cached: u.cached, Candidates: u.completion - u.reasoning, Thoughts: u.reasoning, Total: u.prompt + u.completion,
	}
	reason, message := "STOP", ""
	var pieces []geminiPart // as a stream has them
	calls := 0
	for _, part := range script.Parts {
		switch part.Kind {
		case RefusalPart:
			reason, message = "SAFETY", part.Text
		case CallPart:
			pieces = append(pieces, x.geminiCall(part, calls))
			calls++
		case ThoughtPart:
			if thinking["includeThoughts"] == true {
				pieces = append(pieces, geminiTexts(part)...)
			}
		default:
			pieces = append(pieces, geminiTexts(part)...)
		}
	}
	if short {
		reason = "MAX_TOKENS"
	}
	if script.Stop != "" {
		reason = script.Stop
	}
	return x.geminiReply(pieces, geminiCandidate{Reason: reason, Message: message}, usage)
}

// geminiReply puts unary answer and stream together. The counts of a stream grow; the reason comes with an empty text.
func (x *exchange) geminiReply(pieces []geminiPart, end geminiCandidate, usage geminiUsage) reply {
	response := func(c geminiCandidate, u geminiUsage) string {
		return encode(geminiResponse{[]geminiCandidate{c}, u, x.model, x.p.id(x.serial, "response", 22)})
	}
	early := geminiUsage{Prompt: usage.Prompt, Total: usage.Prompt}
	a := reply{tokens: len(pieces)}
	for _, piece := range pieces {
		a.events = append(a.events, event{data: response(geminiCandidate{Content: geminiContent{[]geminiPart{piece}, "model"}}, early), phase: content})
	}
	whole := end
	if len(pieces) > 0 {
		whole.Content = geminiContent{joined(pieces), "model"}
	}
	a.unary = response(whole, usage)
	end.Content = geminiContent{[]geminiPart{{Text: new("")}}, "model"}
	a.events = append(a.events, event{data: response(end, usage), phase: closing})
	a.empty = response(geminiCandidate{}, early)
	a.odd = event{data: `{"usageMetadata":` + encode(early) + `,"modelVersion":` + encode(x.model) + `}`}
	return a
}

// geminiTexts cuts a text or a thought into what is streamed.
func geminiTexts(part Part) []geminiPart {
	var out []geminiPart
	for _, piece := range tokens(part.Text) {
		out = append(out, geminiPart{Text: new(piece), Thought: part.Kind == ThoughtPart})
	}
	return out
}

// joined makes one part of texts that follow each other.
func joined(pieces []geminiPart) []geminiPart {
	var out []geminiPart
	for _, p := range pieces {
		if n := len(out); n > 0 && p.Text != nil && out[n-1].Text != nil && out[n-1].Thought == p.Thought {
			out[n-1].Text = new(*out[n-1].Text + *p.Text)
			continue
		}
		out = append(out, p)
	}
	return out
}

// geminiCall is a whole call. Models of the third generation sign the first one, and from 3.5 on they name it.
func (x *exchange) geminiCall(part Part, ordinal int) geminiPart {
	call := geminiCall{Name: part.Name, Args: json.RawMessage(part.Text)}
	if !json.Valid(call.Args) {
		call.Args = json.RawMessage("{}")
	}
	out := geminiPart{Call: &call}
	if signs(x.model) && ordinal == 0 {
		out.Signature = base64.StdEncoding.EncodeToString([]byte(signatureMark + x.model + "/" + x.p.id(x.serial, "signature", 12)))
	}
	if namesCalls(x.model) {
		call.ID = x.p.id(x.serial, "call"+string(rune('a'+ordinal)), 8)
	}
	return out
}
