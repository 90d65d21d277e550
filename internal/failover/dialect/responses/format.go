// Package responses is the wire format of OpenAI Responses: what its streams and
// answers mean (Format), and the way from an app that speaks it to the neutral
// form and back. Entries that speak it are asked by apps of the same dialect
// only.
package responses

import (
	"bytes"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/openai"
)

// Format implements failover.Format.
type Format struct{}

// Dialect returns OpenAIResponses.
func (Format) Dialect() failover.Dialect { return failover.OpenAIResponses }

// Progress tells what one event means. The type inside the data decides.
func (Format) Progress(ev failover.Event) failover.Progress {
	data := bytes.TrimSpace(ev.Data)
	switch {
	case string(ev.Name) == "error":
		return failover.Progress{Kind: failover.Failed}
	case len(data) == 0, string(data) == "[DONE]":
		return failover.Progress{Kind: failover.Lifecycle}
	}
	var typ, delta, item, response, failure failover.RawJSON
	err := failover.EachMember(data, func(name []byte, value failover.RawJSON) bool {
		switch string(name) {
		case "type":
			typ = value
		case "delta":
			delta = value
		case "item":
			item = value
		case "response":
			response = value
		case "error":
			failure = value
		}
		return true
	})
	if err != nil {
		return failover.Progress{Kind: failover.Malformed}
	}
	if failure.Present() {
		return failover.Progress{Kind: failover.Failed}
	}
	name := ev.Name
	if typ.IsString() && len(typ) > 2 {
		name = typ[1 : len(typ)-1]
	}
	switch string(name) {
	case "error", "response.failed":
		return failover.Progress{Kind: failover.Failed}
	case "response.completed", "response.incomplete":
		return failover.Progress{Kind: failover.Finished, Usage: openai.Usage(response.Member("usage"))}
	case "response.output_item.added":
		switch string(item.Member("type")) {
		case `"message"`, `"reasoning"`, "":
			return failover.Progress{Kind: failover.Lifecycle}
		}
		return failover.Progress{Kind: failover.Content}
	}
	if bytes.HasSuffix(name, []byte(".delta")) && !openai.Empty(delta) {
		return failover.Progress{Kind: failover.Content}
	}
	return failover.Progress{Kind: failover.Lifecycle}
}

// CheckAnswer accepts a response with output, or with a status that explains
// why there is none (an answer in the background has none yet).
func (Format) CheckAnswer(body []byte) (failover.Usage, bool) {
	var u failover.Usage
	answered, failed := false, false
	ok := openai.Object(body, func(name []byte, value failover.RawJSON) {
		switch string(name) {
		case "usage":
			u = openai.Usage(value)
		case "output":
			answered = answered || value.IsArray() && !openai.Empty(value)
		case "status":
			status := value.Text()
			failed = failed || status == "failed"
			answered = answered || status != ""
		}
	})
	return u, ok && answered && !failed
}

// ErrorBody writes OpenAI's error object.
func (Format) ErrorBody(e failover.AppError) []byte { return openai.ErrorBody(e) }

// ErrorEvent writes the flat error event of Responses.
func (Format) ErrorEvent(e failover.AppError) []byte { return openai.FlatErrorEvent(e) }

// Closing returns nil: a stream without a final response is truncated.
func (Format) Closing() []byte { return nil }
