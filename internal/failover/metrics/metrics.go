// Package metrics turns what the core observes into Prometheus series.
//
// The series of a chain are made when a snapshot is applied and removed with
// it, so that a rate has its zeros and a name that is gone leaves nothing
// behind. Labels are the names of chains and providers and closed sets;
// nothing from a request or an answer becomes one. What is a state rather than
// an event (circuits, the active provider) is read from the active snapshot
// when Prometheus asks.
package metrics

import (
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/understudy-dev/understudy/internal/failover"
)

// Metrics implements failover.Observer. It owns its registry.
type Metrics struct {
	registry *prometheus.Registry
	snapshot atomic.Pointer[known]
	// applying is held for reading while something is counted, so that a late
	// report cannot bring back a series that is being removed.
	applying sync.RWMutex

	requests, attempts, failovers, bypassed, tokens *prometheus.CounterVec
	firstToken, duration, overhead                  *prometheus.HistogramVec
	malformed                                       *prometheus.CounterVec
	refused                                         prometheus.Counter
	notifications, reloads                          *prometheus.CounterVec
	generation                                      *prometheus.GaugeVec
	lastSuccess                                     prometheus.Gauge
}

// known are the names of the active snapshot; a late report about another one
// is left out.
type known struct {
	snapshot *failover.Snapshot
	chains   map[string]map[string]bool // providers by chain
}

var _ failover.Observer = (*Metrics)(nil)

// Buckets: what the sidecar adds is microseconds to milliseconds; a first token
// takes seconds, a whole answer up to minutes.
var (
	overheadBuckets = []float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .05, .25}
	answerBuckets   = []float64{.1, .25, .5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640}
)

// New returns metrics with a registry of their own. version is shown as
// build information.
func New(version string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "understudy", Name: name, Help: help}, labels)
		m.registry.MustRegister(v)
		return v
	}
	histogram := func(name, help string, buckets []float64) *prometheus.HistogramVec {
		v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "understudy", Name: name, Help: help, Buckets: buckets}, []string{"chain"})
		m.registry.MustRegister(v)
		return v
	}
	m.requests = counter("requests_total", "Requests of the app, by how they ended.", "chain", "dialect", "stream", "outcome")
	m.attempts = counter("attempts_total", "Tries of a provider, by what came of them.", "chain", "provider", "class")
	m.failovers = counter("failovers_total", "Requests that tried one provider and left it for another.", "chain", "from", "to", "reason")
	m.bypassed = counter("bypassed_total", "Requests that passed a provider over without a try.", "chain", "provider", "reason")
	m.tokens = counter("tokens_total", "Tokens as the providers counted them; input includes cached_input.", "chain", "provider", "direction")
	m.malformed = counter("stream_malformed_events_total", "Events left out of a stream because they were not JSON.", "chain")
	m.notifications = counter("notifications_total", "Messages to people, by event and result.", "event", "result")
	m.reloads = counter("config_reloads_total", "Versions of a chain's configuration, by source and result.", "source", "result")
	m.firstToken = histogram("time_to_first_token_seconds", "Time until the answer's first content, of answered requests.", answerBuckets)
	m.duration = histogram("request_duration_seconds", "Time until the last byte, of answered requests.", answerBuckets)
	m.overhead = histogram("overhead_seconds", "Time until the first content less the time spent waiting for providers.", overheadBuckets)
	m.refused = prometheus.NewCounter(prometheus.CounterOpts{Namespace: "understudy", Name: "refused_total", Help: "Requests that the sidecar itself refused before any chain was asked."})
	m.generation = prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "understudy", Name: "config_generation", Help: "Generation of the chain that is served; 0 for a file."}, []string{"chain", "source"})
	m.lastSuccess = prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "understudy", Name: "config_last_success_timestamp_seconds", Help: "When a version of a chain's configuration was applied last."})
	build := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "understudy", Name: "build_info", Help: "1, with the version as a label.", ConstLabels: prometheus.Labels{"version": version}})
	build.Set(1)
	m.registry.MustRegister(m.refused, m.generation, m.lastSuccess, build, &stateCollector{m},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, source := range []string{"api", "cache", "file"} {
		for _, result := range []string{reloadApplied, "rejected", "deleted"} {
			m.reloads.WithLabelValues(source, result)
		}
	}
	return m
}

// reloadApplied is the result of a version that is in use.
const reloadApplied = "applied"

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Expect makes the zeros of the messages to people, whose events and results
// are closed sets.
func (m *Metrics) Expect(events, results []string) {
	for _, event := range events {
		for _, result := range results {
			m.notifications.WithLabelValues(event, result)
		}
	}
}

// Notified counts one message to people.
func (m *Metrics) Notified(event, result string) {
	m.notifications.WithLabelValues(event, result).Inc()
}

// Reloaded counts one version of a chain's configuration.
func (m *Metrics) Reloaded(_, source, result string) {
	m.reloads.WithLabelValues(source, result).Inc()
	if result == reloadApplied {
		m.lastSuccess.Set(float64(time.Now().Unix()))
	}
}

// has reports whether the names belong to the active snapshot.
func (m *Metrics) has(chain string, providers ...string) bool {
	k := m.snapshot.Load()
	if k == nil || k.chains[chain] == nil {
		return false
	}
	for _, p := range providers {
		if !k.chains[chain][p] {
			return false
		}
	}
	return true
}

// Attempted implements failover.Observer.
func (m *Metrics) Attempted(a failover.Attempt) {
	m.applying.RLock()
	defer m.applying.RUnlock()
	if m.has(a.Chain, a.Provider) {
		m.attempts.WithLabelValues(a.Chain, a.Provider, string(a.Class)).Inc()
	}
}

// Bypassed implements failover.Observer.
func (m *Metrics) Bypassed(chain, provider string, reason failover.Class) {
	m.applying.RLock()
	defer m.applying.RUnlock()
	if m.has(chain, provider) {
		m.bypassed.WithLabelValues(chain, provider, string(reason)).Inc()
	}
}

// FailedOver implements failover.Observer.
func (m *Metrics) FailedOver(chain, from, to string, reason failover.Class) {
	m.applying.RLock()
	defer m.applying.RUnlock()
	if m.has(chain, from, to) {
		m.failovers.WithLabelValues(chain, from, to, string(reason)).Inc()
	}
}

// Finished implements failover.Observer.
func (m *Metrics) Finished(r failover.RequestReport) {
	if r.Outcome == failover.Refused {
		m.refused.Inc()
		return
	}
	m.applying.RLock()
	defer m.applying.RUnlock()
	if !m.has(r.Chain) {
		return
	}
	m.requests.WithLabelValues(r.Chain, string(r.Dialect), strconv.FormatBool(r.Stream), string(r.Outcome)).Inc()
	if r.Malformed > 0 {
		m.malformed.WithLabelValues(r.Chain).Add(float64(r.Malformed))
	}
	if r.Outcome != failover.Succeeded || !m.has(r.Chain, r.Provider) {
		return
	}
	m.firstToken.WithLabelValues(r.Chain).Observe(r.FirstToken.Seconds())
	m.duration.WithLabelValues(r.Chain).Observe(r.Duration.Seconds())
	m.overhead.WithLabelValues(r.Chain).Observe(r.Overhead.Seconds())
	for _, t := range []struct {
		direction string
		count     int64
	}{{"input", r.Usage.Input}, {"cached_input", r.Usage.CachedInput}, {"output", r.Usage.Output}} {
		if t.count > 0 {
			m.tokens.WithLabelValues(r.Chain, r.Provider, t.direction).Add(float64(t.count))
		}
	}
}
