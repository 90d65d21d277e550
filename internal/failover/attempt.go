package failover

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// attempt is one try of one entry: from the request sent to the commit or the
// fault. A committed stream keeps it until its end.
type attempt struct {
	w      *walk
	entry  *entry
	plan   plan
	permit Permit
	format Format // of the entry's dialect

	ctx       context.Context
	cancel    context.CancelCauseFunc
	timer     *stageTimer
	started   time.Time
	resp      *http.Response
	requestID string
}

// fault is a try that gave no answer.
type fault struct {
	verdict Verdict
	answer  *providerError // what the provider said, where it did
}

// Bounds of what is read whole.
const (
	// maxErrorAnswer bounds an error body that is handed to the app.
	maxErrorAnswer = 1 << 20
	// maxWhole bounds a unary answer that is read before it is committed; a
	// longer one (a large batch of embeddings) is committed and streamed.
	maxWhole = 16 << 20
	// maxHeld bounds what a stream may send before its first content.
	maxHeld = 1 << 20
	// errorBodyWait is how long the rest of an answer that is none may take.
	errorBodyWait = 5 * time.Second
)

func newAttempt(w *walk, e *entry, p plan, permit Permit) *attempt {
	a := &attempt{w: w, entry: e, plan: p, permit: permit, started: time.Now(), format: w.engine.dialects.Format(p.op.Dialect)}
	a.ctx, a.cancel = context.WithCancelCause(w.ctx)
	return a
}

// run makes the try. Exactly one of its results is set.
func (a *attempt) run() (*Answer, *fault) {
	head, cause := a.headLimit()
	d, cause := a.limit(head, cause, cause)
	a.timer = startStage(a.cancel, d, cause)
	resp, err := a.entry.endpoint.Send(a.ctx, Call{
		Operation: a.plan.op, Model: a.plan.model, Query: a.query(), Header: a.w.req.Header, Body: a.plan.body,
		Stream: a.w.shape.Stream, Credentials: a.plan.credentials, Translated: a.plan.translation != nil,
	})
	a.w.waited += time.Since(a.started)
	if err != nil {
		return nil, a.fail(Evidence{Err: err})
	}
	a.resp = resp
	a.requestID = or(resp.Header.Get("Request-Id"), resp.Header.Get("X-Request-Id"))
	readable := decode(resp)
	switch {
	case a.plan.op.Pass:
		return a.passed()
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return nil, a.refusedByProvider()
	case !readable:
		return nil, a.fail(Evidence{Err: errEncoding})
	case a.w.shape.Stream:
		return a.stream()
	}
	return a.unary()
}

func (a *attempt) query() string {
	if a.plan.translation != nil {
		return ""
	}
	return a.w.req.Query
}

// fail ends the try with what went wrong.
func (a *attempt) fail(ev Evidence) *fault {
	a.timer.stop()
	cause := context.Cause(a.ctx)
	switch {
	case a.appLeft(): // whatever else is in hand
		ev = Evidence{Err: context.Canceled}
	case cause != nil && ev.Err != nil:
		// A cancelled attempt fails in many ways; why it was cancelled counts.
		ev.Err = cause
	}
	ev.Now, ev.AppModel = time.Now(), a.choseModel()
	f := &fault{verdict: Classify(ev)}
	if a.entry.cfg.Auth.App {
		f.verdict = f.verdict.ofAppsKey()
	}
	absent := a.plan.op.notOffered(ev.Status, f.verdict)
	if absent {
		f.verdict = Verdict{Class: NotFound, Blame: Nobody, Action: Next, Detail: f.verdict.Detail, Fault: f.verdict.Fault}
	}
	if f.verdict.Blame == Caller || absent {
		f.answer = newProviderError(a, ev, f.verdict)
	}
	a.close()
	return f
}

// choseModel reports whether the model is the app's own choice.
func (a *attempt) choseModel() bool {
	return a.plan.model == "" || a.plan.model == a.w.appModel && a.entry.cfg.Model == ""
}

// close lets go of the connection. It is safe to call twice.
func (a *attempt) close() {
	a.timer.stop()
	if a.resp != nil {
		a.resp.Body.Close()
	}
	a.cancel(nil)
}

// refusedByProvider reads an answer that is no success. Its status alone tells
// most faults; what is to be the app's answer must have come whole.
func (a *attempt) refusedByProvider() *fault {
	read, err := a.readAll(maxErrorAnswer, errorBodyWait)
	body := read.Bytes
	ev := Evidence{Status: a.resp.StatusCode, Header: a.resp.Header, Body: body}
	if err != nil && Classify(ev).Action == Return {
		ev = Evidence{Err: err}
	}
	return a.fail(ev)
}

// readAll reads the body up to limit bytes, each read within the idle time and
// the whole within the attempt's share of the walk's time. The buffer is the
// caller's to free, also after an error; one that is not freed costs no more
// than its memory.
func (a *attempt) readAll(limit int, idle time.Duration) (*Buffer, error) {
	from := time.Now()
	defer func() { a.w.waited += time.Since(from) }()
	buffers := &a.w.engine.buffers
	size := minUnknown
	if n := a.resp.ContentLength; n >= 0 && n < int64(limit) {
		size = int(n) + 1 // one more, to see the end without growing
	}
	b := buffers.Get(size)
	for {
		if len(b.Bytes) == cap(b.Bytes) {
			larger := buffers.Get(2 * cap(b.Bytes))
			larger.Bytes = append(larger.Bytes, b.Bytes...)
			b.Free()
			b = larger
		}
		a.timer.next(a.limit(idle, errIdle, errResponse))
		n, err := a.resp.Body.Read(b.Bytes[len(b.Bytes):min(cap(b.Bytes), limit)])
		b.Bytes = b.Bytes[:len(b.Bytes)+n]
		switch {
		case errors.Is(err, io.EOF), err == nil && len(b.Bytes) >= limit:
			return b, nil
		case err != nil:
			return b, err
		}
	}
}

