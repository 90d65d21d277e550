package simulator

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Provider is one simulated provider. Its methods are safe for concurrent use.
type Provider struct {
	config ProviderConfig
	sim    *Simulator

	mu       sync.Mutex
	serial   int // Requests so far; also what makes ids unique.
	faults   []*activeFault
	requests []*Request
	counts   map[countKey]int
	changed  []chan struct{} // Closed at the next change of the records.
}

// countKey is what /-/requests counts by.
type countKey struct {
	model     string
	status    int
	cancelled bool
}

// Name is the provider's name.
func (p *Provider) Name() string { return p.config.Name }

// Kind is the provider's wire format.
func (p *Provider) Kind() Kind { return p.config.Kind }

// Handler serves this provider alone under /v1/..., and the admin paths of the whole simulator under /-/.
func (p *Provider) Handler() http.Handler {
	return p.sim.withAdmin(func(w http.ResponseWriter, r *http.Request) { p.serve(w, r, r.URL.Path) })
}

// Fail adds a fault. Of several, the first that matches a request acts.
func (p *Provider) Fail(f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, &activeFault{Fault: f, since: time.Now()})
}

// FailNamed adds the fault of that name from the catalogue. It fails when the catalogue has none for this kind.
func (p *Provider) FailNamed(name string) error {
	f, err := Lookup(p.config.Kind, name)
	if err != nil {
		return err
	}
	p.Fail(f)
	return nil
}

// Heal removes all faults. Requests that already fail go on failing.
func (p *Provider) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = nil
}

// Faults returns the faults that can still act.
func (p *Provider) Faults() []Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	var active []Fault
	for _, a := range p.faults {
		if !a.expired(time.Now()) {
			active = append(active, a.Fault)
		}
	}
	return active
}

// pick returns the fault that this request meets, or nil.
func (p *Provider) pick(x *exchange) *Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.faults = slices.DeleteFunc(p.faults, func(a *activeFault) bool { return a.expired(now) })
	for _, a := range p.faults {
		if a.covers(x) && a.due() {
			f := a.Fault
			return &f
		}
	}
	return nil
}

// keyOf returns the API key of a request, or "". Anthropic prefers x-api-key where both are sent, and Gemini
// x-goog-api-key.
func (p *Provider) keyOf(h http.Header) string {
	if p.config.Kind == Gemini && h.Get("X-Goog-Api-Key") != "" {
		return h.Get("X-Goog-Api-Key")
	}
	if p.config.Kind == Anthropic && h.Get("X-Api-Key") != "" {
		return h.Get("X-Api-Key")
	}
	scheme, token, _ := strings.Cut(h.Get("Authorization"), " ")
	if p.config.Kind == Bedrock && scheme == signatureScheme {
		return p.awsKeyOf(h.Get("Authorization"))
	}
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// keyName returns the name of a key, or "" for a key that is not valid.
func (p *Provider) keyName(key string) string {
	if key == "" {
		return ""
	}
	if len(p.config.Keys) == 0 {
		return "key-1"
	}
	if i := slices.Index(p.config.Keys, key); i >= 0 {
		return fmt.Sprintf("key-%d", i+1)
	}
	return ""
}

// knows reports whether the provider has the model.
func (p *Provider) knows(model string) bool {
	if len(p.config.Models) > 0 {
		return slices.Contains(p.config.Models, model)
	}
	switch p.config.Kind {
	case Bedrock:
		return knowsBedrock(model)
	case Gemini:
		return strings.HasPrefix(model, "gemini-")
	}
	return strings.HasPrefix(model, "claude-") == (p.config.Kind == Anthropic)
}

// id returns an identifier that is unique for the provider's request number and the purpose, and the same in every
// run.
func (p *Provider) id(serial int, purpose string, length int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d/%s", p.config.Name, serial, purpose))
	return hex.EncodeToString(sum[:])[:length]
}

// Requests returns the remembered requests, oldest first. Those that are still being answered are included.
func (p *Provider) Requests() []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.snapshot()
}

// snapshot copies the records. The lock is held.
func (p *Provider) snapshot() []Request {
	out := make([]Request, len(p.requests))
	for i, r := range p.requests {
		out[i] = *r
	}
	return out
}

// Reset forgets all requests and faults.
func (p *Provider) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults, p.requests = nil, nil
	clear(p.counts)
	p.notify()
}

// Await returns once ok says yes to the remembered requests, or with the context's error.
func (p *Provider) Await(ctx context.Context, ok func([]Request) bool) error {
	for {
		p.mu.Lock()
		requests := p.snapshot()
		changed := make(chan struct{})
		p.changed = append(p.changed, changed)
		p.mu.Unlock()
		if ok(requests) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("awaiting requests at %s: %w", p.config.Name, context.Cause(ctx))
		}
	}
}

// notify wakes those in Await. The lock is held.
func (p *Provider) notify() {
	for _, c := range p.changed {
		close(c)
	}
	p.changed = nil
}
