package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/understudy-dev/understudy/internal/failover"
)

// What a chain's series are made of. A series that appears with its first
// event hides that event from every rate, and an outage may be few events: the
// third failure opens the circuit.
var (
	outcomes = []failover.Outcome{failover.Succeeded, failover.CallerError, failover.ExhaustedAll, failover.Interrupted, failover.Canceled}
	asked    = []struct {
		dialect failover.Dialect
		stream  string
	}{
		{failover.OpenAIChat, "false"},
		{failover.OpenAIChat, "true"},
		{failover.AnthropicMessages, "false"},
		{failover.AnthropicMessages, "true"},
		{failover.OpenAIResponses, "false"},
		{failover.OpenAIResponses, "true"},
		{failover.OpenAIEmbeddings, "false"},
	}
	// faults are the reasons for which a provider is left for another.
	faults = []failover.Class{
		failover.Unauthorized, failover.PermissionDenied, failover.QuotaExceeded, failover.RateLimited, failover.ModelNotFound,
		failover.NotFound, failover.Overloaded, failover.ServerError, failover.BadGateway, failover.ServiceUnavailable,
		failover.GatewayTimeout, failover.Redirected, failover.Blocked, failover.UnexpectedContent, failover.EmptyAnswer,
		failover.ConnectTimeout, failover.FirstByteTimeout, failover.FirstTokenTimeout, failover.ResponseTimeout, failover.IdleTimeout,
		failover.ConnectionRefused, failover.ConnectionReset, failover.DNSError, failover.TLSError, failover.EgressDown, failover.Truncated,
		failover.ContextTooLong, failover.InvalidRequest, // when the next provider may take it
	}
	passed = []failover.Class{failover.CircuitOpen, failover.NoCredential, failover.Unauthorized, failover.QuotaExceeded, failover.RateLimited}
)

// Applied implements failover.Observer: it makes the series of what is new and
// removes those of what is gone.
func (m *Metrics) Applied(s *failover.Snapshot) {
	m.applying.Lock()
	defer m.applying.Unlock()
	next := &known{snapshot: s, chains: map[string]map[string]bool{}}
	for _, c := range s.Chains() {
		next.chains[c.Name()] = m.make(c.Config)
	}
	prev := m.snapshot.Swap(next)
	if prev != nil {
		m.forget(prev, next)
	}
}

// make creates the series of a chain and returns its providers. Of the pairs
// of a failover only neighbours have zeros, because all pairs are many.
func (m *Metrics) make(cfg failover.ChainConfig) map[string]bool {
	providers := make(map[string]bool, len(cfg.Providers))
	for i, p := range cfg.Providers {
		providers[p.Name] = true
		m.attempts.WithLabelValues(cfg.Name, p.Name, string(failover.OK))
		for _, reason := range faults {
			m.attempts.WithLabelValues(cfg.Name, p.Name, string(reason))
			if i > 0 {
				m.failovers.WithLabelValues(cfg.Name, cfg.Providers[i-1].Name, p.Name, string(reason))
			}
		}
		for _, reason := range passed {
			m.bypassed.WithLabelValues(cfg.Name, p.Name, string(reason))
		}
		for _, direction := range []string{"input", "cached_input", "output"} {
			m.tokens.WithLabelValues(cfg.Name, p.Name, direction)
		}
	}
	for _, a := range asked {
		for _, outcome := range outcomes {
			m.requests.WithLabelValues(cfg.Name, string(a.dialect), a.stream, string(outcome))
		}
	}
	m.malformed.WithLabelValues(cfg.Name)
	for _, h := range []*prometheus.HistogramVec{m.firstToken, m.duration, m.overhead} {
		h.WithLabelValues(cfg.Name)
	}
	m.generation.WithLabelValues(cfg.Name, cfg.Source).Set(float64(cfg.Revision))
	return providers
}

// forget removes the series of names that next does not have.
func (m *Metrics) forget(prev, next *known) {
	for _, c := range prev.snapshot.Chains() {
		if now := next.snapshot.Chain(c.Name()); now == nil || now.Config.Source != c.Config.Source {
			m.generation.DeleteLabelValues(c.Name(), c.Config.Source)
		}
	}
	for chain, providers := range prev.chains {
		if next.chains[chain] == nil {
			m.removeAll(prometheus.Labels{"chain": chain}, m.requests, m.attempts, m.failovers, m.bypassed, m.tokens, m.malformed)
			for _, h := range []*prometheus.HistogramVec{m.firstToken, m.duration, m.overhead} {
				h.DeletePartialMatch(prometheus.Labels{"chain": chain})
			}
			continue
		}
		for p := range providers {
			if !next.chains[chain][p] {
				m.removeAll(prometheus.Labels{"chain": chain, "provider": p}, m.attempts, m.bypassed, m.tokens)
				m.removeAll(prometheus.Labels{"chain": chain, "from": p}, m.failovers)
				m.removeAll(prometheus.Labels{"chain": chain, "to": p}, m.failovers)
			}
		}
	}
}

func (m *Metrics) removeAll(labels prometheus.Labels, vecs ...*prometheus.CounterVec) {
	for _, v := range vecs {
		v.DeletePartialMatch(labels)
	}
}
