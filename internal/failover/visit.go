package failover

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"
)

// try visits one entry: a try, and one more where the fault allows it. It ends
// the permit in every case, except where a stream was committed, which then
// ends it itself.
func (w *walk) try(e *entry, p plan, permit Permit) *Answer {
	if n := len(w.tried); n > 0 {
		from := w.tried[n-1]
		w.engine.observer.FailedOver(w.chain.Name(), from.cfg.Name, e.cfg.Name, w.reasons[from.index])
	}
	w.tried = append(w.tried, e)
	handedOver := false
	verdict := Verdict{Class: Internal, Blame: Nobody} // for a panic on the way
	defer func() {
		if !handedOver {
			permit.Done(verdict)
		}
	}()
	for extra := 0; ; extra++ {
		w.tries++
		a := newAttempt(w, e, p, permit)
		answer, fault := a.run()
		if answer != nil {
			handedOver = true // its body ends the permit
			w.settle(false)
			return answer
		}
		verdict = fault.verdict
		w.report(e, a, verdict)
		if w.mayRetry(verdict, extra) && sleep(w.ctx, retryDelay(verdict.RetryAfter)) && w.mayGoOn() {
			continue
		}
		handedOver = w.reserve(e, permit, verdict)
		return w.conclude(e, fault)
	}
}

// mayRetry reports whether the same entry is worth one more try: after a
// transient fault, within the retry rule of the chain and the budget.
func (w *walk) mayRetry(v Verdict, extra int) bool {
	rule := w.chain.Config.Retry
	now := time.Now()
	delay := max(v.RetryAfter, 400*time.Millisecond)
	if op := w.req.Operation; op.Stateful && op.Method != http.MethodGet && op.Method != http.MethodHead || w.req.Body.Spent() {
		return false // it might be done twice
	}
	return v.Retry && extra < *rule.Attempts && v.RetryAfter <= rule.MaxDelay &&
		now.Add(delay).Before(w.deadline) && w.engine.budget.withdraw(now)
}

// conclude decides what an entry's fault means to the walk. nil: go on.
func (w *walk) conclude(e *entry, f *fault) *Answer {
	v := f.verdict
	w.reasons[e.index] = v.Class
	switch v.Action {
	case Drop:
		return w.giveUp()
	case Next:
		if f.answer == nil {
			w.otherFault = true
		} else if w.mistake == nil {
			w.mistake = f.answer
		}
		return nil
	}
	if w.mistake == nil {
		w.mistake = f.answer
	}
	if v.Class == ContextTooLong {
		if w.tooLong == nil || largerWindow(e, w.tooLong) {
			w.tooLong = e
		}
		if slices.ContainsFunc(w.chain.entries[e.index+1:], func(o *entry) bool { return largerWindow(o, e) }) {
			return nil
		}
	}
	if len(w.tried) == 1 {
		return w.returnMistake()
	}
	// From a later entry it is a fault of portability: what the first one
	// would have taken, this one does not.
	return nil
}

// report tells the observer of one finished try.
func (w *walk) report(e *entry, a *attempt, v Verdict) {
	w.engine.observer.Attempted(Attempt{
		Chain: w.chain.Name(), Provider: e.cfg.Name, Class: v.Class, Detail: v.Detail, Fault: v.Fault,
		Duration: time.Since(a.started), RequestID: a.requestID,
	})
}

// giveUp ends the walk without an answer from a provider.
func (w *walk) giveUp() *Answer {
	w.blameUnreached()
	switch cause := context.Cause(w.ctx); {
	case errors.Is(cause, ErrShutdown):
		return w.finishOwn(Interrupted, AppError{Status: 503, Class: ServiceUnavailable, Message: "The sidecar is shutting down."}, nil)
	case cause != nil:
		return w.finishOwn(Canceled, AppError{Status: statusClientClosed, Class: ClientClosed, Message: "The client closed the request."}, nil)
	case w.mistake != nil && !w.otherFault:
		return w.returnMistake()
	case w.ineligible != nil && len(w.tried) == 0 && len(w.refused) == 0 && !slices.Contains(w.reasons, NoCredential):
		return w.finishOwn(CallerError, AppError{
			Status: 400, Class: Ineligible, Param: w.ineligible.Field, Providers: w.reasonList(),
			Message: "No provider of chain " + w.chain.Name() + " can serve this request: " + w.ineligible.Error() + ".",
		}, []string{"X-Should-Retry", "false"})
	}
	return w.exhausted()
}

// statusClientClosed is nginx's status for a client that left; nobody reads it
// but our own metrics.
const statusClientClosed = 499
