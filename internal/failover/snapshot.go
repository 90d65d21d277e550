package failover

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Snapshot is a compiled configuration. It never changes; what changes behind
// it (circuits, credentials, connections) is safe for concurrent use.
type Snapshot struct {
	chains []*Chain
	byName map[string]*Chain
}

// Chains returns the chains in the order of the configuration. The slice must
// not be changed.
func (s *Snapshot) Chains() []*Chain {
	if s == nil {
		return nil
	}
	return s.chains
}

// Chain returns the chain of that name, or nil.
func (s *Snapshot) Chain(name string) *Chain {
	if s == nil {
		return nil
	}
	return s.byName[name]
}

// Select finds the chain that serves a request: the one named in the path,
// else the one that the request's model names, else the first.
func (s *Snapshot) Select(pathName, model string) *Chain {
	if s == nil || len(s.chains) == 0 {
		return nil
	}
	if pathName != "" {
		return s.byName[pathName]
	}
	if c := s.byName[model]; c != nil {
		return c
	}
	return s.chains[0]
}

// Chain is one compiled chain.
type Chain struct {
	Config  ChainConfig // as it was applied, with all defaults filled in
	entries []*entry
}

// Name is the chain's name.
func (c *Chain) Name() string { return c.Config.Name }

// entry is one compiled provider of a chain.
type entry struct {
	cfg      ProviderConfig // defaults filled in
	index    int
	endpoint Endpoint
	circuit  Circuit
	key      CircuitKey
	native   map[Dialect]bool
	dialects []Dialect
}

// Deps are the leaves that a snapshot is built from.
type Deps struct {
	Circuits  Circuits
	Dialects  Dialects
	Endpoints Endpoints
}

// ChainError says why one chain of a Config could not be compiled.
type ChainError struct {
	Chain string
	Err   error // one sentence with the field's path
}

// Error implements error.
func (e *ChainError) Error() string { return fmt.Sprintf("chain %q: %v", e.Chain, e.Err) }

// Unwrap returns the cause.
func (e *ChainError) Unwrap() error { return e.Err }

// Store holds the active snapshot. A request loads it once.
type Store struct {
	deps     Deps
	observer Observer

	active atomic.Pointer[Snapshot]
	mu     sync.Mutex // orders the swaps of Apply; requests never take it
}

// NewStore returns a store without a snapshot. The observer is told of every
// one that is applied.
func NewStore(deps Deps, observer Observer) *Store {
	return &Store{deps: deps, observer: observer}
}

// Load returns the active snapshot, or nil before the first Apply.
func (s *Store) Load() *Snapshot { return s.active.Load() }

// Apply compiles cfg and makes it the active snapshot. A chain that does not
// compile keeps its former version, where it has one, and is reported as a
// *ChainError in the joined error; the others are applied all the same. A
// chain that is missing from cfg is no longer served.
func (s *Store) Apply(cfg Config) error {
	// What may take its time comes before the lock.
	chains := make([]compiled, 0, len(cfg.Chains))
	for _, cc := range cfg.Chains {
		chains = append(chains, compile(cc, s.deps))
	}
	s.mu.Lock()
	next, keys, err := assemble(chains, s.active.Load(), s.deps.Circuits)
	if len(next.chains) == 0 && err != nil {
		s.mu.Unlock()
		return err
	}
	s.active.Store(next)
	// Behind the swap, since the former snapshot may still be asked.
	s.deps.Circuits.Retain(keys)
	s.mu.Unlock()
	s.observer.Applied(next)
	return err
}

// compiled is one chain, or why it is none.
type compiled struct {
	name  string
	chain *Chain
	err   error
}

// compile does everything that can fail.
func compile(cc ChainConfig, deps Deps) compiled {
	chain, err := compileChain(cc, deps)
	return compiled{cc.Name, chain, err}
}

// assemble makes a snapshot of compiled chains, with the runtime state of their
// entries. It keeps prev's version of a chain that did not compile.
func assemble(chains []compiled, prev *Snapshot, circuits Circuits) (*Snapshot, []CircuitKey, error) {
	next := &Snapshot{byName: make(map[string]*Chain, len(chains))}
	var errs []error
	var keys []CircuitKey
	for _, c := range chains {
		if next.byName[c.name] != nil {
			errs = append(errs, &ChainError{Chain: c.name, Err: errors.New("another chain has this name; give each chain a name of its own")})
			continue
		}
		if c.err != nil {
			errs = append(errs, &ChainError{Chain: c.name, Err: c.err})
			if c.chain = prev.Chain(c.name); c.chain == nil {
				continue
			}
		} else {
			c.chain.attach(circuits)
		}
		next.chains = append(next.chains, c.chain)
		next.byName[c.name] = c.chain
		for _, e := range c.chain.entries {
			keys = append(keys, e.key)
		}
	}
	return next, keys, errors.Join(errs...)
}

