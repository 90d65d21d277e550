// Package neutral is the one form between dialects: what a request asks, what
// an answer says, and what the events of a stream add to it, free of any wire
// format. Every dialect decodes into it and encodes from it.
//
// Values that no dialect interprets (tool arguments, schemas, numbers of
// sampling) stay raw JSON, so that no digit is lost. They point into the body
// that was decoded, and a request must not outlive it.
package neutral

import "github.com/understudy-dev/understudy/internal/failover"

// Request is one call of an app.
type Request struct {
	Stream bool
	// StreamUsage tells that the app wants token counts on its stream.
	StreamUsage bool

	System []Block // text before the first turn
	Turns  []Turn  // in order; same roles may follow each other
	Tools  []Tool
	Choice Choice
	// SerialCalls forbids several tool calls in one answer.
	SerialCalls bool

	MaxTokens int64 // limit of the answer; 0: none
	Stop      Stop
	Format    *Format // nil: free text
	User      Param   // a string that identifies the app's end user

	// What the app set, raw; the zero value where it set nothing.
	Temperature, TopP, TopK                         Param
	FrequencyPenalty, PresencePenalty, Seed, Biases Param
	Count, Logprobs                                 Param // number of choices; probabilities
	Verbosity, ServiceTier                          Param

	Reasoning Reasoning

	// Echo are the members of the app's request that its answers repeat, as
	// compact JSON.
	Echo []Param
}

// Param is a value with the name that it has in the app's dialect, for notes
// and refusals.
type Param struct {
	Field string
	Value failover.RawJSON
}

// Set reports whether the app gave a value.
func (p Param) Set() bool { return p.Value.Present() }

// Stop is the list of texts that end an answer.
type Stop struct {
	Field     string
	Sequences []string
}

// Role is who speaks a turn.
type Role uint8

// The roles. System is an instruction between turns.
const (
	User Role = iota
	Assistant
	System
)

// Turn is what one side said, or one message of it.
type Turn struct {
	Field  string // "messages[2]"
	Role   Role
	Blocks []Block
}

// Kind is what a block holds.
type Kind uint8

// The kinds of blocks.
const (
	Text Kind = iota
	Refusal
	Image
	Document
	ToolCall
	ToolResult
)

// Block is one piece of content. Which members count depends on the kind.
type Block struct {
	Field string // "messages[2].content[0]"
	Kind  Kind
	// Text, Refusal.
	Text string
	// Cache marks the end of a prefix that is worth caching.
	Cache bool
	// Image, Document.
	Media Media
	// ToolCall.
	Call Call
	// ToolResult.
	Result Result
}

// Media is a picture or a document, by value or by address.
type Media struct {
	Type string // media type, for example "image/png"
	Data string // base64
	URL  string // where there is no data
	Name string // title or file name of a document
}

// Call is a call of a tool by the model.
type Call struct {
	ID, Name string
	// Arguments is the text of one JSON object, "" for none, or whatever else
	// a model wrote.
	Arguments string
	// Signature proves to a Gemini model what it thought before the call;
	// base64, empty for none. It means nothing to any other provider.
	Signature string
}

// Result is what a tool gave back.
type Result struct {
	CallID  string
	Content []Block // Text, Image and Document
	IsError bool
}

// Tool is a function that the model may call.
type Tool struct {
	Field             string // "tools[0]"
	Name, Description string
	Schema            failover.RawJSON // JSON schema of the arguments; nil: none
	Strict            bool
	Cache             bool // as of a Block
}

// Mode is how free the model is to call tools.
type Mode uint8

// The modes. Unset leaves the provider's default.
const (
	Unset Mode = iota
	Auto
	None
	Required
	Named
)

// Choice is a mode and, for Named, the tool that must be called.
type Choice struct {
	Mode Mode
	Name string
}

// Format asks for an answer that is JSON. Without a schema any object will do.
type Format struct {
	Field  string
	Name   string
	Schema failover.RawJSON
	Strict bool
}

// Target is what an encoder knows of the entry.
type Target struct {
	Model string
	failover.Quirks
	Caps Caps // of the model
}
