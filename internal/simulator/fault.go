package simulator

import (
	"net/http"
	"strings"
	"time"
)

// Effect is what a fault does to the answer.
type Effect string

// The effects. "Content events" are the events of a stream that carry a piece of the answer: not the role chunk, not
// message_start, not a ping, not the finish. An effect that counts them ([Fault.After]) acts before content event
// number After+1, or before the finish of a shorter answer, so that After 0 means "after the prelude, before any
// content". Where the answer is unary, an effect that acts in the middle acts after half of the body.
const (
	// Respond answers Status, Header and Body instead of the real answer.
	Respond Effect = "respond"
	// Hang sends nothing, not even headers, for Delay (0: until the client leaves), and then answers normally.
	Hang Effect = "hang"
	// HangAfterHeaders sends the status and headers, is silent for Delay (0: until the client leaves), and then goes
	// on normally.
	HangAfterHeaders Effect = "hang-after-headers"
	// KeepAlives sends the headers and then only comments (OpenAI), pings (Anthropic) or blank lines (unary) for
	// Delay (0: until the client leaves), and then goes on normally.
	KeepAlives Effect = "keep-alives"
	// SlowFirstToken sends the prelude, and the first content only after Delay (0: never).
	SlowFirstToken Effect = "slow-first-token"
	// Drip waits Delay before each content event.
	Drip Effect = "drip"
	// Stall is silent for Delay (0: until the client leaves) after After content events, and then goes on.
	Stall Effect = "stall"
	// Close ends the connection in an orderly way before any byte of an answer.
	Close Effect = "close"
	// Reset sends a TCP RST (a RST_STREAM on HTTP/2) before any byte of an answer.
	Reset Effect = "reset"
	// ResetAfterHeaders sends status and headers and then resets.
	ResetAfterHeaders Effect = "reset-after-headers"
	// ResetMidStream resets after After content events.
	ResetMidStream Effect = "reset-mid-stream"
	// Cut ends the body cleanly after After content events: no finish, no terminal event, no HTTP-level error.
	Cut Effect = "cut"
	// CutMidEvent is Cut inside the JSON of a content event.
	CutMidEvent Effect = "cut-mid-event"
	// ErrorEvent sends the dialect's error event for Status after After content events, and ends. Streams only.
	ErrorEvent Effect = "error-event"
	// Malformed sends one event that is not JSON after After content events, and goes on. Streams only.
	Malformed Effect = "malformed"
	// NoTerminal leaves out [DONE] or message_stop; finish_reason or stop_reason is sent. A Responses stream, whose
	// finish is its terminal event, ends without response.completed. Streams only.
	NoTerminal Effect = "no-terminal"
	// HoldOpen sends the whole answer and does not end the body for Delay (0: until the client leaves).
	HoldOpen Effect = "hold-open"
	// DoubleTerminal sends the terminal event twice. Streams only.
	DoubleTerminal Effect = "double-terminal"
	// EmptyAnswer answers 200 in the right shape with nothing in it: choices, output or content is [], and there is no
	// finish or stop reason. A stream has its prelude and its terminal event only.
	EmptyAnswer Effect = "empty-answer"
	// ShortBody announces a longer Content-Length than it sends.
	ShortBody Effect = "short-body"
	// Oddities adds what is legal and must not be taken for a fault: comments, a chunk with empty choices (OpenAI) or
	// an event of an unknown type (Anthropic). Streams only.
	Oddities Effect = "oddities"
	// CRLF ends the lines of the stream with CR LF. Streams only.
	CRLF Effect = "crlf"
)

// Scope of a fault by the form of the answer.
const (
	OnlyStreams = "streams"
	OnlyUnary   = "unary"
)

// Fault says which requests fail, and how. The zero value of each scope field means every request.
type Fault struct {
	// Name is shown by the admin interface and kept in records. The catalogue's names are for [Lookup].
	Name string

	// Model limits the fault to requests for this model.
	Model string
	// Key limits the fault to requests with this key, by its name: key-1 is the first of [ProviderConfig.Keys].
	Key string
	// Path limits the fault to paths that end in this, such as /chat/completions.
	Path string
	// Only limits the fault to [OnlyStreams] or [OnlyUnary].
	Only string
	// Skip leaves the first Skip matching requests healthy.
	Skip int
	// Times ends the fault after so many failed requests. 0: no end.
	Times int
	// Every makes only each Every-th matching request fail. 0 and 1: all.
	Every int
	// For ends the fault this long after it was set. 0: no end.
	For time.Duration

	// Effect is what happens. Required.
	Effect Effect
	// Status of [Respond] (default 500), and the status whose error an [ErrorEvent] carries (default the overload of
	// the kind: 529 for Anthropic, else 503).
	Status int
	// Header is added to the answer, also to the answers of the other effects. An empty value removes the header.
	Header map[string]string
	// Body of a [Respond], or the data of an [ErrorEvent] or [Malformed] event. {{model}} and {{request_id}} are
	// replaced. Empty: what the provider sends with Status.
	Body string
	// NoBody makes [Respond] send no body at all.
	NoBody bool
	// Type, Code and Message replace those of the provider's error for Status where Body is empty.
	Type, Code, Message string
	// After counts the content events that precede the effect.
	After int
	// Delay is the length of the effect; see the effects.
	Delay time.Duration
}

// instead reports whether the fault answers in place of the provider's own logic, before its checks.
func (f *Fault) instead() bool {
	switch f.Effect {
	case Respond, Close, Reset, ResetAfterHeaders:
		return true
	case Hang, HangAfterHeaders, KeepAlives:
		return f.Delay == 0
	}
	return false
}

// streamsOnly reports whether the effect has no meaning for a unary answer.
func (f *Fault) streamsOnly() bool {
	switch f.Effect {
	case ErrorEvent, Malformed, NoTerminal, DoubleTerminal, Oddities, CRLF, BadChecksum:
		return true
	}
	return false
}

// activeFault is a fault that was set on a provider. Guarded by the provider's lock.
type activeFault struct {
	Fault
	since time.Time
	seen  int // Requests in scope so far.
	hits  int // Requests that failed by it.
}

// expired reports whether no request can meet the fault any more.
func (a *activeFault) expired(now time.Time) bool {
	return a.For > 0 && !now.Before(a.since.Add(a.For)) || a.Times > 0 && a.hits >= a.Times
}

// covers reports whether the request is in the fault's scope.
func (a *activeFault) covers(x *exchange) bool {
	switch {
	case a.Model != "" && a.Model != x.model,
		a.Key != "" && a.Key != x.key,
		a.Path != "" && !strings.HasSuffix(x.path, a.Path),
		a.Only == OnlyStreams && !x.stream,
		a.Only == OnlyUnary && x.stream,
		a.streamsOnly() && !x.stream:
		return false
	}
	return true
}

// due counts a request in scope and reports whether it is one that fails.
func (a *activeFault) due() bool {
	a.seen++
	n := a.seen - a.Skip
	if n <= 0 || a.Every > 1 && n%a.Every != 0 {
		return false
	}
	a.hits++
	return true
}

// applyHeaders puts the fault's headers over those of the answer.
func (f *Fault) applyHeaders(h http.Header) {
	for name, value := range f.Header {
		if value == "" {
			h.Del(name)
			continue
		}
		h.Set(name, value)
	}
}
