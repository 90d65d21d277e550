package controller

import (
	"errors"
	"slices"
	"sync"

	"github.com/understudy-dev/understudy/internal/failover"
)

// Results of one version of a chain.
const (
	resultApplied  = "applied"
	resultRejected = "rejected"
	resultDeleted  = "deleted"
)

// merger owns the list of chains. Whoever has a new version offers it; the
// merger applies the whole list to the store.
type merger struct {
	opts Options

	mu     sync.Mutex
	named  []string                                   // --chain, in order
	order  []string                                   // other chains, as the files gave them
	chains map[string]map[string]failover.ChainConfig // by name and source
}

func newMerger(o Options) *merger {
	return &merger{opts: o, named: o.Chains, chains: map[string]map[string]failover.ChainConfig{}}
}

// precedence of the sources, the strongest first.
var precedence = [...]string{sourceAPI, sourceCache, sourceFile}

// offer hands over a version of a chain. On an error what was served before is
// still served; the caller reports it.
func (m *merger) offer(cc failover.ChainConfig) error {
	err := m.apply(cc)
	m.report(cc.Name, cc.Source, err)
	return err
}

func (m *merger) apply(cc failover.ChainConfig) error {
	if err := m.opts.Store.CheckChain(cc); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
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
	err := m.opts.Store.Apply(m.config())
	if ce, ok := errors.AsType[*failover.ChainError](err); ok && ce.Chain == cc.Name {
		if delete(bySource, cc.Source); had {
			bySource[cc.Source] = before
		}
		return ce.Err
	}
	return nil
}

// config is the whole list, in an order that the sources' timing does not
// change: the named chains first, then the files'.
func (m *merger) config() failover.Config {
	var cfg failover.Config
	for _, name := range slices.Concat(m.named, m.order) {
		for _, source := range precedence {
			if cc, ok := m.chains[name][source]; ok {
				cfg.Chains = append(cfg.Chains, cc)
				break
			}
		}
	}
	return cfg
}

// report tells of a version outside of any lock.
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
// deletion must not be an outage.
func (m *merger) gone(chain, source string) {
	m.opts.Log.Warn("chain deleted; its last version stays in use until the sidecar restarts", "chain", chain, "source", source)
	m.reloaded(chain, source, resultDeleted)
}

func (m *merger) reloaded(chain, source, result string) {
	if m.opts.Reloaded != nil {
		m.opts.Reloaded(chain, source, result)
	}
}
