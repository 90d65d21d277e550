package simulator

import (
	"net/http"
	"slices"
	"strings"
)

// responsesUsage is the usage of a response.
type responsesUsage struct {
	InputTokens  int `json:"input_tokens"`
	InputDetails struct {
		Cached int `json:"cached_tokens"`
	} `json:"input_tokens_details"`
	OutputTokens  int `json:"output_tokens"`
	OutputDetails struct {
		Reasoning int `json:"reasoning_tokens"`
	} `json:"output_tokens_details"`
	TotalTokens int `json:"total_tokens"`
}

// response is the object of the Responses API: the request's own settings are echoed in it.
type response struct {
	ID                 string          `json:"id"`
	Object             string          `json:"object"`
	CreatedAt          int64           `json:"created_at"`
	Status             string          `json:"status"`
	Background         bool            `json:"background"`
	Error              any             `json:"error"`
	IncompleteDetails  any             `json:"incomplete_details"`
	Instructions       any             `json:"instructions"`
	MaxOutputTokens    any             `json:"max_output_tokens"`
	Model              string          `json:"model"`
	Output             []any           `json:"output"`
	ParallelToolCalls  bool            `json:"parallel_tool_calls"`
	PreviousResponseID any             `json:"previous_response_id"`
	Reasoning          any             `json:"reasoning"`
	ServiceTier        string          `json:"service_tier"`
	Store              bool            `json:"store"`
	Temperature        any             `json:"temperature"`
	Text               any             `json:"text"`
	ToolChoice         any             `json:"tool_choice"`
	Tools              any             `json:"tools"`
	TopP               any             `json:"top_p"`
	Truncation         string          `json:"truncation"`
	Usage              *responsesUsage `json:"usage"`
	User               any             `json:"user"`
	Metadata           any             `json:"metadata"`
}

// responses answers POST /v1/responses.
func (x *exchange) responses(o object) error {
	if e := checkResponses(o); e != nil {
		return x.sendError(*e)
	}
	if !x.p.knows(x.model) {
		return x.sendError((&Fault{}).errorFor(OpenAI, http.StatusNotFound))
	}
	if id := str(o, "previous_response_id"); id != "" && !x.gave(id) {
		return x.sendError(*invalid("previous_response_id", "previous_response_not_found", "Previous response with id '%s' not found.", id))
	}
	p := x.responsesPrompt(o)
	script := readScript(p)
	maxTokens, _ := integer(o["max_output_tokens"])
	_, short := script.limit(maxTokens, nil)
	u := script.count(p)
	use := &responsesUsage{InputTokens: u.prompt, OutputTokens: u.completion, TotalTokens: u.prompt + u.completion}
	use.InputDetails.Cached, use.OutputDetails.Reasoning = u.cached, u.reasoning

	r := x.newResponse(o)
	s := &responsesStream{x: x}
	s.emit("response.created", prelude, "response", r)
	s.emit("response.in_progress", prelude, "response", r)
	var output []any
	for i, part := range script.Parts {
		output = append(output, s.item(i, part))
	}
	end := "completed"
	switch {
	case short, script.Stop == "length", script.Stop == "max_output_tokens":
		end = "incomplete"
		r.IncompleteDetails = object{"reason": "max_output_tokens"}
	case script.Stop == "content_filter":
		end = "incomplete"
		r.IncompleteDetails = object{"reason": "content_filter"}
	}
	empty := r
	empty.Status = "completed"
	r.Status, r.Output, r.Usage = end, output, use
	if output == nil {
		r.Output = []any{}
	}
	s.emit("response."+end, terminal, "response", r)
	blank := &responsesStream{x: x}
	blank.emit("response.completed", terminal, "response", empty)
	return x.play(reply{
		unary: encode(r), events: s.events, tokens: u.completion, empty: encode(empty), emptyEnd: blank.events[0],
		odd: event{name: "keepalive", data: `{"type":"keepalive"}`},
	})
}

// gave reports whether this provider has given a response of that id.
func (x *exchange) gave(id string) bool {
	for serial := range x.serial {
		if id == "resp_"+x.p.id(serial, "response", 48) {
			return true
		}
	}
	return false
}

// newResponse is the response before any output.
func (x *exchange) newResponse(o object) response {
	or := func(name string, otherwise any) any {
		if v := o[name]; v != nil {
			return v
		}
		return otherwise
	}
	parallel, ok := o["parallel_tool_calls"].(bool)
	store, stated := o["store"].(bool)
	return response{
		ID: "resp_" + x.p.id(x.serial, "response", 48), Object: "response", CreatedAt: x.rec.Time.Unix(),
		Status: "in_progress", Model: x.model, Output: []any{}, ParallelToolCalls: parallel || !ok,
		Instructions: o["instructions"], MaxOutputTokens: o["max_output_tokens"], PreviousResponseID: o["previous_response_id"],
		Reasoning: or("reasoning", object{"effort": nil, "summary": nil}), ServiceTier: "default", Store: store || !stated,
		Temperature: or("temperature", 1.0), Text: or("text", object{"format": object{"type": "text"}}),
		ToolChoice: or("tool_choice", "auto"), Tools: or("tools", []any{}), TopP: or("top_p", 1.0),
		Truncation: "disabled", User: o["user"], Metadata: or("metadata", object{}),
	}
}

// responsesPrompt reads what the answer depends on.
func (x *exchange) responsesPrompt(o object) prompt {
	p := prompt{provider: x.p.config.Name, model: x.model}
	p.chars = chars(o["input"]) + chars(o["instructions"]) + chars(o["tools"])
	p.tools, p.forced = chatTools(o["tools"], o["tool_choice"])
	if text, ok := o["input"].(string); ok {
		p.user = text
		return p
	}
	items, _ := list(o["input"])
	var results []string
	for _, item := range slices.Backward(items) {
		if str(item, "type") != "function_call_output" {
			if len(results) == 0 && str(item, "role") == "user" {
				p.user = textOf(item["content"])
			}
			break
		}
		results = append(results, textOf(item["output"]))
	}
	if len(results) > 0 {
		slices.Reverse(results)
		p.result = new(strings.Join(results, "\n"))
	}
	return p
}
