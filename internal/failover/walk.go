package failover

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// walk is one request's way along its chain. It lives on the stack of the
// request's goroutine.
type walk struct {
	engine *Engine
	ctx    context.Context
	req    *Request
	shape  Shape
	chain  *Chain
	// appModel is the model that the app chose; empty where its `model` only
	// named the chain.
	appModel string
	deadline time.Time
	waited   time.Duration // spent on providers, for the overhead metric

	tried      []*entry // in order; an entry's retries are one visit
	tries      int
	refused    []refusal
	reasons    []Class // by entry; empty: not looked at
	ineligible *IneligibleError
	// tooLong is the entry for whose window the request was too long.
	tooLong *entry
	// mistake is the first answer that calls the request the caller's own
	// mistake; otherFault tells that some entry failed in another way.
	mistake    *providerError
	otherFault bool
	unreached  []unreached
}

// refusal is an entry whose circuit said no.
type refusal struct {
	entry *entry
	Refusal
}

func newWalk(ctx context.Context, e *Engine, req *Request, shape Shape, chain *Chain) *walk {
	w := &walk{engine: e, ctx: ctx, req: req, shape: shape, chain: chain, appModel: shape.Model}
	w.shape.Stream = shape.Stream && !req.Operation.unaryOnly()
	if shape.Model == chain.Name() {
		w.appModel = ""
	}
	w.reasons = make([]Class, len(chain.entries))
	w.deadline = req.Received.Add(chain.Config.Timeouts.Chain)
	if req.Body.Streams() {
		w.deadline = req.Received.Add(uploadTime)
	}
	if p := patience(req.Header); p > 0 {
		w.deadline = minTime(w.deadline, req.Received.Add(p))
	}
	return w
}

