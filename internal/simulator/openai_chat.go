package simulator

import (
	"net/http"
	"slices"
	"strings"
)

// chatUsage is the usage of a chat completion.
type chatUsage struct {
	PromptTokens     int `json:"prompt_tokens"`
	CompletionTokens int `json:"completion_tokens"`
	TotalTokens      int `json:"total_tokens"`
	PromptDetails    struct {
		Cached int `json:"cached_tokens"`
		Audio  int `json:"audio_tokens"`
	} `json:"prompt_tokens_details"`
	CompletionDetails struct {
		Reasoning int `json:"reasoning_tokens"`
		Audio     int `json:"audio_tokens"`
		Accepted  int `json:"accepted_prediction_tokens"`
		Rejected  int `json:"rejected_prediction_tokens"`
	} `json:"completion_tokens_details"`
}

// chatCall is a tool call; streams give it an index, and its id, type and name once.
type chatCall struct {
	Index    *int   `json:"index,omitempty"`
	ID       string `json:"id,omitempty"`
	Type     string `json:"type,omitempty"`
	Function struct {
		Name      string `json:"name,omitempty"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

// chatMessage is the message of a choice. Content and refusal are always there.
type chatMessage struct {
	Role        string     `json:"role"`
	Content     *string    `json:"content"`
	Reasoning   string     `json:"reasoning_content,omitempty"`
	Refusal     *string    `json:"refusal"`
	ToolCalls   []chatCall `json:"tool_calls,omitempty"`
	Annotations []any      `json:"annotations"`
}

// chatDelta is what a chunk adds to a message.
type chatDelta struct {
	Role      string     `json:"role,omitempty"`
	Content   any        `json:"content,omitempty"`
	Reasoning string     `json:"reasoning_content,omitempty"`
	Refusal   any        `json:"refusal,omitempty"`
	ToolCalls []chatCall `json:"tool_calls,omitempty"`
}

// chatChoice is a choice of an answer, or of a chunk.
type chatChoice struct {
	Index        int          `json:"index"`
	Message      *chatMessage `json:"message,omitempty"`
	Delta        *chatDelta   `json:"delta,omitempty"`
	Logprobs     any          `json:"logprobs"`
	FinishReason any          `json:"finish_reason"`
}

// completion is an answer, or a chunk of one.
type completion struct {
	ID          string       `json:"id"`
	Object      string       `json:"object"`
	Created     int64        `json:"created"`
	Model       string       `json:"model"`
	Choices     []chatChoice `json:"choices"`
	Usage       *chatUsage   `json:"usage,omitempty"`
	ServiceTier string       `json:"service_tier"`
	Fingerprint string       `json:"system_fingerprint"`
}

// usageChunk is a chunk of a stream with include_usage: its usage is there, null until the end.
type usageChunk struct {
	completion
	Usage *chatUsage `json:"usage"`
}

// chat answers POST /v1/chat/completions.
func (x *exchange) chat(o object) error {
	if e := checkChat(o); e != nil {
		return x.sendError(*e)
	}
	if !x.p.knows(x.model) {
		return x.sendError((&Fault{}).errorFor(OpenAI, http.StatusNotFound))
	}
	p := x.chatPrompt(o)
	script := readScript(p)
	maxTokens, ok := integer(o["max_completion_tokens"])
	if !ok {
		maxTokens, _ = integer(o["max_tokens"])
	}
	stop, short := script.limit(maxTokens, stringsOf(o["stop"]))
	reason := "stop"
	for _, part := range script.Parts {
		if part.Kind == CallPart {
			reason = "tool_calls"
		}
	}
	switch {
	case script.Stop != "":
		reason = script.Stop
	case short:
		reason = "length"
	case stop != "":
		reason = "stop"
	}
	u := script.count(p)
	use := &chatUsage{PromptTokens: u.prompt, CompletionTokens: u.completion, TotalTokens: u.prompt + u.completion}
	use.PromptDetails.Cached, use.CompletionDetails.Reasoning = u.cached, u.reasoning
	options, _ := o["stream_options"].(object)
	includeUsage, _ := options["include_usage"].(bool)
	c := completion{
		ID: "chatcmpl-" + x.p.id(x.serial, "completion", 29), Created: x.rec.Time.Unix(), Model: x.model,
		ServiceTier: "default", Fingerprint: "fp_simulated",
	}
	a := x.chatStream(c, script, chatEnd{reason, use, includeUsage})
	a.unary = x.chatUnary(c, script, reason, use)
	c.Object, c.Choices = "chat.completion", []chatChoice{}
	a.empty = encode(c)
	return x.play(a)
}

// chatPrompt reads what the answer depends on.
func (x *exchange) chatPrompt(o object) prompt {
	p := prompt{provider: x.p.config.Name, model: x.model}
	p.chars = chars(o["messages"]) + chars(o["tools"])
	p.tools, p.forced = chatTools(o["tools"], o["tool_choice"])
	messages, _ := list(o["messages"])
	last := messages[len(messages)-1]
	switch str(last, "role") {
	case "user":
		p.user = textOf(last["content"])
	case "tool":
		var results []string
		for _, m := range slices.Backward(messages) {
			if str(m, "role") != "tool" {
				break
			}
			results = append(results, textOf(m["content"]))
		}
		slices.Reverse(results)
		p.result = new(strings.Join(results, "\n"))
	}
	return p
}

// chatTools reads tools and tool_choice, in the shapes of Chat and of Responses.
func chatTools(tools, choice any) (names []string, forced string) {
	names = toolNames(tools, "function")
	switch choice := choice.(type) {
	case string:
		switch choice {
		case "none":
			return nil, ""
		case "required":
			return names, "*"
		}
	case object:
		if function, ok := choice["function"].(object); ok {
			choice = function
		}
		return names, str(choice, "name")
	}
	return names, ""
}

// chatUnary is the answer as one body.
func (x *exchange) chatUnary(c completion, script Script, reason string, use *chatUsage) string {
	m := &chatMessage{Role: "assistant", Annotations: []any{}}
	add := func(to **string, text string) {
		if *to == nil {
			*to = new("")
		}
		**to += text
	}
	for i, part := range script.Parts {
		switch part.Kind {
		case TextPart:
			add(&m.Content, part.Text)
		case RefusalPart:
			add(&m.Refusal, part.Text)
		case ThoughtPart:
			if x.p.config.ReasoningContent {
				m.Reasoning += part.Text
			}
		case CallPart:
			call := chatCall{ID: x.callID("call_", i, 24), Type: "function"}
			call.Function.Name, call.Function.Arguments = part.Name, part.Text
			m.ToolCalls = append(m.ToolCalls, call)
		}
	}
	if m.Content == nil && m.Refusal == nil && len(m.ToolCalls) == 0 {
		m.Content = new("")
	}
	c.Object, c.Usage = "chat.completion", use
	c.Choices = []chatChoice{{Message: m, FinishReason: reason}}
	return encode(c)
}

// chatEnd is how a stream ends.
type chatEnd struct {
	reason       string
	usage        *chatUsage
	includeUsage bool
}

// chatStream is the answer as chunks.
func (x *exchange) chatStream(c completion, script Script, end chatEnd) reply {
	c.Object = "chat.completion.chunk"
	chunk := func(ph phase, choices []chatChoice, use *chatUsage) event {
		c := c
		c.Choices = choices
		if end.includeUsage {
			return event{data: encode(usageChunk{c, use}), phase: ph}
		}
		return event{data: encode(c), phase: ph}
	}
	delta := func(ph phase, d chatDelta) event {
		return chunk(ph, []chatChoice{{Delta: &d}}, nil)
	}
	a := reply{events: []event{delta(prelude, chatDelta{Role: "assistant", Content: ""})}}
	calls := 0
	for i, part := range script.Parts {
		if part.Kind == CallPart {
			call := chatCall{Index: new(calls), ID: x.callID("call_", i, 24), Type: "function"}
			call.Function.Name = part.Name
			a.events = append(a.events, delta(content, chatDelta{ToolCalls: []chatCall{call}}))
		}
		for _, piece := range tokens(part.Text) {
			if part.Kind == ThoughtPart && !x.p.config.ReasoningContent {
				break
			}
			a.events = append(a.events, delta(content, pieceDelta(part.Kind, piece, calls)))
		}
		if part.Kind == CallPart {
			calls++
		}
	}
	a.tokens = len(a.events) - 1
	a.events = append(a.events, chunk(closing, []chatChoice{{Delta: &chatDelta{}, FinishReason: end.reason}}, nil))
	if end.includeUsage {
		a.events = append(a.events, chunk(closing, []chatChoice{}, end.usage))
	}
	a.events = append(a.events, event{data: "[DONE]", phase: terminal})
	a.odd = chunk(prelude, []chatChoice{}, nil)
	return a
}

// pieceDelta is the delta of one piece of a part; call is the index of the tool call that it belongs to.
func pieceDelta(kind PartKind, piece string, call int) chatDelta {
	switch kind {
	case RefusalPart:
		return chatDelta{Refusal: piece}
	case ThoughtPart:
		return chatDelta{Reasoning: piece}
	case CallPart:
		c := chatCall{Index: new(call)}
		c.Function.Arguments = piece
		return chatDelta{ToolCalls: []chatCall{c}}
	}
	return chatDelta{Content: piece}
}
