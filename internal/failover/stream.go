package failover

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"
)

// streamBody is a streamed answer in the app's dialect, from its first held
// event to its last. It reads, splits, understands and hands on in the
// request's own goroutine; the attempt's timer is the only other one.
type streamBody struct {
	attempt *attempt
	app     Format // of the app's dialect
	trans   StreamTranslation
	split   Splitter
	out     []byte // what is ready for the app
	report  RequestReport

	busy      bool // the last read was filled
	contented bool // the commit's content has come
	ending    bool // the reason for the end has come
	finished  bool // the terminal event has come
	failure   []byte
	failed    bool // the provider's error event has come; its data is failure
	found     bool // that it failed is the translation's own finding, not an error event
	usage     Usage
	malformed int

	verdict Verdict // how it ended; class OK for a complete answer
	ended   bool
	until   time.Time // when the wait for the end of a complete answer's body is over
}

// What one read asks for: little at first, because tokens are small and a
// larger buffer would only sit there while a stream is idle; more once a read
// was filled.
const (
	readSmall = 1 << 10
	readLarge = 4 << 10
)

// errLinger ends the wait for the end of a body whose answer is complete.
var errLinger = errors.New("the answer is complete and its body does not end")

// linger is how long that wait is.
const linger = time.Second

func newStreamBody(a *attempt) *streamBody {
	b := &streamBody{attempt: a, app: a.w.engine.dialects.Format(a.w.req.Operation.Dialect)}
	if a.plan.translation != nil {
		b.trans = a.plan.translation.Stream()
	}
	return b
}

// hold reads until the first content. It returns what went wrong before it, or
// nil: then b.out holds everything up to it, unchanged and in order.
func (b *streamBody) hold() *Evidence {
	ev := func(err error) *Evidence {
		return &Evidence{Status: b.attempt.resp.StatusCode, Header: b.attempt.resp.Header, Body: b.failure, Err: err}
	}
	for !b.contented {
		err := b.read()
		b.drain()
		// What came in one read was not seen by the app yet, so a fault right
		// behind the first content can still be a failover.
		switch {
		case b.failed && b.found:
			return ev(errEmpty)
		case b.failed:
			return ev(errInBand)
		case errors.Is(err, io.EOF) && (b.contented && b.finished || b.complete()):
			b.contented, b.finished = true, true
		case errors.Is(err, io.EOF) && len(b.out) == 0 && b.malformed == 0:
			return ev(errEmpty)
		case errors.Is(err, io.EOF) && b.malformed == 0:
			return ev(errTruncated)
		case err != nil && !errors.Is(err, io.EOF):
			return ev(err)
		case b.contented:
		case b.malformed > 0:
			return ev(b.kindOfGarbage())
		case b.finished:
			return ev(errEmpty)
		case len(b.out) > maxHeld:
			return ev(errContent)
		}
	}
	return nil
}

// kindOfGarbage tells a page from a broken stream.
func (b *streamBody) kindOfGarbage() error {
	if looksLikeHTML(b.attempt.resp.Header, b.failure) {
		return errHTML
	}
	return errContent
}

// read takes one read's worth of bytes from the provider.
func (b *streamBody) read() error {
	size := readSmall
	if b.busy {
		size = readLarge
	}
	room, err := b.split.Space(size)
	if err != nil {
		return err
	}
	n, err := b.attempt.resp.Body.Read(room)
	b.busy = n == len(room)
	b.split.Wrote(n)
	if errors.Is(err, io.EOF) {
		b.split.Close()
	}
	return err
}

// drain moves every complete event that was read to b.out.
func (b *streamBody) drain() {
	for {
		ev, ok := b.split.Next()
		if !ok || b.failed {
			return
		}
		b.take(ev)
	}
}

// take handles one event of the provider.
func (b *streamBody) take(ev Event) {
	var p Progress
	if b.trans != nil {
		b.out, p = b.trans.Feed(b.out, ev)
	} else if p = b.attempt.format.Progress(ev); p.Kind != Malformed {
		b.out = append(b.out, ev.Raw...)
	}
	b.count(p.Usage)
	switch p.Kind {
	case Content:
		b.contented = true
	case Ending:
		b.contented, b.ending = true, true
	case Finished:
		b.finished = true
		// A Responses stream's last event holds the whole answer, and a
		// translation finishes only what is complete; the last event of the
		// others says nothing by itself.
		b.contented = b.contented || b.trans != nil || b.app.Dialect() == OpenAIResponses
	case Failed:
		b.failed, b.failure = true, bytes.Clone(ev.Data)
		if len(b.failure) == 0 { // an error outside of any event
			b.failure = bytes.Clone(ev.Raw)
		}
		b.found = b.attempt.format.Progress(ev).Kind != Failed
	case Malformed:
		if b.malformed++; !b.contented {
			b.failure = bytes.Clone(ev.Raw)
		}
	}
}

