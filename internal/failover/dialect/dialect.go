// Package dialect knows the wire formats that apps and providers speak.
//
// Each format is one sub-package (chat, messages, responses, embeddings). Its
// Format tells the walk what an event, an answer and an error look like; that
// is all a request needs whose entry speaks the app's own dialect. A request
// that must change dialect goes through the neutral form, so that N formats
// need N decoders and N encoders:
//
//	app's request    decoder of `from`   neutral.Request   encoder of `to`     entry
//	entry's answer   decoder of `to`     neutral.Answer    encoder of `from`   app
//	entry's event    decoder of `to`     neutral.Event     encoder of `from`   app
//
// A decoder refuses what no other dialect can carry, and an encoder what its
// own cannot; both note what they drop. Nothing here does I/O or keeps state
// beyond one translation.
package dialect

import (
	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/chat"
	"github.com/understudy-dev/understudy/internal/failover/dialect/embeddings"
	"github.com/understudy-dev/understudy/internal/failover/dialect/messages"
	"github.com/understudy-dev/understudy/internal/failover/dialect/responses"
)

// registry implements failover.Dialects.
type registry struct {
	formats map[failover.Dialect]failover.Format
}

// New returns the known dialects. It is safe for concurrent use.
func New() failover.Dialects {
	r := registry{formats: map[failover.Dialect]failover.Format{}}
	for _, f := range []failover.Format{chat.Format{}, responses.Format{}, embeddings.Format{}, messages.Format{}} {
		r.formats[f.Dialect()] = f
	}
	return r
}

// Format returns the rules of one dialect, or nil if it is unknown.
func (r registry) Format(d failover.Dialect) failover.Format { return r.formats[d] }

// Translate refuses every pair of dialects that has no way through the
// neutral form.
func (r registry) Translate(from, to failover.Dialect, _ []byte, _ failover.TranslateOptions) (failover.Translation, error) {
	return nil, &failover.IneligibleError{
		Field:  string(from),
		Reason: "requests of this dialect cannot be carried into " + string(to),
	}
}
