package failover

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// soon is how near an entry's return must be for the app's SDK to be allowed
// its own retries; beyond it they would only multiply the outage.
const soon = 30 * time.Second

// exhausted is the answer when nobody could give one: 429 when everybody is
// only limited in rate, else 503, with the reason of every entry.
func (w *walk) exhausted() *Answer {
	now := time.Now()
	limited := true
	due := time.Time{}
	for i, e := range w.chain.entries {
		if w.reasons[i] == "" {
			w.reasons[i] = DeadlineExceeded
		}
		switch w.reasons[i] {
		case RateLimited:
		case Ineligible, NoModel:
			continue
		default:
			limited = false
		}
		if at, ok := w.dueAt(e, now); ok && (due.IsZero() || at.Before(due)) {
			due = at
		}
	}
	appErr := AppError{Status: http.StatusServiceUnavailable, Class: Exhausted, Providers: w.reasonList()}
	if limited {
		appErr.Status, appErr.Class = http.StatusTooManyRequests, RateLimited
	}
	parts := make([]string, 0, len(appErr.Providers))
	for _, p := range appErr.Providers {
		parts = append(parts, p.Provider+": "+string(p.Reason))
	}
	appErr.Message = "No provider of chain " + w.chain.Name() + " could answer (" + strings.Join(parts, ", ") + ")."

	var extra []string
	if !due.IsZero() {
		extra = append(extra, "Retry-After", strconv.Itoa(max(1, int(math.Ceil(due.Sub(now).Seconds())))))
	}
	if due.IsZero() || due.Sub(now) > soon {
		extra = append(extra, "X-Should-Retry", "false")
	}
	return w.finishOwn(ExhaustedAll, appErr, extra)
}

// dueAt is when an entry would be tried again; false where nobody knows.
func (w *walk) dueAt(e *entry, now time.Time) (time.Time, bool) {
	cred, err := e.endpoint.Credential()
	if err != nil {
		return time.Time{}, false
	}
	if st := e.circuit.State(cred.Fingerprint); !st.Usable() {
		return st.Until, !st.Until.IsZero()
	}
	return now, true
}

func (w *walk) reasonList() []ProviderReason {
	list := make([]ProviderReason, 0, len(w.reasons))
	for i, r := range w.reasons {
		if r != "" {
			list = append(list, ProviderReason{Provider: w.chain.entries[i].cfg.Name, Reason: r})
		}
	}
	return list
}

// finishOwn answers with an error of our own and reports the outcome. extra
// holds pairs of header names, in canonical form, and values.
func (w *walk) finishOwn(outcome Outcome, appErr AppError, extra []string) *Answer {
	a := w.engine.ownError(w.req.Operation.Dialect, appErr)
	a.Header["X-Understudy-Chain"] = []string{w.chain.Name()}
	a.Header["X-Understudy-Attempts"] = []string{strconv.Itoa(w.tries)}
	for i := 0; i+1 < len(extra); i += 2 {
		a.Header[extra[i]] = []string{extra[i+1]}
	}
	w.finish(RequestReport{Outcome: outcome, Status: appErr.Status})
	return a
}

// returnMistake gives the app the first answer that called the request its own
// mistake.
func (w *walk) returnMistake() *Answer {
	m := w.mistake
	a := m.answer(w)
	w.finish(RequestReport{Outcome: CallerError, Status: a.Status, Provider: m.entry.cfg.Name, Model: m.model})
	return a
}

// finish completes and sends the report of a request that ends without a
// committed answer.
func (w *walk) finish(r RequestReport) {
	r.Chain, r.Dialect, r.Stream, r.Attempts = w.chain.Name(), w.req.Operation.Dialect, w.shape.Stream, w.tries
	r.Duration = time.Since(w.req.Received)
	r.Overhead = max(0, r.Duration-w.waited)
	w.engine.observer.Finished(r)
}
