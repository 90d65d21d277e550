// Package dialect knows the wire formats that apps and providers speak.
//
// Each format is one sub-package (chat, messages, responses, embeddings,
// gemini, converse). Its Format tells the walk what an event, an answer and an
// error look like; that is all a request needs whose entry speaks the app's own
// dialect. A request that must change dialect goes through the neutral form, so
// that N formats need N decoders and N encoders:
//
//	app's request    decoder of `from`   neutral.Request   encoder of `to`     entry
//	entry's answer   decoder of `to`     neutral.Answer    encoder of `from`   app
//	entry's event    decoder of `to`     neutral.Event     encoder of `from`   app
//
// Some formats have one side only: apps alone or entries alone speak them.
// A decoder refuses what no other dialect can carry, and an encoder what its
// own cannot; both note what they drop. Nothing here does I/O or keeps state
// beyond one translation.
package dialect

import (
	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/chat"
	"github.com/understudy-dev/understudy/internal/failover/dialect/converse"
	"github.com/understudy-dev/understudy/internal/failover/dialect/embeddings"
	"github.com/understudy-dev/understudy/internal/failover/dialect/gemini"
	"github.com/understudy-dev/understudy/internal/failover/dialect/messages"
	"github.com/understudy-dev/understudy/internal/failover/dialect/responses"
)

// registry implements failover.Dialects.
type registry struct {
	formats map[failover.Dialect]failover.Format
	codecs  map[failover.Dialect]codec
}

// New returns the known dialects. It is safe for concurrent use.
func New() failover.Dialects {
	r := registry{
		formats: map[failover.Dialect]failover.Format{},
		codecs: map[failover.Dialect]codec{
			failover.OpenAIChat: {
				decodeRequest: chat.DecodeRequest, encodeRequest: chat.EncodeRequest,
				decodeAnswer: chat.DecodeAnswer, encodeAnswer: chat.EncodeAnswer,
				decodeStream: chat.NewStreamDecoder, encodeStream: chat.NewStreamEncoder,
			},
			failover.AnthropicMessages: {
				decodeRequest: messages.DecodeRequest, encodeRequest: messages.EncodeRequest,
				decodeAnswer: messages.DecodeAnswer, encodeAnswer: messages.EncodeAnswer,
				decodeStream: messages.NewStreamDecoder, encodeStream: messages.NewStreamEncoder,
			},
			failover.OpenAIResponses: {
				decodeRequest: responses.DecodeRequest, encodeRequest: responses.EncodeRequest,
				decodeAnswer: responses.DecodeAnswer, encodeAnswer: responses.EncodeAnswer,
				decodeStream: responses.NewStreamDecoder, encodeStream: responses.NewStreamEncoder,
			},
			failover.BedrockConverse: {
				encodeRequest: converse.EncodeRequest, decodeAnswer: converse.DecodeAnswer, decodeStream: converse.NewStreamDecoder,
			},
			failover.Gemini: {
				encodeRequest: gemini.EncodeRequest, decodeAnswer: gemini.DecodeAnswer, decodeStream: gemini.NewStreamDecoder,
			},
		},
	}
	for _, f := range []failover.Format{chat.Format{}, responses.Format{}, embeddings.Format{}, messages.Format{}, gemini.Format{}, converse.Format{}} {
		r.formats[f.Dialect()] = f
	}
	return r
}

// Format returns the rules of one dialect, or nil if it is unknown.
func (r registry) Format(d failover.Dialect) failover.Format { return r.formats[d] }

// Translate takes one request through the neutral form. A pair of dialects
// that has no way through it is ineligible.
func (r registry) Translate(from, to failover.Dialect, body []byte, o failover.TranslateOptions) (failover.Translation, error) {
	app, entry := r.codecs[from], r.codecs[to]
	if app.decodeRequest == nil || entry.encodeRequest == nil || from == to {
		return nil, &failover.IneligibleError{
			Field: "dialect", Reason: string(from) + " cannot be translated into " + string(to),
		}
	}
	t, err := newTranslation(app, entry, body, o)
	if err != nil {
		return nil, err
	}
	return t, nil
}
