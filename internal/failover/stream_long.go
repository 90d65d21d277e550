package failover

import (
	"errors"
	"io"
)

// streamLong commits a unary answer that is too long to be held. Its beginning
// must look like one: an object that does not say that it is an error.
func (a *attempt) streamLong(begun []byte) (*Answer, *fault) {
	start := RawJSON(begun[skipSpace(begun, 0):])
	wrong := a.plan.translation != nil || !start.IsObject()
	_ = EachMember(start, func(name []byte, value RawJSON) bool {
		wrong = wrong || string(name) == "error" && value.Present()
		return true
	})
	if wrong {
		return nil, a.fail(Evidence{Err: errContent})
	}
	a.permit.Commit()
	a.timer.stop() // until it is read on
	ans := a.answer(a.resp.ContentLength)
	a.release()
	ans.body = &longBody{attempt: a, begun: begun, report: a.success(Usage{})}
	return ans, nil
}

// longBody is a unary answer too long to be held before its commit.
type longBody struct {
	attempt *attempt
	begun   []byte
	buf     []byte
	report  RequestReport
	verdict Verdict
	ended   bool // begun is all there is
}

func (b *longBody) next() ([]byte, error) {
	if out := b.begun; out != nil {
		b.begun = nil
		if b.ended {
			b.verdict = Verdict{Class: OK}
			return out, io.EOF
		}
		b.buf = make([]byte, 32<<10)
		return out, nil
	}
	a := b.attempt
	a.timer.next(a.entry.cfg.Timeouts.Idle, errIdle)
	n, err := a.resp.Body.Read(b.buf)
	a.timer.stop()
	switch {
	case errors.Is(err, io.EOF):
		b.verdict = Verdict{Class: OK}
	case err != nil:
		b.verdict, err = a.interruption(err, Evidence{}), ErrAborted
	}
	return b.buf[:n], err
}

func (b *longBody) close(abandoned bool) {
	outcome := Succeeded
	switch {
	case abandoned || b.attempt.appLeft() && b.verdict.Class != OK:
		b.verdict, outcome = Verdict{Class: ClientClosed, Blame: Nobody}, Canceled
	case b.verdict.Class != OK:
		outcome = Interrupted
	}
	b.attempt.close()
	b.attempt.permit.Done(b.verdict)
	b.attempt.w.report(b.attempt.entry, b.attempt, b.verdict)
	b.attempt.w.finishAnswered(b.report, outcome)
}
