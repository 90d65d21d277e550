package simulator

import (
	"fmt"
	"strings"
)

// responsesStream collects the events of a Responses stream and numbers them.
type responsesStream struct {
	x      *exchange
	events []event
}

// emit adds an event. The members follow the type as pairs of a name and a value.
func (s *responsesStream) emit(name string, ph phase, members ...any) {
	var b strings.Builder
	fmt.Fprintf(&b, `{"type":%s,"sequence_number":%d`, encode(name), len(s.events))
	for i := 0; i+1 < len(members); i += 2 {
		fmt.Fprintf(&b, `,%s:%s`, encode(members[i]), encode(members[i+1]))
	}
	b.WriteByte('}')
	s.events = append(s.events, event{name, b.String(), ph})
}

// The output items and their parts.
type (
	outputMessage struct {
		ID      string `json:"id"`
		Type    string `json:"type"`
		Status  string `json:"status"`
		Role    string `json:"role"`
		Content []any  `json:"content"`
	}
	outputText struct {
		Type        string `json:"type"`
		Text        string `json:"text"`
		Annotations []any  `json:"annotations"`
		Logprobs    []any  `json:"logprobs"`
	}
	outputRefusal struct {
		Type    string `json:"type"`
		Refusal string `json:"refusal"`
	}
	outputCall struct {
		ID        string `json:"id"`
		Type      string `json:"type"`
		Status    string `json:"status"`
		Arguments string `json:"arguments"`
		CallID    string `json:"call_id"`
		Name      string `json:"name"`
	}
	outputReasoning struct {
		ID      string `json:"id"`
		Type    string `json:"type"`
		Summary []any  `json:"summary"`
	}
	summaryText struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
)

// item streams one output item and returns it whole.
func (s *responsesStream) item(i int, part Part) any {
	switch part.Kind {
	case CallPart:
		return s.call(i, part)
	case ThoughtPart:
		return s.thought(i, part)
	}
	return s.message(i, part)
}

// message streams a text or a refusal.
func (s *responsesStream) message(i int, part Part) any {
	m := outputMessage{"msg_" + s.x.callID("", i, 48), "message", "in_progress", "assistant", []any{}}
	at := func(more ...any) []any {
		return append([]any{"item_id", m.ID, "output_index", i, "content_index", 0}, more...)
	}
	s.emit("response.output_item.added", prelude, "output_index", i, "item", m)
	var whole any
	if part.Kind == RefusalPart {
		whole = outputRefusal{"refusal", part.Text}
		s.emit("response.content_part.added", frame, at("part", outputRefusal{Type: "refusal"})...)
		for _, piece := range tokens(part.Text) {
			s.emit("response.refusal.delta", content, at("delta", piece)...)
		}
		s.emit("response.refusal.done", frame, at("refusal", part.Text)...)
	} else {
		whole = outputText{"output_text", part.Text, []any{}, []any{}}
		s.emit("response.content_part.added", frame, at("part", outputText{"output_text", "", []any{}, []any{}})...)
		for _, piece := range tokens(part.Text) {
			s.emit("response.output_text.delta", content, at("delta", piece, "logprobs", []any{})...)
		}
		s.emit("response.output_text.done", frame, at("text", part.Text, "logprobs", []any{})...)
	}
	s.emit("response.content_part.done", frame, at("part", whole)...)
	m.Status, m.Content = "completed", []any{whole}
	s.emit("response.output_item.done", frame, "output_index", i, "item", m)
	return m
}

// call streams a function call.
func (s *responsesStream) call(i int, part Part) any {
	c := outputCall{"fc_" + s.x.callID("", i, 48), "function_call", "in_progress", "", s.x.callID("call_", i, 24), part.Name}
	s.emit("response.output_item.added", content, "output_index", i, "item", c)
	for _, piece := range tokens(part.Text) {
		s.emit("response.function_call_arguments.delta", content, "item_id", c.ID, "output_index", i, "delta", piece)
	}
	s.emit("response.function_call_arguments.done", frame, "item_id", c.ID, "output_index", i, "arguments", part.Text)
	c.Status, c.Arguments = "completed", part.Text
	s.emit("response.output_item.done", frame, "output_index", i, "item", c)
	return c
}

// thought streams a reasoning item with its summary.
func (s *responsesStream) thought(i int, part Part) any {
	r := outputReasoning{"rs_" + s.x.callID("", i, 48), "reasoning", []any{}}
	at := func(more ...any) []any {
		return append([]any{"item_id", r.ID, "output_index", i, "summary_index", 0}, more...)
	}
	s.emit("response.output_item.added", prelude, "output_index", i, "item", r)
	s.emit("response.reasoning_summary_part.added", frame, at("part", summaryText{Type: "summary_text"})...)
	for _, piece := range tokens(part.Text) {
		s.emit("response.reasoning_summary_text.delta", content, at("delta", piece)...)
	}
	whole := summaryText{"summary_text", part.Text}
	s.emit("response.reasoning_summary_text.done", frame, at("text", part.Text)...)
	s.emit("response.reasoning_summary_part.done", frame, at("part", whole)...)
	r.Summary = []any{whole}
	s.emit("response.output_item.done", frame, "output_index", i, "item", r)
	return r
}
