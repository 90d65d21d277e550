// Package gemini is the wire format of Gemini's own generateContent, at the
// Gemini API and at Vertex AI: what its streams and answers mean (Format), and
// the way from the neutral form to its requests and from its answers back. No
// app speaks it to us, so nothing here reads requests or writes answers.
package gemini

import (
	"bytes"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
)

// Format implements failover.Format.
type Format struct{}

// Dialect returns Gemini.
func (Format) Dialect() failover.Dialect { return failover.Gemini }

// response holds the members of a GenerateContentResponse that count. An event
// of a stream is one as well, with a fragment of the answer in it.
type response struct {
	id, model, usage failover.RawJSON
	candidate        failover.RawJSON // the first; one is asked for
	feedback         failover.RawJSON // about the prompt
	failure          failover.RawJSON // the error in place of an answer
}

// readResponse reads one object, or the first of a list, in which streaming
// endpoints may wrap their errors.
func readResponse(data []byte) (r response, err error) {
	if v := failover.RawJSON(data); v.IsArray() {
		var first []byte
		if err := failover.EachElement(v, func(e failover.RawJSON) bool { first = e; return false }); err != nil {
			return r, err
		}
		data = first
	}
	err = failover.EachMember(data, func(name []byte, v failover.RawJSON) bool {
		switch string(name) {
		case "responseId":
			r.id = v
		case "modelVersion":
			r.model = v
		case "usageMetadata":
			r.usage = v
		case "candidates":
			_ = failover.EachElement(v, func(c failover.RawJSON) bool { r.candidate = c; return false })
		case "promptFeedback":
			r.feedback = v
		case "error":
			r.failure = v
		}
		return true
	})
	return r, err
}

// kind tells what an event means. A reason that says that there is no answer
// fails it like an error.
func (r response) kind() failover.ProgressKind {
	reason, failed := r.reason()
	switch {
	case r.failure.Present() || failed:
		return failover.Failed
	case reason != neutral.Unfinished:
		return failover.Ending
	case r.carries():
		return failover.Content
	}
	return failover.Lifecycle
}

// carries reports whether the candidate has a part with a payload.
func (r response) carries() bool {
	found := false
	_ = failover.EachElement(r.candidate.Member("content").Member("parts"), func(part failover.RawJSON) bool {
		_ = failover.EachMember(part, func(name []byte, v failover.RawJSON) bool {
			switch string(name) {
			case "text":
				found = v.IsString() && !v.IsEmptyString()
			case "functionCall", "inlineData", "fileData", "executableCode", "codeExecutionResult":
				found = v.IsObject()
			}
			return !found
		})
		return !found
	})
	return found
}

// readEvent reads one event of a stream. There are no names and there is no
// terminal event; one that a gateway added is passed over. An error may stand
// in the stream as bare JSON, outside of any event.
func readEvent(ev failover.Event) (response, failover.ProgressKind) {
	data := bytes.TrimSpace(ev.Data)
	if len(data) == 0 {
		bare, err := readResponse(bytes.TrimSpace(ev.Raw))
		if err == nil && bare.failure.Present() {
			return bare, failover.Failed
		}
		return response{}, failover.Lifecycle
	}
	if string(data) == "[DONE]" {
		return response{}, failover.Lifecycle
	}
	r, err := readResponse(data)
	if err != nil {
		return response{}, failover.Malformed
	}
	return r, r.kind()
}

// Progress tells what one fragment means. The reason for the end is Ending:
// token counts may follow it.
func (Format) Progress(ev failover.Event) failover.Progress {
	r, kind := readEvent(ev)
	p := failover.Progress{Kind: kind}
	if r.usage.IsObject() && kind != failover.Failed {
		p.Usage = usageOf(r.usage).Count()
	}
	return p
}

// CheckAnswer accepts a body whose candidate has content or ended for a reason
// that is the answer's own, and one whose prompt was blocked, which comes with
// status 200 and no candidate.
func (Format) CheckAnswer(body []byte) (failover.Usage, bool) {
	if !failover.ValidJSON(body) {
		return failover.Usage{}, false
	}
	r, err := readResponse(bytes.TrimSpace(body))
	if err != nil {
		return failover.Usage{}, false
	}
	kind := r.kind()
	return usageOf(r.usage).Count(), kind == failover.Ending || kind == failover.Content
}

// Closing is empty and not nil: a stream is complete with the reason for its
// end.
func (Format) Closing() []byte { return []byte{} }
