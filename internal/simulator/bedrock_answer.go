package simulator

import (
	"encoding/json"
	"strings"
)

// conversePrompt reads what the answer depends on.
func conversePrompt(x *exchange, o object) prompt {
	p := prompt{provider: x.p.config.Name, model: x.model}
	p.chars = chars(o["messages"]) + chars(o["system"]) + chars(o["toolConfig"])
	config, _ := o["toolConfig"].(object)
	p.tools = toolNames(config["tools"], "toolSpec")
	choice, _ := config["toolChoice"].(object)
	if _, ok := choice["any"]; ok {
		p.forced = "*"
	}
	if named, ok := choice["tool"].(object); ok {
		p.forced = str(named, "name")
	}
	messages, _ := list(o["messages"])
	last := messages[len(messages)-1]
	if str(last, "role") != "user" {
		return p
	}
	blocks, _ := list(last["content"])
	var texts, results []string
	for _, block := range blocks {
		if text, ok := block["text"].(string); ok {
			texts = append(texts, text)
		}
		if result, ok := block["toolResult"].(object); ok {
			results = append(results, textOf(result["content"]))
		}
	}
	p.user = strings.Join(texts, "\n")
	if len(results) > 0 {
		p.result = new(strings.Join(results, "\n"))
	}
	return p
}

// The parts of an answer, with the members in the order of the wire.
type (
	converseUsage struct {
		CacheRead    int `json:"cacheReadInputTokens"`
		CacheWrite   int `json:"cacheWriteInputTokens"`
		InputTokens  int `json:"inputTokens"`
		OutputTokens int `json:"outputTokens"`
		TotalTokens  int `json:"totalTokens"`
	}
	converseMetrics struct {
		Latency int `json:"latencyMs"`
	}
	converseMessage struct {
		Content []any  `json:"content"`
		Role    string `json:"role"`
	}
	converseOutput struct {
		Message converseMessage `json:"message"`
	}
	converseAnswer struct {
		Metrics    converseMetrics `json:"metrics"`
		Output     converseOutput  `json:"output"`
		StopReason string          `json:"stopReason,omitempty"`
		Usage      converseUsage   `json:"usage"`
	}
	converseCall struct {
		Input json.RawMessage `json:"input,omitempty"`
		Name  string          `json:"name"`
		ID    string          `json:"toolUseId"`
	}
)

// converse builds the answer to a Converse request.
func (x *exchange) converse(o object, p prompt) reply {
	script := readScript(p)
	config, _ := o["inferenceConfig"].(object)
	maxTokens, _ := integer(config["maxTokens"])
	stop, short := script.limit(maxTokens, stringsOf(config["stopSequences"]))
	u := script.count(p)
	a := converseAnswer{Metrics: converseMetrics{421}, Output: converseOutput{converseMessage{[]any{}, "assistant"}}}
	a.Usage = converseUsage{CacheRead: u.cached, InputTokens: u.prompt - u.cached, OutputTokens: max(u.completion, 1), TotalTokens: u.prompt + max(u.completion, 1)}
	out := reply{empty: encode(a), odd: converseEvent("serverNotice", frame, "text", "hello")}
	out.events = append(out.events, converseEvent("messageStart", prelude, "role", "assistant"))
	reason := "end_turn"
	for i, part := range script.Parts {
		block, events := x.converseBlock(i, part)
		a.Output.Message.Content = append(a.Output.Message.Content, block)
		out.events = append(out.events, events...)
		out.tokens += len(tokens(part.Text))
		switch part.Kind {
		case CallPart:
			reason = "tool_use"
		case RefusalPart:
			reason = "content_filtered"
		}
	}
	switch {
	case script.Stop != "":
		reason = script.Stop
	case short:
		reason = "max_tokens"
	case stop != "":
		reason = "stop_sequence"
	}
	a.StopReason = reason
	out.unary = encode(a)
	out.events = append(out.events, converseEvent("messageStop", closing, "stopReason", reason),
		converseEvent("metadata", terminal, "metrics", a.Metrics, "usage", a.Usage))
	return out
}

// converseEvent makes an event of members given as pairs.
func converseEvent(name string, ph phase, members ...any) event {
	o := object{}
	for i := 0; i+1 < len(members); i += 2 {
		o[members[i].(string)] = members[i+1]
	}
	o["p"] = padding(len(encode(o)))
	return event{name: name, data: encode(o), phase: ph}
}

// converseBlock builds one content block and the events that stream it. Only a call's start is told.
func (x *exchange) converseBlock(i int, part Part) (whole any, events []event) {
	delta := func(member string, value any) event {
		return converseEvent("contentBlockDelta", content, "contentBlockIndex", i, "delta", object{member: value})
	}
	end := converseEvent("contentBlockStop", frame, "contentBlockIndex", i)
	switch part.Kind {
	case ThoughtPart:
		signature := "sig" + x.p.id(x.serial, "signature", 40)
		for _, piece := range tokens(part.Text) {
			events = append(events, delta("reasoningContent", object{"text": piece}))
		}
		whole = object{"reasoningContent": object{"reasoningText": object{"text": part.Text, "signature": signature}}}
		return whole, append(events, delta("reasoningContent", object{"signature": signature}), end)
	case CallPart:
		call := converseCall{json.RawMessage(part.Text), part.Name, x.callID("tooluse_", i, 22)}
		if !json.Valid(call.Input) { // The tokens ran out within the arguments.
			call.Input = json.RawMessage("{}")
		}
		begun := call
		begun.Input = nil
		events = append(events, converseEvent("contentBlockStart", content, "contentBlockIndex", i, "start", object{"toolUse": begun}))
		if part.Text != "{}" { // Without arguments there is no delta.
			for _, piece := range append([]string{""}, tokens(part.Text)...) {
				events = append(events, delta("toolUse", object{"input": piece}))
			}
		}
		return object{"toolUse": call}, append(events, end)
	}
	for _, piece := range tokens(part.Text) {
		events = append(events, delta("text", piece))
	}
	return object{"text": part.Text}, append(events, end)
}