// CheckChain reports why a chain would not compile, without applying it.
func (s *Store) CheckChain(cc ChainConfig) error {
	_, err := compileChain(cc, s.deps)
	return err
}

func compileChain(cc ChainConfig, deps Deps) (*Chain, error) {
	if len(cc.Providers) == 0 {
		return nil, errors.New("spec.providers is empty; list at least one provider")
	}
	cc = cc.withDefaults()
	chain := &Chain{Config: cc}
	for i, p := range cc.Providers {
		if slices.ContainsFunc(cc.Providers[:i], func(o ProviderConfig) bool { return o.Name == p.Name }) {
			return nil, fmt.Errorf("spec.providers[%d].name: %q is there twice; give each provider a name of its own", i, p.Name)
		}
		if err := p.Request.check(); err != nil {
			return nil, fmt.Errorf("spec.providers[%d] (%s): %w", i, p.Name, err)
		}
		endpoint, err := deps.Endpoints.Endpoint(p)
		if err != nil {
			return nil, fmt.Errorf("spec.providers[%d] (%s): %w", i, p.Name, err)
		}
		e := &entry{cfg: p, index: i, endpoint: endpoint, dialects: endpoint.Dialects(), native: map[Dialect]bool{}}
		for _, d := range e.dialects {
			e.native[d] = true
		}
		e.key = CircuitKey{Chain: chain.id(), Entry: p.Name, Host: endpoint.Host(), Model: modelIdentity(p)}
		chain.entries = append(chain.entries, e)
	}
	return chain, nil
}

// attach gives the entries their runtime state. It comes after everything that
// can fail, because it changes the settings of circuits that are in use.
func (c *Chain) attach(circuits Circuits) {
	for _, e := range c.entries {
		e.circuit = circuits.Circuit(e.key, e.cfg.Breaker)
	}
}

func (c *Chain) id() string { return c.Config.Namespace + "/" + c.Config.Name }

// modelIdentity is what an entry asks for, as one string.
func modelIdentity(p ProviderConfig) string {
	id := p.Model
	for _, m := range p.ModelMap {
		id += "," + m.From + "=" + m.To
	}
	return id
}

// The defaults of the object; every one of them is applied here.
const (
	DefaultConnect             = 3 * time.Second
	DefaultFirstByte           = 15 * time.Second
	DefaultFirstToken          = 60 * time.Second
	DefaultReasoningFirstToken = 180 * time.Second
	DefaultIdle                = 120 * time.Second
	DefaultChain               = 10 * time.Minute
	DefaultRetryAttempts       = 1
	DefaultRetryMaxDelay       = 2 * time.Second
	DefaultFailures            = 3
	DefaultWindow              = 10 * time.Minute
	DefaultOpenFor             = 5 * time.Minute
	DefaultFailureRatioPercent = 50
	DefaultRepeatInterval      = 4 * time.Hour
)

// withDefaults fills in what is absent: the entry's own value, the chain's,
// the one of a reasoning model, the general one.
func (cc ChainConfig) withDefaults() ChainConfig {
	cc.Retry.Attempts = or(cc.Retry.Attempts, new(DefaultRetryAttempts))
	cc.Retry.MaxDelay = or(cc.Retry.MaxDelay, DefaultRetryMaxDelay)
	cc.Timeouts.Chain = or(cc.Timeouts.Chain, DefaultChain)
	cc.Fidelity = or(cc.Fidelity, Balanced)
	cc.Providers = slices.Clone(cc.Providers)
	for i := range cc.Providers {
		p := &cc.Providers[i]
		firstToken := DefaultFirstToken
		if p.Reasoning {
			firstToken = DefaultReasoningFirstToken
		}
		t, ct := &p.Timeouts, cc.Timeouts
		t.Connect = or(t.Connect, ct.Connect, DefaultConnect)
		t.FirstByte = or(t.FirstByte, ct.FirstByte, DefaultFirstByte)
		t.FirstToken = or(t.FirstToken, ct.FirstToken, firstToken)
		t.Idle = or(t.Idle, ct.Idle, DefaultIdle)
		t.Response = or(t.Response, ct.Response)
		b, cb := &p.Breaker, cc.Breaker
		b.Failures = or(b.Failures, cb.Failures, DefaultFailures)
		b.Window = or(b.Window, cb.Window, DefaultWindow)
		b.OpenFor = or(b.OpenFor, cb.OpenFor, DefaultOpenFor)
		b.FailureRatioPercent = or(b.FailureRatioPercent, cb.FailureRatioPercent, DefaultFailureRatioPercent)
	}
	if s := cc.Notifications.Slack; s != nil {
		filled := *s
		filled.RepeatInterval = or(filled.RepeatInterval, DefaultRepeatInterval)
		cc.Notifications.Slack = &filled
	}
	return cc
}

// or returns the first of its arguments that is not the zero value.
func or[T comparable](values ...T) T {
	var zero T
	for _, v := range values {
		if v != zero {
			return v
		}
	}
	return zero
}