// count keeps the last counts: providers repeat them, cumulatively.
func (b *streamBody) count(u Usage) {
	b.usage.Input = or(u.Input, b.usage.Input)
	b.usage.CachedInput = or(u.CachedInput, b.usage.CachedInput)
	b.usage.Output = or(u.Output, b.usage.Output)
}

// next implements answerBody. Its first call returns what was held. The timer
// runs while the provider is waited for, and not while the app takes its time.
func (b *streamBody) next() ([]byte, error) {
	for len(b.out) == 0 || b.ended {
		if b.ended {
			return nil, b.end()
		}
		b.arm()
		err := b.read()
		b.drain()
		if b.failed || err != nil {
			b.conclude(err)
			out := b.out
			b.out = nil
			return out, b.end()
		}
	}
	b.attempt.timer.stop()
	out := b.out
	b.out = b.out[:0]
	return out, nil
}

// arm gives the next read its time: a complete answer's body has a second in
// all to end.
func (b *streamBody) arm() {
	t := b.attempt.timer
	if !b.finished {
		t.again(b.attempt.entry.cfg.Timeouts.Idle)
		return
	}
	if b.until.IsZero() {
		b.until = time.Now().Add(linger)
	}
	t.next(time.Until(b.until), errLinger)
}

func (b *streamBody) end() error {
	b.ended = true
	if b.verdict.Class == OK {
		return io.EOF
	}
	return ErrAborted
}

// conclude decides how the stream ended, and appends what its end needs: the
// terminal event that the provider left out, or the dialect's error event.
func (b *streamBody) conclude(err error) {
	a := b.attempt
	switch {
	case b.failed:
		b.verdict = a.interruption(errInBand, Evidence{Status: a.resp.StatusCode, Body: b.failure})
		if b.trans == nil && b.saidSo() { // the provider's own error event has been passed on
			return
		}
	case b.finished:
		b.verdict = Verdict{Class: OK}
		return
	case errors.Is(err, io.EOF):
		if b.complete() {
			b.verdict = Verdict{Class: OK}
			return
		}
		b.verdict = a.interruption(errTruncated, Evidence{})
	default:
		b.verdict = a.interruption(err, Evidence{})
	}
	if a.appLeft() {
		return
	}
	e := AppError{Status: 502, Class: b.verdict.Class, Message: "The provider " + a.entry.cfg.Name + " broke off its answer (" + b.verdict.Detail + ")."}
	if errors.Is(context.Cause(a.w.ctx), ErrShutdown) {
		e.Message = "The sidecar is shutting down."
	}
	b.endEvent()
	b.tell(e)
}

// tell ends the app's stream with an error.
func (b *streamBody) tell(e AppError) {
	if b.trans != nil {
		var ok bool
		if b.out, ok = b.trans.Fail(b.out, e); ok {
			return
		}
	}
	b.out = append(b.out, b.app.ErrorEvent(e)...)
}

// saidSo reports whether the event that failed the stream is an error to the
// app as well: a Chat chunk whose finish_reason is "error" is none.
func (b *streamBody) saidSo() bool {
	return b.app.Dialect() != OpenAIChat || RawJSON(bytes.TrimSpace(b.failure)).Member("error").Present()
}

// endEvent completes a last event that came without its blank line, before
// another one follows.
func (b *streamBody) endEvent() {
	if len(b.out) > 0 && !bytes.HasSuffix(b.out, []byte("\n\n")) && !bytes.HasSuffix(b.out, []byte("\r\n\r\n")) && !bytes.HasSuffix(b.out, []byte("\r\r")) {
		b.out = append(b.out, "\n\n"...)
	}
}

// complete handles a body that ended properly at the HTTP level.
func (b *streamBody) complete() bool {
	if b.trans != nil {
		out, ok := b.trans.Finish(b.out)
		if ok {
			b.out = out
		}
		return ok
	}
	closing := b.app.Closing()
	if b.ending && closing != nil {
		b.endEvent()
		b.out = append(b.out, closing...)
		return true
	}
	return false
}

// close implements answerBody.
func (b *streamBody) close(abandoned bool) {
	a := b.attempt
	a.close()
	outcome := Succeeded
	switch {
	case abandoned && !b.ended && !b.finished, a.appLeft() && b.verdict.Class != OK:
		b.verdict, outcome = Verdict{Class: ClientClosed, Blame: Nobody}, Canceled
	case abandoned && !b.ended:
		b.verdict = Verdict{Class: OK}
	case b.verdict.Class != OK:
		outcome = Interrupted
	}
	a.permit.Done(b.verdict)
	a.w.report(a.entry, a, b.verdict)
	b.report.Usage, b.report.Malformed = b.usage, b.malformed
	a.w.finishAnswered(b.report, outcome)
}
