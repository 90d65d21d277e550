package neutral

import "github.com/understudy-dev/understudy/internal/failover"

// Answer is one whole answer.
type Answer struct {
	ID, Model string
	Blocks    []Block // Text, Refusal and ToolCall
	Finish    Finish
	Usage     Usage
	Echo      []Param // what the app's dialect repeats of the request
}

// Finish tells why an answer ended.
type Finish struct {
	Reason Reason
	// Explanation is the provider's sentence about a refusal; may be empty.
	Explanation string
}

// Reason is why an answer ended.
type Reason uint8

// The reasons. Whether tools were called is told by the calls themselves, see
// Settle: several servers say "stop" after a call.
const (
	Unfinished Reason = iota
	Stopped
	Length
	ToolCalls
	Filtered
)

// Settle corrects the reason by what the answer holds.
func (f Finish) Settle(called, refused bool) Finish {
	switch {
	case refused && f.Reason != Length:
		f.Reason = Filtered
	case f.Reason == Stopped || f.Reason == ToolCalls || f.Reason == Unfinished:
		f.Reason = Stopped
		if called {
			f.Reason = ToolCalls
		}
	}
	return f
}

// Usage counts tokens. Input includes what was read from and written to a
// cache, Output includes Reasoning.
type Usage struct {
	Known                                           bool // the provider counted
	Input, CacheRead, CacheWrite, Output, Reasoning int64
}

// Count gives the figures that the walk accounts for.
func (u Usage) Count() failover.Usage {
	return failover.Usage{Input: u.Input, CachedInput: u.CacheRead, Output: u.Output}
}

// EventKind is what an event adds to an answer.
type EventKind uint8

// The kinds of events, in their usual order. Start comes first and Done last,
// each once; only UsageKnown may come at any time before Done. A call has one CallStart, any number of CallDelta and one
// CallEnd; calls may overlap.
const (
	Start     EventKind = iota // ID, Model and Echo
	TextDelta                  // Text
	RefusalDelta
	CallStart  // Call, ID, Name, Signature
	CallDelta  // Call, Text: a fragment of the arguments, never empty
	CallEnd    // Call
	UsageKnown // Usage, cumulative
	Done       // Finish, settled
)

// Event is one step of a streamed answer.
type Event struct {
	Kind      EventKind
	ID, Model string
	Name      string
	Call      int // ordinal of the call in the answer, from 0
	Signature string
	Text      string
	Finish    Finish
	Usage     Usage
	Echo      []Param // as in Answer; the translation fills it in
}

// StreamDecoder turns the events of a provider's stream into neutral ones.
type StreamDecoder interface {
	// Decode appends what one event means. The kind is Failed for the
	// provider's error event and Malformed for an event that cannot be
	// understood; nothing is appended then. Otherwise it is Lifecycle.
	Decode(dst []Event, ev failover.Event) ([]Event, failover.ProgressKind)
	// End is called when the stream ended properly at the HTTP level; ok is
	// false where the answer was cut.
	End(dst []Event) (out []Event, ok bool)
}

// StreamEncoder turns neutral events into the app's.
type StreamEncoder interface {
	// Encode appends the events of one neutral event; payload tells whether
	// one of them carries content or the reason of the end.
	Encode(dst []byte, ev Event) (out []byte, payload bool)
}

// Failer is a StreamEncoder whose dialect ends a broken stream with an event
// that depends on what came before.
type Failer interface {
	// Fail appends the last event of a stream that begun and broke off.
	Fail(dst []byte, e failover.AppError) []byte
}
