package simulator

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// anthropic answers a request in Anthropic's dialect.
func (x *exchange) anthropic() error {
	if e := x.anthropicGate(); e != nil {
		return x.sendError(*e)
	}
	if x.r.Method == http.MethodGet {
		return x.anthropicModels()
	}
	version := x.r.Header.Get("Anthropic-Version")
	o, ok := parse(x.body)
	if !ok {
		return x.sendError(*badRequest("The request body is not valid JSON."))
	}
	counting := strings.HasSuffix(x.path, "/count_tokens")
	if e := checkMessages(o, version, counting); e != nil {
		return x.sendError(*e)
	}
	if !x.p.knows(x.model) {
		return x.sendError((&Fault{}).errorFor(Anthropic, http.StatusNotFound))
	}
	p := x.anthropicPrompt(o)
	if counting {
		x.header(http.StatusOK, "application/json")
		return x.finish(encode(struct {
			InputTokens int `json:"input_tokens"`
		}{p.chars/4 + 1}))
	}
	return x.play(x.message(o, p))
}

// anthropicGate checks path, method, key and headers.
func (x *exchange) anthropicGate() *apiError {
	post := x.path == "/v1/messages" || x.path == "/v1/messages/count_tokens"
	get := x.path == "/v1/models" || strings.HasPrefix(x.path, "/v1/models/")
	h := x.r.Header
	version := h.Get("Anthropic-Version")
	switch {
	case !post && !get:
		return &apiError{status: 404, kind: "not_found_error", message: "Not Found"}
	case post && x.r.Method != http.MethodPost, get && x.r.Method != http.MethodGet:
		return &apiError{status: 405, kind: "invalid_request_error", message: "Method Not Allowed"}
	case x.p.keyOf(h) == "":
		return &apiError{status: 401, kind: "authentication_error", message: "x-api-key header is required"}
	case x.key == "" && h.Get("X-Api-Key") != "":
		return &apiError{status: 401, kind: "authentication_error", message: "invalid x-api-key"}
	case x.key == "":
		return &apiError{status: 401, kind: "authentication_error", message: "Invalid bearer token"}
	case version == "":
		return badRequest("anthropic-version: header is required")
	case !slices.Contains(anthropicVersions, version):
		return badRequest("anthropic-version: \"%s\" is not a valid version", version)
	case post && !isJSON(h):
		return badRequest("Content-Type: header must be application/json")
	}
	return nil
}

// anthropicPrompt reads what the answer depends on.
func (x *exchange) anthropicPrompt(o object) prompt {
	p := prompt{provider: x.p.config.Name, model: x.model}
	p.chars = chars(o["messages"]) + chars(o["system"]) + chars(o["tools"])
	choice, _ := o["tool_choice"].(object)
	switch str(choice, "type") {
	case "none":
	case "any":
		p.tools, p.forced = toolNames(o["tools"], ""), "*"
	case "tool":
		p.tools, p.forced = toolNames(o["tools"], ""), str(choice, "name")
	default:
		p.tools = toolNames(o["tools"], "")
	}
	messages, _ := list(o["messages"])
	merged := turns(messages)
	last := merged[len(merged)-1]
	if last.role == "system" && len(merged) > 1 {
		last = merged[len(merged)-2]
	}
	if last.role != "user" {
		return p
	}
	var texts, results []string
	for _, block := range last.blocks {
		switch str(block, "type") {
		case "text":
			texts = append(texts, str(block, "text"))
		case "tool_result":
			results = append(results, textOf(block["content"]))
		}
	}
	p.user = strings.Join(texts, "\n")
	if len(results) > 0 {
		p.result = new(strings.Join(results, "\n"))
	}
	return p
}

