package failover

import "strings"

// Dialect is a wire format that an app or a provider speaks.
type Dialect string

// The dialects.
const (
	OpenAIChat        Dialect = "OpenAIChat"
	OpenAIResponses   Dialect = "OpenAIResponses"
	OpenAIEmbeddings  Dialect = "OpenAIEmbeddings"
	AnthropicMessages Dialect = "AnthropicMessages"
	// Gemini and BedrockConverse are spoken by entries only: no app asks in
	// them.
	Gemini          Dialect = "Gemini"
	BedrockConverse Dialect = "BedrockConverse"
)

// Operation is one call of a dialect: what the app asked of us, and what is
// asked of a provider.
type Operation struct {
	Dialect Dialect
	// Path is the path below /v1, for example "/chat/completions".
	Path string
	// Whole marks an operation that only an entry of the same dialect can
	// answer, because it has no equivalent in another one.
	Whole bool
	// Method is the HTTP method; empty: POST.
	Method string
	// Pass marks an operation whose bodies are not looked at, and Stateful one
	// that is about something that lives at one provider.
	Pass, Stateful bool
}

// The operations.
var (
	ChatCompletions = Operation{Dialect: OpenAIChat, Path: "/chat/completions"}
	Responses       = Operation{Dialect: OpenAIResponses, Path: "/responses"}
	Embeddings      = Operation{Dialect: OpenAIEmbeddings, Path: "/embeddings", Whole: true}
	Messages        = Operation{Dialect: AnthropicMessages, Path: "/messages"}
	CountTokens     = Operation{Dialect: AnthropicMessages, Path: "/messages/count_tokens", Whole: true}
	// Those of dialects that only entries speak. The endpoint makes the real
	// path of the call's model.
	GenerateContent = Operation{Dialect: Gemini, Path: "/generateContent"}
	Converse        = Operation{Dialect: BedrockConverse, Path: "/converse"}
)

// How the ids of responses begin that were translated from another dialect, and
// those of their items. No provider has them, so no provider is asked about them.
const (
	OwnResponse = "resp_us_"
	OwnMessage  = "msg_us_"
	OwnCall     = "fc_us_"
)

// Stores reports an operation whose path also names what it has stored.
func (o Operation) Stores() bool { return o == ChatCompletions || o == Responses }

// unaryOnly reports an operation that has no streamed form, whatever `stream`
// in its body says.
func (o Operation) unaryOnly() bool { return o == Embeddings || o == CountTokens }

// OperationOf finds the operation of a path below /v1.
func OperationOf(path string) (Operation, bool) {
	for _, op := range []Operation{ChatCompletions, Responses, Embeddings, Messages, CountTokens} {
		if op.Path == path {
			return op, true
		}
	}
	return Operation{}, false
}

// Dialects is the knowledge of wire formats that package dialect supplies.
// Implementations are safe for concurrent use and hold no state.
type Dialects interface {
	// Format returns the rules of one dialect, or nil if it is unknown.
	Format(Dialect) Format
	// Translate prepares one request of the app's dialect `from` for an entry
	// that speaks `to`. The error is an *IneligibleError where the request
	// cannot be carried, and any other error where the body is not a request
	// of `from`.
	Translate(from, to Dialect, body []byte, o TranslateOptions) (Translation, error)
}

// TranslateOptions are the facts of an entry that a translation depends on.
type TranslateOptions struct {
	Model string // what the entry is asked for
	Quirks
	// Fidelity is the chain's; empty: Balanced.
	Fidelity Fidelity
}

// Fidelity says how much a translation may lose before the entry is skipped.
type Fidelity string

// The degrees.
const (
	Strict   Fidelity = "Strict"   // nothing that would be worth a note
	Balanced Fidelity = "Balanced" // what the app's code does not rely on
	Lenient  Fidelity = "Lenient"  // shapes and guarantees, too, but no content
)

// Quirks are what a server expects of a translated request beyond its dialect.
// The zero value is the dialect as its inventor speaks it.
type Quirks struct {
	// MaxTokensField is the name for the limit of an answer in Chat:
	// "max_completion_tokens" (OpenAI) or "max_tokens" (the others). Empty:
	// "max_completion_tokens".
	MaxTokensField string
	// OpenAI marks a server that takes whatever OpenAI's own takes: files,
	// safety identifiers, service tiers.
	OpenAI bool
	// Refused are the optional members of a request that the server does not
	// take; they are left out.
	Refused []string
	// ToolIDs is the form of the ids of tool calls; empty: the dialect's.
	ToolIDs ToolIDs
	// StreamUsage is how the token counts of a stream are had.
	StreamUsage StreamUsage
	// ModelInPath tells that a call cannot be addressed without a model.
	ModelInPath bool
}

// ToolIDs is a form of the ids of tool calls.
type ToolIDs string

// Mistral9 is exactly nine letters and digits.
const Mistral9 ToolIDs = "mistral9"

