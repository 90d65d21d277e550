package simulator

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// phase says what a stream's event is to the faults.
type phase int

const (
	prelude   phase = iota // Before any content: role chunk, message_start.
	content                // A piece of the answer.
	frame                  // Between contents: starts and stops of blocks.
	closing                // The finish and the usage.
	terminal               // [DONE], message_stop, response.completed.
	exception              // An error that Bedrock sends in place of an event.
)

// event is one server-sent event. Without a name it has a data line only.
type event struct {
	name, data string
	phase      phase
}

// reply is a whole answer, in the form that was asked for.
type reply struct {
	unary  string
	events []event
	empty  string // The answer without any content, for [EmptyAnswer].
	// emptyEnd is the terminal event of an empty stream, where that event has content.
	emptyEnd event
	odd      event // A legal but unusual event, for [Oddities].
	tokens   int   // Content events that a unary answer would have had.
}

// play sends the answer with the fault's effect.
func (x *exchange) play(a reply) error {
	f := x.fault
	if f.Effect == HangAfterHeaders || f.Effect == KeepAlives {
		if err := x.silence(f.Delay); err != nil {
			return err
		}
	}
	if f.Effect == EmptyAnswer {
		a.unary, a.events = a.empty, emptied(a)
	}
	if x.stream {
		return x.playStream(a)
	}
	return x.playUnary(a)
}

// emptied returns the events of an answer without content and finish.
func emptied(a reply) []event {
	var out []event
	for _, ev := range a.events {
		switch {
		case ev.phase == terminal && a.emptyEnd.data != "":
			out = append(out, a.emptyEnd)
		case ev.phase == prelude, ev.phase == terminal:
			out = append(out, ev)
		}
	}
	return out
}

// playUnary sends the answer as one JSON body.
func (x *exchange) playUnary(a reply) error {
	f := x.fault
	if err := x.wait(time.Duration(a.tokens) * x.p.sim.opts.TokenDelay); err != nil {
		return err
	}
	half := len(a.unary) / 2
	switch f.Effect {
	case SlowFirstToken:
		if err := x.wait(orForever(f.Delay)); err != nil {
			return err
		}
	case Drip:
		if err := x.wait(time.Duration(a.tokens) * f.Delay); err != nil {
			return err
		}
	case ShortBody:
		x.w.Header().Set("Content-Length", strconv.Itoa(len(a.unary)+512))
	case Stall, ResetMidStream, Cut, CutMidEvent:
		x.header(http.StatusOK, x.contentType())
		if err := x.write(a.unary[:half]); err != nil {
			return err
		}
		switch f.Effect {
		case ResetMidStream:
			return x.disconnect(true)
		case Cut, CutMidEvent:
			x.complete = true
			return nil
		}
		if err := x.wait(orForever(f.Delay)); err != nil {
			return err
		}
		return x.finish(a.unary[half:])
	}
	x.header(http.StatusOK, x.contentType())
	if f.Effect == HoldOpen {
		return x.holdOpen(a.unary)
	}
	return x.finish(a.unary)
}

// playStream sends the answer as server-sent events.
func (x *exchange) playStream(a reply) error {
	f := x.fault
	switch f.Effect {
	case ShortBody:
		x.w.Header().Set("Content-Length", strconv.Itoa(1<<20))
	case CRLF:
		x.eol = "\r\n"
	}
	x.header(http.StatusOK, x.contentType())
	x.flush()
	sent, fired := 0, false
	for _, ev := range a.events {
		if !fired && (ev.phase == content && sent >= f.After || ev.phase >= closing) {
			fired = true
			if over, err := x.middle(a, ev); over || err != nil {
				return err
			}
		}
		if ev.phase == content {
			if err := x.wait(x.p.sim.opts.TokenDelay + x.drip()); err != nil {
				return err
			}
			sent++
		}
		if ev.phase == terminal && f.Effect == NoTerminal {
			continue
		}
		if err := x.write(x.encode(ev)); err != nil {
			return err
		}
		if ev.phase == terminal && f.Effect == DoubleTerminal {
			if err := x.write(x.encode(ev)); err != nil {
				return err
			}
		}
	}
	if f.Effect == HoldOpen {
		return x.holdOpen("")
	}
	x.complete = true
	return nil
}

// drip is the extra pause before each content event.
func (x *exchange) drip() time.Duration {
	if x.fault.Effect == Drip {
		return x.fault.Delay
	}
	return 0
}

// holdOpen sends the last piece and keeps the body open. The answer is complete with the piece, so that a client that
// leaves afterwards has cancelled nothing.
func (x *exchange) holdOpen(last string) error {
	if err := x.write(last); err != nil {
		return err
	}
	x.complete = true
	return x.wait(orForever(x.fault.Delay))
}

// middle plays an effect in the middle of a stream, before the event next. It reports whether the answer is over.
func (x *exchange) middle(a reply, next event) (over bool, err error) {
	f := x.fault
	switch f.Effect {
	case SlowFirstToken, Stall:
		return false, x.wait(orForever(f.Delay))
	case ResetMidStream:
		return true, x.disconnect(true)
	case Cut:
		x.complete = true
		return true, nil
	case CutMidEvent:
		whole := x.encode(next)
		if err := x.write(whole[:len(whole)*2/3]); err != nil {
			return true, err
		}
		x.complete = true
		return true, nil
	case ErrorEvent:
		if err := x.write(x.encode(x.errorEvent())); err != nil {
			return true, err
		}
		x.complete = true
		return true, nil
	case Malformed:
		data := f.Body
		if data == "" {
			data = next.data[:len(next.data)/2]
		}
		return false, x.write(x.encode(event{name: next.name, data: data}))
	case BadChecksum:
		return false, x.write(spoiled(x.encode(next)))
	case Oddities:
		if x.p.config.Kind == Bedrock {
			return false, x.write(x.encode(a.odd))
		}
		return false, x.write(": a comment" + x.eol + x.eol + x.encode(a.odd))
	}
	return false, nil
}

// errorEvent is the dialect's error event of the fault.
func (x *exchange) errorEvent() event {
	f, kind := x.fault, x.p.config.Kind
	status := f.Status
	if status == 0 {
		status = 529
		if kind != Anthropic {
			status = http.StatusServiceUnavailable
		}
	}
	e := f.errorFor(kind, status)
	if kind == Bedrock {
		return exceptionFor(e)
	}
	ev := event{data: e.body(kind)}
	switch {
	case kind == Anthropic:
		ev.name = "error"
	case strings.HasSuffix(x.path, "/responses"):
		ev.name, ev.data = "error", e.responsesEvent()
	}
	if f.Body != "" {
		ev.data = f.Body
	}
	ev.data = x.fill(ev.data)
	return ev
}

// encode writes an event as it goes over the wire. Data never contains a line break.
func (x *exchange) encode(ev event) string {
	if x.p.config.Kind == Bedrock {
		return x.frame(ev)
	}
	var b strings.Builder
	if ev.name != "" {
		b.WriteString("event: " + ev.name + x.eol)
	}
	b.WriteString("data: " + ev.data + x.eol + x.eol)
	return b.String()
}