// anthropicUsage is the usage of a message, in the order of the wire.
type anthropicUsage struct {
	InputTokens   int `json:"input_tokens"`
	CacheCreation int `json:"cache_creation_input_tokens"`
	CacheRead     int `json:"cache_read_input_tokens"`
	ByTTL         struct {
		Short int `json:"ephemeral_5m_input_tokens"`
		Long  int `json:"ephemeral_1h_input_tokens"`
	} `json:"cache_creation"`
	OutputTokens int    `json:"output_tokens"`
	ServiceTier  string `json:"service_tier"`
}

// anthropicMessage is a whole answer.
type anthropicMessage struct {
	ID           string         `json:"id"`
	Type         string         `json:"type"`
	Role         string         `json:"role"`
	Model        string         `json:"model"`
	Content      []any          `json:"content"`
	StopReason   any            `json:"stop_reason"`
	StopSequence any            `json:"stop_sequence"`
	Usage        anthropicUsage `json:"usage"`
}

// The blocks of an answer.
type (
	textBlock struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	thinkingBlock struct {
		Type      string `json:"type"`
		Thinking  string `json:"thinking"`
		Signature string `json:"signature"`
	}
	toolUseBlock struct {
		Type  string          `json:"type"`
		ID    string          `json:"id"`
		Name  string          `json:"name"`
		Input json.RawMessage `json:"input"`
	}
)

