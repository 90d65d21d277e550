package circuit

import (
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/understudy-dev/understudy/internal/failover"
)

// Registry owns every scope of a sidecar. Snapshots come and go; what the
// registry knows stays as long as some snapshot asks for it.
type Registry struct {
	jitter func() float64

	mu       sync.Mutex
	hosts    map[string]*host
	circuits map[failover.CircuitKey]*circuit
}

// host is the scope of one provider's address, with the credentials used there.
type host struct {
	scope

	// Guarded by the registry's mutex.
	credentials map[string]*scope

	trips trips
}

// trips remembers which model of a host opened its circuit last.
type trips struct {
	mu    sync.Mutex
	model string
	at    time.Time
}

// together is how near the trips of two models must be to be the host's.
const together = 30 * time.Second

// modelTripped opens the host when two of its models have opened their
// circuits within 30 s of each other: the fault is then above the model. A
// single failure of each would not do: two blips are no outage, and a sibling
// that still answers must stay in play.
func (h *host) modelTripped(model string, v failover.Verdict, now time.Time) {
	h.trips.mu.Lock()
	both := h.trips.model != model && !h.trips.at.IsZero() && now.Sub(h.trips.at) <= together
	h.trips.model, h.trips.at = model, now
	h.trips.mu.Unlock()
	if both {
		h.open(v, now)
	}
}

var _ failover.Circuits = (*Registry)(nil)

// NewRegistry returns an empty registry.
func NewRegistry() *Registry {
	return &Registry{jitter: rand.Float64, hosts: map[string]*host{}, circuits: map[failover.CircuitKey]*circuit{}}
}

// Circuit implements failover.Circuits. The breakers of a host and of a
// credential have the settings of the first entry that uses them, in the order
// of the configuration; see Retain.
func (r *Registry) Circuit(key failover.CircuitKey, settings failover.Breaker) failover.Circuit {
	r.mu.Lock()
	c := r.circuits[key]
	if c == nil {
		h := r.hosts[key.Host]
		if h == nil {
			h = &host{credentials: map[string]*scope{}}
			h.kind, h.settings, h.jitter = failover.Host, settings, r.jitter
			h.fresh()
			r.hosts[key.Host] = h
		}
		c = &circuit{registry: r, key: key, host: h, entry: newScope(failover.Entry, settings, r.jitter)}
		r.circuits[key] = c
	}
	c.settings = settings
	r.mu.Unlock()
	c.entry.reconfigure(settings, time.Now())
	return c
}

// Retain implements failover.Circuits. The keys are in the order of the
// configuration: what entries share takes the settings of its first user. A
// credential that no entry uses any more is forgotten with it.
func (r *Registry) Retain(keys []failover.CircuitKey) {
	for s, settings := range r.retain(keys) {
		s.reconfigure(settings, time.Now())
	}
}

// retain forgets what is not listed, and returns what is shared.
func (r *Registry) retain(keys []failover.CircuitKey) map[*scope]failover.Breaker {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := make(map[failover.CircuitKey]*circuit, len(keys))
	hosts := make(map[string]*host, len(keys))
	shared := map[*scope]failover.Breaker{}
	for _, k := range keys {
		c := r.circuits[k]
		if c == nil {
			continue
		}
		kept[k], hosts[k.Host] = c, c.host
		for _, s := range c.shared() {
			if _, ok := shared[s]; !ok {
				shared[s] = c.settings
			}
		}
	}
	r.circuits, r.hosts = kept, hosts
	for _, h := range hosts {
		r.forget(h)
	}
	return shared
}

// forget drops the credentials of a host that no entry uses. Requires the lock.
func (r *Registry) forget(h *host) {
	used := map[*scope]bool{}
	for _, c := range r.circuits {
		if known := c.credential.Load(); known != nil {
			used[known.scope] = true
		}
	}
	maps.DeleteFunc(h.credentials, func(_ string, s *scope) bool { return !used[s] })
}

// credential finds the scope of the credential that a circuit uses now.
// Another fingerprint is another scope: a changed key starts without the old
// one's gate.
func (r *Registry) credential(c *circuit, fingerprint string) *credential {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, old := c.host.credentials[fingerprint], true
	if s == nil {
		s, old = newScope(failover.Credential, c.settings, r.jitter), false
		c.host.credentials[fingerprint] = s
	}
	known := &credential{fingerprint, s}
	c.credential.Store(known)
	if !old { // a key that is rotated for years leaves nothing behind
		r.forget(c.host)
	}
	return known
}
