package failover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Engine answers requests by walking chains. Safe for concurrent use.
type Engine struct {
	store    *Store
	dialects Dialects
	observer Observer
	budget   *retryBudget
	buffers  Buffers // of unary answers
}

// NewEngine returns an engine over the store's snapshots.
func NewEngine(store *Store, dialects Dialects, observer Observer) *Engine {
	return &Engine{store: store, dialects: dialects, observer: observer, budget: newRetryBudget()}
}

// Serve answers one request. It returns at the commit, at the app's own
// mistake, or when nobody can answer; there is always an Answer, and the
// caller must Close it. ctx is the app's connection: when it ends the provider
// is told at once and nobody is blamed. Its cause ErrShutdown ends the answer
// as an interruption.
func (e *Engine) Serve(ctx context.Context, req *Request) *Answer {
	snap := e.store.Load()
	if len(snap.Chains()) == 0 {
		a := e.Refuse(req.Operation, AppError{
			Status: http.StatusServiceUnavailable, Class: NotConfigured,
			Message: "No ProviderChain is loaded yet; the sidecar is running and waits for one.",
		})
		a.Header["Retry-After"] = []string{"1"}
		return a
	}
	shape, err := peek(req)
	if err != nil {
		return e.Refuse(req.Operation, badBody(req.Body.Bytes(), err))
	}
	if own, no := ownResponse(req.Operation, shape); no {
		return e.Refuse(req.Operation, own)
	}
	chain := snap.Select(req.ChainName, shape.Model)
	if chain == nil {
		return e.Refuse(req.Operation, AppError{
			Status: http.StatusNotFound, Class: NotFound,
			Message: fmt.Sprintf("No chain is called %q; this sidecar serves %s.", req.ChainName, chainNames(snap)),
		})
	}
	e.budget.deposit(req.Received)
	w := newWalk(ctx, e, req, shape, chain)
	return w.run()
}

// Refuse answers with an error of the sidecar's own, in the operation's
// dialect, and reports it as refused.
func (e *Engine) Refuse(op Operation, appErr AppError) *Answer {
	e.observer.Finished(RequestReport{Dialect: op.Dialect, Outcome: Refused, Status: appErr.Status})
	return e.ownError(op.Dialect, appErr)
}

// ownError writes an error of the sidecar's own. It has no observer effects.
func (e *Engine) ownError(d Dialect, appErr AppError) *Answer {
	body := e.dialects.Format(d).ErrorBody(appErr)
	return &Answer{
		Status: appErr.Status,
		Header: http.Header{
			"Content-Type":        {"application/json"},
			"X-Understudy-Origin": {"sidecar"},
		},
		Length: int64(len(body)),
		body:   &wholeBody{bytes: body},
	}
}

func peek(req *Request) (Shape, error) {
	if req.Operation.Pass {
		return peekPassed(req), nil
	}
	return Peek(req.Body.Bytes())
}

// ownResponse refuses what can only be about a response that we wrote
// ourselves: it is stored nowhere, and a provider would only say that it does
// not know it.
func ownResponse(op Operation, shape Shape) (AppError, bool) {
	switch {
	case op == Responses && strings.HasPrefix(shape.Previous, OwnResponse):
		return AppError{
			Status: http.StatusBadRequest, Class: InvalidRequest, Code: "previous_response_not_found", Param: "previous_response_id",
			Message: "previous_response_id names a response that a provider of another dialect gave in place of the usual one, so it is stored nowhere; " +
				"send the items of the conversation in input instead.",
		}, true
	case op.Pass && strings.HasPrefix(op.Path, "/responses/"+OwnResponse):
		return AppError{
			Status: http.StatusNotFound, Class: NotFound,
			Message: "A provider of another dialect gave this response in place of the usual one, so it is stored nowhere.",
		}, true
	}
	return AppError{}, false
}

// badBody says what is wrong with a body that could not be read.
func badBody(body []byte, err error) AppError {
	msg := "The request body is not a JSON object."
	var probe map[string]json.RawMessage
	switch syntax, ok := errors.AsType[*json.SyntaxError](json.Unmarshal(body, &probe)); {
	case errors.Is(err, ErrDuplicateModel):
		msg = `The request body has "model" twice; send it once.`
	case len(body) == 0:
		msg = "The request body is empty; send a JSON object."
	case ok:
		msg = fmt.Sprintf("The request body is not valid JSON: %s at byte %d.", strings.ReplaceAll(syntax.Error(), "unexpected end of JSON input", "it ends too early"), syntax.Offset)
	}
	return AppError{Status: http.StatusBadRequest, Class: InvalidRequest, Message: msg}
}

func chainNames(s *Snapshot) string {
	names := make([]string, 0, len(s.Chains()))
	for _, c := range s.Chains() {
		names = append(names, strconv.Quote(c.Name()))
	}
	return strings.Join(names, ", ")
}

// retryDelay is how long to wait before the same entry is tried again: what it
// asked for, else 100 to 400 ms, so that many requests that failed together do
// not come back together.
func retryDelay(hint time.Duration) time.Duration {
	if hint > 0 {
		return hint
	}
	return 100*time.Millisecond + rand.N(300*time.Millisecond)
}