// message builds the answer to a Messages request.
func (x *exchange) message(o object, p prompt) reply {
	script := readScript(p)
	maxTokens, _ := integer(o["max_tokens"])
	stops := stringsOf(o["stop_sequences"])
	stop, short := script.limit(maxTokens, stops)
	if maxTokens == 0 { // Such a request only warms the cache.
		script.Parts, stop, short = nil, "", true
	}
	m := anthropicMessage{
		ID: "msg_01" + x.p.id(x.serial, "message", 22), Type: "message", Role: "assistant", Model: x.model, Content: []any{},
	}
	u := script.count(p)
	m.Usage = anthropicUsage{
		InputTokens: u.prompt - u.cached, CacheRead: u.cached, OutputTokens: max(u.completion, 1), ServiceTier: "standard",
	}
	reason := "end_turn"
	var blocks []event
	count := 0
	for i, part := range script.Parts {
		block, events := x.block(i, part)
		m.Content = append(m.Content, block)
		blocks = append(blocks, events...)
		count += len(tokens(part.Text))
		switch part.Kind {
		case CallPart:
			reason = "tool_use"
		case RefusalPart:
			reason = "refusal"
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
	a := reply{events: x.messageEvents(m, blocks, reason, orNull(stop)), tokens: count}
	empty := m
	empty.Content, empty.Usage.OutputTokens = []any{}, 0
	a.empty = encode(empty)
	m.StopReason, m.StopSequence = reason, orNull(stop)
	a.unary = encode(m)
	a.odd = event{name: "server_notice", data: `{"type":"server_notice","text":"hello"}`}
	return a
}

// messageEvents puts a stream together.
func (x *exchange) messageEvents(m anthropicMessage, blocks []event, reason string, stop any) []event {
	start := m
	start.Content = []any{}
	start.Usage.OutputTokens = 1
	events := []event{named(struct {
		Type    string           `json:"type"`
		Message anthropicMessage `json:"message"`
	}{"message_start", start}, prelude)}
	ping := event{name: "ping", data: `{"type": "ping"}`, phase: prelude}
	if len(blocks) > 0 {
		// The first ping follows the start of the first block, as on the wire.
		events = append(events, blocks[0], ping)
		events = append(events, blocks[1:]...)
	}
	type delta struct {
		StopReason   string `json:"stop_reason"`
		StopSequence any    `json:"stop_sequence"`
	}
	return append(events, named(struct {
		Type  string         `json:"type"`
		Delta delta          `json:"delta"`
		Usage anthropicUsage `json:"usage"`
	}{"message_delta", delta{reason, stop}, m.Usage}, closing), event{"message_stop", `{"type":"message_stop"}`, terminal})
}

// named makes an event whose name is its data's type.
func named(data any, ph phase) event {
	text := encode(data)
	var t struct {
		Type string `json:"type"`
	}
	_ = json.Unmarshal([]byte(text), &t)
	return event{name: t.Type, data: text, phase: ph}
}

// block builds one content block and the events that stream it.
func (x *exchange) block(i int, part Part) (any, []event) {
	var whole, begun any
	first := frame
	kind, member := "text_delta", "text"
	var deltas []string
	switch part.Kind {
	case ThoughtPart:
		kind, member = "thinking_delta", "thinking"
		signature := "sig" + x.p.id(x.serial, "signature", 40)
		whole, begun = thinkingBlock{"thinking", part.Text, signature}, thinkingBlock{Type: "thinking"}
	case CallPart:
		kind, member = "input_json_delta", "partial_json"
		first = content // A call is visible from its first event on.
		call := toolUseBlock{"tool_use", x.callID("toolu_01", i, 22), part.Name, json.RawMessage(part.Text)}
		whole = call
		if !json.Valid(call.Input) { // The tokens ran out within the arguments.
			whole = toolUseBlock{call.Type, call.ID, call.Name, json.RawMessage("{}")}
		}
		call.Input = json.RawMessage("{}")
		begun = call
		deltas = append(deltas, "") // The API begins a call's arguments with an empty piece.
	default:
		whole, begun = textBlock{"text", part.Text}, textBlock{Type: "text"}
	}
	events := []event{named(struct {
		Type  string `json:"type"`
		Index int    `json:"index"`
		Block any    `json:"content_block"`
	}{"content_block_start", i, begun}, first)}
	for _, piece := range append(deltas, tokens(part.Text)...) {
		events = append(events, blockDelta(i, kind, member, piece))
	}
	if t, ok := whole.(thinkingBlock); ok {
		events = append(events, blockDelta(i, "signature_delta", "signature", t.Signature))
	}
	return whole, append(events, named(struct {
		Type  string `json:"type"`
		Index int    `json:"index"`
	}{"content_block_stop", i}, frame))
}

// blockDelta is one piece of a block.
func blockDelta(i int, kind, member, piece string) event {
	delta := `{"type":` + encode(kind) + `,"` + member + `":` + encode(piece) + `}`
	return named(struct {
		Type  string          `json:"type"`
		Index int             `json:"index"`
		Delta json.RawMessage `json:"delta"`
	}{"content_block_delta", i, json.RawMessage(delta)}, content)
}

// callID is the id of the tool call in part i.
func (x *exchange) callID(prefix string, i, length int) string {
	return prefix + x.p.id(x.serial, "call"+string(rune('a'+i)), length)
}

// anthropicModel is an entry of the list of models.
type anthropicModel struct {
	Type           string `json:"type"`
	ID             string `json:"id"`
	DisplayName    string `json:"display_name"`
	CreatedAt      string `json:"created_at"`
	MaxInputTokens int    `json:"max_input_tokens"`
	MaxTokens      int    `json:"max_tokens"`
}

// anthropicModels answers GET /v1/models and GET /v1/models/ID.
func (x *exchange) anthropicModels() error {
	created := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC).Format(time.RFC3339)
	entry := func(id string) anthropicModel {
		return anthropicModel{"model", id, id, created, 200000, 64000}
	}
	if id, ok := strings.CutPrefix(x.path, "/v1/models/"); ok {
		x.model = id
		if !x.p.knows(id) {
			return x.sendError((&Fault{}).errorFor(Anthropic, http.StatusNotFound))
		}
		x.header(http.StatusOK, "application/json")
		return x.finish(encode(entry(id)))
	}
	models := x.p.models()
	out := struct {
		Data    []anthropicModel `json:"data"`
		HasMore bool             `json:"has_more"`
		FirstID string           `json:"first_id"`
		LastID  string           `json:"last_id"`
	}{FirstID: models[0], LastID: models[len(models)-1]}
	for _, id := range models {
		out.Data = append(out.Data, entry(id))
	}
	x.header(http.StatusOK, "application/json")
	return x.finish(encode(out))
}
