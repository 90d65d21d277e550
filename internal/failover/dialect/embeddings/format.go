// Package embeddings is the wire format of OpenAI Embeddings, which is only
// ever passed through: vectors of two models cannot be compared.
package embeddings

import (
	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/openai"
	"github.com/understudy-dev/understudy/internal/failover/dialect/wire"
)

// Format implements failover.Format.
type Format struct{}

// Dialect returns OpenAIEmbeddings.
func (Format) Dialect() failover.Dialect { return failover.OpenAIEmbeddings }

// Progress returns Malformed: embeddings are never streamed.
func (Format) Progress(failover.Event) failover.Progress {
	return failover.Progress{Kind: failover.Malformed}
}

// CheckAnswer accepts a body with at least one vector.
func (Format) CheckAnswer(body []byte) (failover.Usage, bool) {
	var u failover.Usage
	answered := false
	ok := openai.Object(body, func(name []byte, value failover.RawJSON) {
		switch string(name) {
		case "usage":
			u = openai.Usage(value)
		case "data":
			answered = value.IsArray() && !openai.Empty(value)
		}
	})
	return u, ok && answered
}

// ErrorBody writes OpenAI's error object.
func (Format) ErrorBody(e failover.AppError) []byte { return openai.ErrorBody(e) }

// ErrorEvent writes the error object as a data-only event.
func (Format) ErrorEvent(e failover.AppError) []byte {
	return wire.AppendEvent(nil, "", openai.ErrorBody(e))
}

// Closing returns nil.
func (Format) Closing() []byte { return nil }