// minUnknown is the first buffer for an answer of unknown length.
const minUnknown = 8 << 10

// unary reads a whole answer, and commits it if it is one.
func (a *attempt) unary() (*Answer, *fault) {
	read, err := a.readAll(maxWhole, a.entry.cfg.Timeouts.Idle)
	if err != nil {
		return nil, a.fail(Evidence{Err: err, Header: a.resp.Header})
	}
	body := read.Bytes
	if len(body) == maxWhole {
		return a.streamLong(body)
	}
	usage, ok := a.format.CheckAnswer(body)
	if !ok {
		return nil, a.fail(a.noAnswer(body))
	}
	out := body
	if t := a.plan.translation; t != nil {
		if out, err = t.Answer(body); err != nil {
			return nil, a.fail(Evidence{Err: errContent})
		}
	}
	a.timer.stop()
	a.permit.Done(Verdict{Class: OK})
	a.w.report(a.entry, a, Verdict{Class: OK})
	ans := a.answer(int64(len(out)))
	a.release()
	report := a.success(usage)
	ans.body = &wholeBody{bytes: out, done: func(bool) {
		a.close()
		read.Free()
		a.w.finishAnswered(report, Succeeded)
	}}
	return ans, nil
}

// noAnswer says what a 2xx body is that is no answer.
func (a *attempt) noAnswer(body []byte) Evidence {
	ev := Evidence{Status: a.resp.StatusCode, Header: a.resp.Header, Body: body}
	trimmed := RawJSON(bytes.TrimSpace(body))
	switch {
	case looksLikeHTML(a.resp.Header, body):
		ev.Err = errHTML
	case saysWhy(trimmed):
		ev.Err = errInBand
	case len(trimmed) == 0, !a.w.shape.Stream && trimmed.IsObject() && EachMember(trimmed, func([]byte, RawJSON) bool { return true }) == nil:
		ev.Err = errEmpty
	default:
		ev.Err = errContent
	}
	return ev
}

// release lets go of the request's body and of what was made of it: after the
// commit nothing is sent again.
func (a *attempt) release() {
	a.w.req.Body.Release()
	a.plan.body.Release()
	a.plan.translation = nil // its stream has what it needs
}

// isEventStream tells whether a 2xx answer may be a stream of events; servers
// that leave the type out are believed.
func isEventStream(h http.Header) bool {
	ct := strings.ToLower(h.Get("Content-Type"))
	return ct == "" || strings.HasPrefix(ct, "text/event-stream")
}

// stream reads until the first content, and commits there.
func (a *attempt) stream() (*Answer, *fault) {
	if !isEventStream(a.resp.Header) {
		read, err := a.readAll(maxErrorAnswer, errorBodyWait)
		if err != nil {
			return nil, a.fail(Evidence{Err: err})
		}
		return nil, a.fail(a.noAnswer(read.Bytes))
	}
	first := a.entry.cfg.Timeouts.FirstToken
	if a.w.shape.Thinking {
		first = max(first, DefaultReasoningFirstToken)
	}
	d, cause := a.limit(first-time.Since(a.started), errFirstToken, errFirstToken)
	a.timer.next(d, cause)
	b := newStreamBody(a)
	from := time.Now()
	ev := b.hold()
	a.w.waited += time.Since(from)
	if ev != nil {
		return nil, a.fail(*ev)
	}
	a.permit.Commit()
	a.timer.next(a.entry.cfg.Timeouts.Idle, errIdle)
	a.timer.stop() // until it is read on
	ans := a.answer(-1)
	ans.Stream = true
	a.release()
	b.report = a.success(Usage{})
	ans.body = b
	return ans, nil
}

// success begins the report of a request that this try answers.
func (a *attempt) success(u Usage) RequestReport {
	now := time.Now()
	total := now.Sub(a.w.req.Received)
	return RequestReport{
		Provider: a.entry.cfg.Name, Model: or(a.plan.model, a.w.shape.Model), Status: a.resp.StatusCode, Usage: u,
		FirstToken: total, Overhead: max(0, total-a.w.waited),
	}
}

// finishAnswered sends the report of a committed answer.
func (w *walk) finishAnswered(r RequestReport, outcome Outcome) {
	r.Chain, r.Dialect, r.Stream, r.Attempts = w.chain.Name(), w.req.Operation.Dialect, w.shape.Stream, w.tries
	r.Outcome = outcome
	r.Duration = time.Since(w.req.Received)
	w.engine.observer.Finished(r)
}

// interruption is the verdict about a stream that broke after its commit.
func (a *attempt) interruption(err error, ev Evidence) Verdict {
	if cause := context.Cause(a.ctx); cause != nil {
		err = cause
	}
	ev.Err, ev.Now = err, time.Now()
	v := Classify(ev)
	if v.Class == ConnectionReset && a.resp.ProtoMajor == 2 && a.resp.TLS != nil && !isOneStream(err) {
		v.Connection = a.resp.TLS // one a connection
	}
	return v
}

// appLeft reports whether the app ended the request, rather than we or the
// provider.
func (a *attempt) appLeft() bool {
	cause := context.Cause(a.w.ctx)
	return cause != nil && !errors.Is(cause, ErrShutdown)
}
