package controller

import (
	"context"
	"errors"
	"slices"

	"github.com/understudy-dev/understudy/internal/failover"
)

// Results of one version of a chain.
const (
	resultApplied  = "applied"
	resultRejected = "rejected"
	resultDeleted  = "deleted"
)

// merger owns the list of chains, and applies the whole list to the store. It
// is used by one goroutine: the one of New, then its own.
type merger struct {
	opts  Options
	calls chan func()

	named   []string                                   // --chain, in order
	order   []string                                   // other chains, as the files gave them
	dropped map[string]bool                            // that no file holds any more
	chains  map[string]map[string]failover.ChainConfig // by name and source
}

func newMerger(o Options) *merger {
	m := &merger{opts: o, calls: make(chan func()), dropped: map[string]bool{}, chains: map[string]map[string]failover.ChainConfig{}}
	for _, name := range o.Chains {
		if !slices.Contains(m.named, name) {
			m.named = append(m.named, name)
		}
	}
	return m
}

// run does what the sources ask for, one thing after the other.
func (m *merger) run(ctx context.Context) {
	for {
		select {
		case call := <-m.calls:
			call()
		case <-ctx.Done():
			return
		}
	}
}

// handover is the way to a merger that runs.
type handover struct {
	ctx    context.Context
	merger *merger
}

// offer waits until the version is in use or refused. It returns the context's
// error if that ends first.
func (h handover) offer(cc failover.ChainConfig) error {
	var result error
	if err := h.do(func() { result = h.merger.offer(cc) }); err != nil {
		return err
	}
	return result
}

func (h handover) drop(chain string) { _ = h.do(func() { h.merger.drop(chain) }) }

func (h handover) do(f func()) error {
	done := make(chan struct{})
	select {
	case h.merger.calls <- func() { f(); close(done) }:
		<-done // the merger has taken it, and waits for nobody
		return nil
	case <-h.ctx.Done():
		return h.ctx.Err()
	}
}

// precedence of the sources, the strongest first.
var precedence = [...]string{sourceAPI, sourceCache, sourceFile}

// offer takes a version of a chain and reports what became of it. On an error
// what was served before is still served.
func (m *merger) offer(cc failover.ChainConfig) error {
	err := m.apply(cc)
	m.report(cc.Name, cc.Source, err)
	return err
}

func (m *merger) apply(cc failover.ChainConfig) error {
	if err := m.opts.Store.CheckChain(cc); err != nil {
		return err
	}
	if !slices.Contains(m.named, cc.Name) && !slices.Contains(m.order, cc.Name) {
		m.order = append(m.order, cc.Name)
	}
	bySource := m.chains[cc.Name]
	if bySource == nil {
		bySource = map[string]failover.ChainConfig{}
		m.chains[cc.Name] = bySource
	}
	before, had := bySource[cc.Source]
	bySource[cc.Source] = cc
	delete(m.dropped, cc.Name)
	err := m.opts.Store.Apply(m.config())
	if ce, ok := errors.AsType[*failover.ChainError](err); ok && ce.Chain == cc.Name {
		if delete(bySource, cc.Source); had {
			bySource[cc.Source] = before
		}
		return ce.Err
	}
	return nil
}

// drop notes a chain that was taken out of a file which still holds others. It
// is served on under its name, but is no longer what an app gets that names
// none: a chain that is given another name must take effect.
func (m *merger) drop(chain string) {
	m.dropped[chain] = true
	m.gone(chain, sourceFile)
}

// config is the whole list, in an order that the sources' timing does not
// change: the named chains first, then the files'.
func (m *merger) config() failover.Config {
	var cfg failover.Config
	var last []string
	for _, name := range m.order {
		if m.dropped[name] {
			last = append(last, name)
		}
	}
	kept := slices.DeleteFunc(slices.Clone(m.order), func(name string) bool { return m.dropped[name] })
	for _, name := range slices.Concat(m.named, kept, last) {
		for _, source := range precedence {
			if cc, ok := m.chains[name][source]; ok {
				cfg.Chains = append(cfg.Chains, cc)
				break
			}
		}
	}
	return cfg
}

// report tells what became of a version. Every goroutine may call it.
func (m *merger) report(chain, source string, err error) {
	result := resultApplied
	if err != nil {
		result = resultRejected
		m.opts.Log.Error("chain rejected; the former version stays in use", "chain", chain, "source", source, "error", err.Error())
		if m.opts.Rejected != nil {
			m.opts.Rejected(chain, err)
		}
	}
	m.reloaded(chain, source, result)
}

// gone tells that a chain is no longer written anywhere. It stays in use: a
// deletion must not be an outage. Every goroutine may call it.
func (m *merger) gone(chain, source string) {
	m.opts.Log.Warn("chain deleted; its last version stays in use until the pod is replaced", "chain", chain, "source", source)
	m.reloaded(chain, source, resultDeleted)
}

func (m *merger) reloaded(chain, source, result string) {
	if m.opts.Reloaded != nil {
		m.opts.Reloaded(chain, source, result)
	}
}
