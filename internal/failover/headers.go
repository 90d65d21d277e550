package failover

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// notForwarded are the response headers that stay here: those of one hop, and
// those that would bind the app's localhost to a provider.
var notForwarded = [...]string{
	"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	"Content-Length", "Set-Cookie", "Alt-Svc", "Strict-Transport-Security",
}

// forwardable takes those headers out of a provider's own map, and what only
// the sidecar may say.
func forwardable(h http.Header) http.Header {
	for _, named := range h["Connection"] {
		for name := range strings.SplitSeq(named, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range notForwarded {
		delete(h, name)
	}
	for name := range h {
		if strings.HasPrefix(name, "X-Understudy-") {
			delete(h, name)
		}
	}
	return h
}

// answer begins the app's answer with its headers, which are true because they
// are written at the commit.
func (a *attempt) answer(length int64) *Answer {
	ans := &Answer{Status: a.resp.StatusCode, Length: length}
	if a.plan.translation == nil {
		ans.Header = forwardable(a.resp.Header)
	} else {
		ans.Header = translatedHeader(a.resp.Header, a.w.shape.Stream)
		ans.Status = http.StatusOK
		if d := a.plan.translation.Degraded().String(); d != "" {
			ans.Header["X-Understudy-Degraded"] = []string{d}
		}
	}
	a.w.describe(ans.Header, a.entry, or(a.plan.model, a.w.shape.Model), time.Since(a.started))
	return ans
}

// translatedHeader keeps what means the same in every dialect: the id of the
// provider's call, under both of its names. Rate-limit headers describe
// another account's budget in another dialect's words and stay behind.
func translatedHeader(h http.Header, stream bool) http.Header {
	out := http.Header{"Content-Type": {"application/json"}}
	if stream {
		out["Content-Type"] = []string{"text/event-stream"}
		out["Cache-Control"] = []string{"no-cache"}
	}
	if id := or(h.Get("Request-Id"), h.Get("X-Request-Id")); id != "" {
		out["Request-Id"] = []string{id}
		out["X-Request-Id"] = []string{id}
	}
	return out
}

// failedOver reports whether somebody stands before e who could have served the
// request, and was tried or held back by a circuit.
func (w *walk) failedOver(e *entry) bool {
	for _, o := range w.chain.entries[:e.index] {
		if slices.Contains(w.tried, o) || slices.ContainsFunc(w.refused, func(r refusal) bool { return r.entry == o }) {
			return true
		}
	}
	return false
}

// describe adds the x-understudy-* headers of the entry that answers.
func (w *walk) describe(h http.Header, e *entry, model string, latency time.Duration) {
	values := []string{
		w.chain.Name(), e.cfg.Name, model, strconv.Itoa(w.tries),
		strconv.FormatInt(latency.Milliseconds(), 10), strconv.FormatBool(w.failedOver(e)),
	}
	for i, name := range [...]string{
		"X-Understudy-Chain", "X-Understudy-Provider", "X-Understudy-Model", "X-Understudy-Attempts",
		"X-Understudy-Latency-Ms", "X-Understudy-Failover",
	} {
		if values[i] != "" {
			h[name] = values[i : i+1 : i+1]
		}
	}
}

// providerError is a provider's answer that calls the request the caller's own
// mistake.
type providerError struct {
	entry      *entry
	model      string
	facts      *facts // its status is the inner one of an error inside a 200
	header     http.Header
	body       []byte
	translated bool
	inBand     bool
	class      Class
	latency    time.Duration
}

func newProviderError(a *attempt, ev Evidence, v Verdict) *providerError {
	return &providerError{
		entry: a.entry, model: a.plan.model, facts: factsOf(ev), header: ev.Header, body: ev.Body,
		translated: a.plan.translation != nil, inBand: errors.Is(ev.Err, errInBand), class: v.Class,
		latency: time.Since(a.started),
	}
}

// answer hands it to the app: byte for byte in the app's own dialect, else
// rewritten into it. A page in place of JSON is wrapped, since no SDK reads it,
// as is AWS's own form of an error, which no dialect has;
// an error that came inside a 200 gets the status that it should have had.
func (p *providerError) answer(w *walk) *Answer {
	a := &Answer{Status: p.facts.status}
	body := p.body
	switch {
	case p.translated, p.facts.html, p.facts.aws, p.inBand && !RawJSON(body).Member("error").Present():
		body = w.engine.dialects.Format(w.req.Operation.Dialect).ErrorBody(p.appError())
		a.Header = translatedHeader(p.header, false)
	case p.inBand:
		a.Header = translatedHeader(p.header, false)
	default:
		a.Header = forwardable(maps.Clone(p.header))
	}
	a.Length, a.body = int64(len(body)), &wholeBody{bytes: body}
	w.describe(a.Header, p.entry, p.model, p.latency)
	return a
}

// appError carries a provider's error over, with its own words.
func (p *providerError) appError() AppError {
	f := p.facts
	message := f.said
	if f.html || message == "" {
		message = "The provider answered " + strconv.Itoa(f.status) + " without an error message."
	}
	e := AppError{Status: f.status, Class: p.class, Message: p.entry.cfg.Name + ": " + message, Param: f.param}
	if len(f.words) > 0 {
		e.Type = f.words[0]
	}
	if len(f.words) > 1 {
		e.Code = f.words[1]
	}
	return e
}
