package failover

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// Passed is an operation whose wire format is not looked at: everything under
// /v1 but the operations of a dialect. Its bytes go to the entries of the
// caller's family, d being OpenAIChat or AnthropicMessages. path is the raw
// path below /v1.
func Passed(d Dialect, method, path string) Operation {
	return Operation{Dialect: d, Path: path, Method: method, Whole: true, Pass: true, Stateful: !stateless(path)}
}

// statelessPaths leave nothing at a provider that a later call could need, so
// any entry of the family may answer. What is not listed is taken to hold
// state: asking another provider for it would be wrong, and not asking is safe.
var statelessPaths = [...]string{
	"/images/", "/audio/", "/moderations", "/completions", "/models", "/responses/input_tokens", "/realtime",
}

func stateless(path string) bool {
	for _, p := range statelessPaths {
		if path == strings.TrimSuffix(p, "/") || strings.HasPrefix(path, strings.TrimSuffix(p, "/")+"/") {
			return !strings.HasPrefix(path, "/realtime/") && !strings.HasPrefix(path, "/audio/voice")
		}
	}
	return false
}

// family reports whether an entry speaks a dialect of the caller's vendor.
func (e *entry) family(d Dialect) bool {
	if d == AnthropicMessages {
		return e.native[d]
	}
	return e.native[OpenAIChat] || e.native[OpenAIResponses] || e.native[OpenAIEmbeddings]
}

// mayAnswer reports whether an entry can take the operation untranslated.
func (e *entry) mayAnswer(op Operation) bool {
	if op.Pass {
		return e.family(op.Dialect)
	}
	return e.native[op.Dialect]
}

// peekPassed reads the shape of a body that may be anything. Only the model of
// a JSON object counts.
func peekPassed(req *Request) Shape {
	if !strings.Contains(strings.ToLower(req.Header.Get("Content-Type")), "json") {
		return Shape{}
	}
	s, err := Peek(req.Body.Bytes())
	if err != nil {
		return Shape{}
	}
	return Shape{Model: s.Model, model: s.model}
}

// stateful asks the one entry that holds the state, whatever its circuit says:
// an answer of another would be a wrong one.
func (w *walk) stateful() *Answer {
	for _, e := range w.chain.entries {
		if !e.family(w.req.Operation.Dialect) {
			w.reasons[e.index] = Ineligible
			continue
		}
		p, ok := w.plan(e)
		if !ok {
			break
		}
		cred, err := e.endpoint.Credential()
		if err != nil {
			w.passBy(e, NoCredential)
			break
		}
		p.credentials = cred
		if a := w.try(e, p, unbound{}); a != nil {
			return a
		}
		break
	}
	if w.ineligible == nil {
		w.ineligible = &IneligibleError{Field: w.req.Operation.Path, Reason: "no entry speaks a dialect of this family"}
	}
	return w.giveUp()
}

// unbound is the permit of a request that no circuit decides about.
type unbound struct{}

// Commit implements Permit.
func (unbound) Commit() {}

// Done implements Permit.
func (unbound) Done(Verdict) {}

// notOffered reports an answer that says nothing about the entry but that this
// path is not there. Another entry may have it; if none has, the first one's
// answer is the app's.
func (o Operation) notOffered(status int, v Verdict) bool {
	return o.Pass && v.Class != ModelNotFound &&
		(status == http.StatusNotFound || status == http.StatusMethodNotAllowed || status == http.StatusNotImplemented)
}

// passed decides about the head of an answer that is not understood: what a
// stateless operation failed with is a fault like any other; everything else
// is the app's.
func (a *attempt) passed() (*Answer, *fault) {
	op, status := a.plan.op, a.resp.StatusCode
	switch {
	case status == http.StatusSwitchingProtocols:
		return a.upgraded()
	case op.Stateful, status >= 200 && status <= 299 && !looksLikeHTML(a.resp.Header, nil):
		return a.passThrough()
	case status >= 200 && status <= 299:
		return nil, a.fail(Evidence{Err: errHTML, Header: a.resp.Header})
	}
	return nil, a.refusedByProvider()
}

// passThrough commits the answer with its first piece, which is read first so
// that a connection that breaks behind the head can still be a failover.
func (a *attempt) passThrough() (*Answer, *fault) {
	buf := make([]byte, 32<<10)
	a.timer.next(a.limit(a.entry.cfg.Timeouts.Idle, errIdle, errResponse))
	from := time.Now()
	n, err := io.ReadAtLeast(a.resp.Body, buf, 1)
	a.w.waited += time.Since(from)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, a.fail(Evidence{Err: err})
	}
	a.permit.Commit()
	a.timer.stop() // until it is read on
	ans := a.answer(a.resp.ContentLength)
	ans.Stream = a.resp.ContentLength < 0
	a.release()
	ans.body = &longBody{attempt: a, begun: buf[:n], report: a.success(Usage{}), ended: err != nil}
	return ans, nil
}

// upgraded hands a connection over that is no HTTP any more. Its end is the
// business of its two sides.
func (a *attempt) upgraded() (*Answer, *fault) {
	conn, ok := a.resp.Body.(io.ReadWriteCloser)
	if !ok {
		return nil, a.fail(Evidence{Err: errContent})
	}
	a.permit.Commit()
	a.timer.stop()
	protocol := a.resp.Header["Upgrade"]
	ans := a.answer(-1)
	ans.Header["Connection"], ans.Header["Upgrade"] = []string{"Upgrade"}, protocol
	a.release()
	ans.Upgraded = conn
	ans.body = &upgradedBody{attempt: a, report: a.success(Usage{})}
	return ans, nil
}

// upgradedBody reports the end of an upgraded connection.
type upgradedBody struct {
	attempt *attempt
	report  RequestReport
}

func (b *upgradedBody) next() ([]byte, error) { return nil, io.EOF }

func (b *upgradedBody) close(bool) {
	a := b.attempt
	a.close()
	a.permit.Done(Verdict{Class: OK})
	a.w.report(a.entry, a, Verdict{Class: OK})
	a.w.finishAnswered(b.report, Succeeded)
}