// patience is how long the app's SDK will wait for an answer, less a twentieth
// (at most half a second), so that ours arrives in time: for the whole call, or
// for the first byte, which comes at the commit. 0: not said.
func patience(h http.Header) time.Duration {
	var least time.Duration
	for _, name := range [...]string{"X-Stainless-Timeout", "X-Stainless-Read-Timeout"} {
		v := h[name]
		if len(v) == 0 {
			continue
		}
		s, err := strconv.ParseFloat(v[0], 64)
		if err != nil {
			continue
		}
		if d := seconds(s); d > 0 && (least == 0 || d < least) {
			least = d
		}
	}
	return least - min(least/20, 500*time.Millisecond)
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// run tries the entries in order, then those whose breaker alone is in the
// way, and gives up.
func (w *walk) run() *Answer {
	defer w.blameUnreached()
	if w.req.Operation.Stateful {
		return w.stateful()
	}
	for _, e := range w.chain.entries {
		if a := w.visit(e); a != nil {
			return a
		}
		if !w.mayGoOn() {
			return w.giveUp()
		}
	}
	if a := w.lastResort(); a != nil {
		return a
	}
	return w.giveUp()
}

func (w *walk) mayGoOn() bool {
	return w.ctx.Err() == nil && time.Now().Before(w.deadline) && !w.req.Body.Spent()
}

// visit looks at one entry and, where that is possible, tries it. It returns
// an answer only when the walk is over.
func (w *walk) visit(e *entry) *Answer {
	plan, ok := w.plan(e)
	if !ok {
		return nil
	}
	cred, err := e.endpoint.Credential()
	if err != nil {
		w.passBy(e, NoCredential)
		return nil
	}
	permit, no := e.circuit.Allow(cred.Fingerprint)
	if permit == nil {
		w.refused = append(w.refused, refusal{e, no})
		w.passBy(e, no.Class)
		return nil
	}
	plan.credentials = cred
	return w.try(e, plan, permit)
}

// lastResort asks the entries that a breaker alone holds back, the one due
// first at first: a request that is refused can never succeed.
func (w *walk) lastResort() *Answer {
	slices.SortStableFunc(w.refused, func(a, b refusal) int { return a.Until.Compare(b.Until) })
	for _, r := range w.refused {
		if r.Gated || !w.mayGoOn() {
			continue
		}
		cred, err := r.entry.endpoint.Credential()
		if err != nil {
			continue
		}
		permit := r.entry.circuit.Force(cred.Fingerprint)
		if permit == nil {
			continue
		}
		plan, ok := w.plan(r.entry)
		if !ok {
			permit.Done(Verdict{Class: Ineligible, Blame: Nobody})
			continue
		}
		plan.credentials = cred
		if a := w.try(r.entry, plan, permit); a != nil {
			return a
		}
	}
	return nil
}

// passBy books an entry that is left out without a try.
func (w *walk) passBy(e *entry, reason Class) {
	w.reasons[e.index] = reason
	w.engine.observer.Bypassed(w.chain.Name(), e.cfg.Name, reason)
}

// plan is how one entry would be asked.
type plan struct {
	op          Operation
	model       string
	body        *Replay
	translation Translation // nil: the entry speaks the app's dialect
	credentials Credentials
}

// unfit says why an entry cannot serve the request at all, as far as that is
// known without translating it; empty: it may.
func (w *walk) unfit(e *entry) (Class, *IneligibleError) {
	native := e.mayAnswer(w.req.Operation)
	switch {
	case w.tooLong != nil && e != w.tooLong && !largerWindow(e, w.tooLong):
		return ContextTooLong, nil
	case !native && w.req.Operation.Pass:
		return Ineligible, &IneligibleError{Field: w.req.Operation.Path, Reason: "no entry speaks a dialect of this family"}
	case !native && e.cfg.Auth.App:
		return Ineligible, &IneligibleError{Field: w.req.Operation.Path, Reason: "the provider " + strconv.Quote(e.cfg.Name) + " gets the app's own key, which is good in its own dialect only"}
	case w.modelFor(e) == "" && (!native || w.appModel == "" && w.shape.Model != "" || e.endpoint.Quirks().ModelInPath && !w.req.Operation.Pass):
		return NoModel, &IneligibleError{Field: "model", Reason: "the provider " + strconv.Quote(e.cfg.Name) + " has no model of its own for this request"}
	case !native && w.req.Operation.Whole:
		return Ineligible, &IneligibleError{Field: w.req.Operation.Path, Reason: "only an entry that speaks this dialect itself can answer it"}
	}
	return "", nil
}

// plan decides whether an entry can serve the request at all, and prepares its
// body. Where it cannot, the reason is booked and nobody is blamed.
func (w *walk) plan(e *entry) (plan, bool) {
	if reason, err := w.unfit(e); reason != "" {
		w.cannot(e, reason, err)
		return plan{}, false
	}
	p := plan{op: w.req.Operation, model: w.modelFor(e)}
	if !e.mayAnswer(p.op) {
		return w.translate(e, p)
	}
	p.body = w.req.Body
	if p.model != "" {
		p.body = w.shape.withModel(w.req.Body, p.model)
	}
	if !e.cfg.Request.IsZero() && !p.op.Pass {
		p.body = NewReplay(e.cfg.Request.Apply(p.body.Whole()))
	}
	return p, true
}

// translate prepares the body for the first dialect of the entry that the
// request can be carried to.
func (w *walk) translate(e *entry, p plan) (plan, bool) {
	var failed *IneligibleError
	for _, to := range e.dialects {
		op, ok := translatable(to)
		if !ok {
			continue
		}
		t, err := w.engine.dialects.Translate(w.req.Operation.Dialect, to, w.req.Body.Bytes(),
			TranslateOptions{Model: p.model, Quirks: e.endpoint.Quirks(), Fidelity: w.chain.Config.Fidelity})
		if err == nil {
			w.req.Body.Keep() // a translation may refer to it until the answer ends
			p.op, p.translation, p.body = op, t, NewReplay(e.knobs(t.Body()))
			return p, true
		}
		no, ok := errors.AsType[*IneligibleError](err)
		if !ok {
			no = &IneligibleError{Field: "body", Reason: err.Error()}
		}
		if failed == nil { // the entry's preferred dialect says it best
			failed = no
		}
	}
	if failed == nil {
		failed = &IneligibleError{Field: w.req.Operation.Path, Reason: "no entry speaks a dialect that it can be translated to"}
	}
	w.cannot(e, Ineligible, failed)
	return plan{}, false
}

// knobs applies the entry's own changes to a body that is made already.
func (e *entry) knobs(body []byte) []byte {
	if e.cfg.Request.IsZero() {
		return body
	}
	return e.cfg.Request.Apply(body)
}

// translatable gives the operation of a dialect that answers can be translated
// from.
func translatable(d Dialect) (Operation, bool) {
	for _, op := range []Operation{ChatCompletions, Messages, Responses, GenerateContent, Converse} {
		if op.Dialect == d {
			return op, true
		}
	}
	return Operation{}, false
}

func (w *walk) cannot(e *entry, reason Class, err *IneligibleError) {
	w.reasons[e.index] = reason
	if w.ineligible == nil {
		w.ineligible = err
	}
}

// modelFor is what the entry is asked for; empty: nothing is known.
func (w *walk) modelFor(e *entry) string {
	for _, m := range e.cfg.ModelMap {
		if w.appModel != "" && m.From == w.appModel {
			return m.To
		}
	}
	// Vectors of different models cannot be compared, so an entry's model is
	// not put in the place of the app's own; nor is it for what is not
	// understood.
	if op := w.req.Operation; (op == Embeddings || op.Pass) && w.appModel != "" {
		return w.appModel
	}
	if w.req.Operation.Pass && w.shape.Model == "" {
		return "" // it names no model
	}
	if e.cfg.Model != "" {
		return e.cfg.Model
	}
	if e.native[w.req.Operation.Dialect] {
		return w.appModel
	}
	return ""
}

// largerWindow reports whether e may take what was too long for small.
func largerWindow(e, small *entry) bool {
	return e.cfg.ContextWindow == 0 || e.cfg.ContextWindow > small.cfg.ContextWindow
}

// othersRemain reports whether an entry behind e could still be tried.
func (w *walk) othersRemain(e *entry) bool {
	for _, o := range w.chain.entries[e.index+1:] {
		if w.reasons[o.index] != "" || slices.Contains(w.tried, o) {
			continue
		}
		if reason, _ := w.unfit(o); reason != "" {
			continue
		}
		if cred, err := o.endpoint.Credential(); err == nil && o.circuit.State(cred.Fingerprint).Usable() {
			return true
		}
	}
	return false
}
