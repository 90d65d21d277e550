package simulator

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"
)

// Request is what a provider remembers of one request.
type Request struct {
	// ID is the request id of the answer's headers.
	ID       string
	Provider string
	Method   string
	// Path is the path as the provider sees it: without the provider's name.
	Path  string
	Query string
	// Time is when the headers had arrived.
	Time time.Time
	// Key is the name of the API key (key-1 for the first), or "" for a missing or wrong one.
	Key string
	// Header has all headers but those that carry credentials.
	Header http.Header
	// Body is the request's body as far as it arrived.
	Body []byte
	// Model and Stream as the body asks.
	Model  string
	Stream bool
	// Fault is the name or effect of the fault that the request met, or "".
	Fault string
	// Status is what was answered; 0 while, or if, no headers were sent.
	Status int
	// Done is true once the handler has ended.
	Done bool
	// Cancelled is true when the client left before the answer was complete.
	Cancelled bool

	raw *http.Header
}

// RawHeader returns the headers as they came, credentials included, for tests that look for leaked ones.
func (r Request) RawHeader() http.Header { return r.raw.Clone() }

// credentialHeaders never appear in [Request.Header].
var credentialHeaders = []string{"Authorization", "X-Api-Key", "Api-Key", "X-Goog-Api-Key", "Cookie", "Proxy-Authorization"}

// begin records a new request and numbers it.
func (p *Provider) begin(x *exchange) {
	raw := x.r.Header.Clone()
	shown := x.r.Header.Clone()
	for _, name := range credentialHeaders {
		shown.Del(name)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.serial++
	x.serial = p.serial
	x.id = "req_" + p.id(x.serial, "request", 24)
	x.rec = &Request{
		ID: x.id, Provider: p.config.Name, Method: x.r.Method, Path: x.path, Query: x.r.URL.RawQuery,
		Time: time.Now(), Key: x.key, Header: shown, raw: &raw,
	}
	p.requests = append(p.requests, x.rec)
	if over := len(p.requests) - p.sim.opts.Keep; over > 0 {
		p.requests = slices.Delete(p.requests, 0, over)
	}
	p.notify()
}

// update changes the request's record.
func (p *Provider) update(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	p.notify()
}

// end completes the record. The client left if its context ended, other than by our own doing, before the answer was
// complete.
func (p *Provider) end(x *exchange) {
	left := x.ctx.Err() != nil && !errors.Is(context.Cause(x.ctx), errClosed)
	p.update(func() {
		x.rec.Done = true
		x.rec.Cancelled = !x.complete && left
		p.counts[countKey{x.rec.Model, x.rec.Status, x.rec.Cancelled}]++
	})
}