// StreamUsage says when a server tells the token counts of a stream.
type StreamUsage uint8

// The ways.
const (
	UsageOnRequest StreamUsage = iota // when stream_options asks for them
	UsageAlways                       // without being asked; stream_options is refused
	UsageNever                        // never; stream_options is refused
)

// Format knows one wire format as far as the walk needs it: what a stream's
// event means, whether a whole answer is one, and how an error is written.
type Format interface {
	Dialect() Dialect
	// Progress tells what one complete event of a stream means.
	Progress(ev Event) Progress
	// CheckAnswer tells whether a unary 2xx body is an answer. The second
	// result is false for an empty body, a body that is not JSON, one with a
	// top-level error, and one without any choice or content and without a
	// reason for that; faults F37, F38 and F40.
	CheckAnswer(body []byte) (Usage, bool)
	// ErrorBody writes an error as the dialect's JSON error object.
	ErrorBody(e AppError) []byte
	// ErrorEvent writes an error as the dialect's complete stream event or
	// events, blank line included.
	ErrorEvent(e AppError) []byte
	// Closing returns what completes a stream whose finish reason was seen
	// but whose terminal event the provider left out; nil where a missing
	// terminal event means truncation whatever came before.
	Closing() []byte
}

// Translation carries one request and its answer between two dialects.
// It belongs to one attempt and is not safe for concurrent use.
type Translation interface {
	// Body is the request in the entry's dialect.
	Body() []byte
	// Degraded names what was lost, for the x-understudy-degraded header.
	Degraded() Degraded
	// Answer translates a whole unary answer that CheckAnswer of the entry's
	// format accepted.
	Answer(body []byte) ([]byte, error)
	// Stream starts the translation of a streamed answer.
	Stream() StreamTranslation
}

// StreamTranslation turns the events of the entry's stream into events of the
// app's dialect. It is a state machine without I/O.
type StreamTranslation interface {
	// Feed appends to dst the app's events that one upstream event makes, and
	// tells what they mean to the app's stream: Content where at least one of
	// them carries a payload, Finished only where the app's stream is complete.
	// An upstream error event gives Failed and appends nothing.
	Feed(dst []byte, ev Event) ([]byte, Progress)
	// Finish is called when the upstream ended properly at the HTTP level. It
	// appends what completes the app's stream; ok is false where the answer
	// was truncated.
	Finish(dst []byte) (out []byte, ok bool)
	// Fail appends what ends the app's stream with an error. ok is false where
	// the dialect has nothing better for it than ErrorEvent of its Format.
	Fail(dst []byte, e AppError) (out []byte, ok bool)
}

// Degraded lists the fields of a request that a translation could not carry as
// they were.
type Degraded struct {
	Dropped      []string
	Approximated []string
}

// String gives the value of the x-understudy-degraded header; empty where
// nothing was lost.
func (d Degraded) String() string {
	var parts []string
	if len(d.Dropped) > 0 {
		parts = append(parts, "dropped="+strings.Join(d.Dropped, ","))
	}
	if len(d.Approximated) > 0 {
		parts = append(parts, "approximated="+strings.Join(d.Approximated, ","))
	}
	return strings.Join(parts, "; ")
}

// IneligibleError says that an entry cannot serve a request faithfully, which
// is nobody's fault.
type IneligibleError struct {
	Field  string // the request's field, for example "messages[2].content[0].file_id"
	Reason string // one clause: "provider-bound file ids cannot be sent elsewhere"
}

// Error implements error.
func (e *IneligibleError) Error() string { return e.Field + ": " + e.Reason }

// ProgressKind is what one event means to a stream.
type ProgressKind uint8

// The kinds of progress.
const (
	// Lifecycle events carry nothing the app acts on (role chunk,
	// message_start, pings, comments); they are held until the commit.
	Lifecycle ProgressKind = iota
	// Content is the first kind that commits the answer.
	Content
	// Ending is content that carries the reason why the answer ends; a
	// terminal event may still follow.
	Ending
	// Finished is the dialect's terminal event.
	Finished
	// Failed is the dialect's error event.
	Failed
	// Malformed is an event that is not JSON where JSON is due.
	Malformed
)

// Progress is the meaning of one event.
type Progress struct {
	Kind  ProgressKind
	Usage Usage // filled where the event carries token counts
}

// Usage counts the tokens of one answer. Input includes cached tokens.
type Usage struct {
	Input, CachedInput, Output int64
}

// AppError is an error on its way to the app, free of dialect.
type AppError struct {
	Status  int    // HTTP status
	Class   Class  // decides the dialect's type and code
	Message string // one sentence
	// Type and Code are the provider's own words where the error is a
	// provider's; empty for our own errors.
	Type, Code, Param string
	// Providers lists why each entry could not answer, in chain order.
	Providers []ProviderReason
}

// ProviderReason says in one word why one entry did not answer.
type ProviderReason struct {
	Provider string `json:"provider"`
	Reason   Class  `json:"reason"`
}
