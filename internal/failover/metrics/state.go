package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/understudy-dev/understudy/internal/failover"
)

var (
	circuitState = prometheus.NewDesc("understudy_circuit_state",
		"State of a provider's circuit: 0 closed, 1 half-open, 2 open.", []string{"chain", "provider"}, nil)
	activeProvider = prometheus.NewDesc("understudy_active_provider",
		"1 for the provider that would be tried first now, 0 for the others.", []string{"chain", "provider"}, nil)
)

// stateCollector reads the active snapshot when it is asked.
type stateCollector struct{ metrics *Metrics }

// Describe implements prometheus.Collector.
func (c *stateCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- circuitState
	ch <- activeProvider
}

// Collect implements prometheus.Collector.
func (c *stateCollector) Collect(ch chan<- prometheus.Metric) {
	k := c.metrics.snapshot.Load()
	if k == nil {
		return
	}
	for _, chain := range k.snapshot.Status().Chains {
		for _, p := range chain.Providers {
			active := 0.0
			if p.Name == chain.Active {
				active = 1
			}
			phase := p.Circuit.Phase
			if !p.Usable() { // a missing credential is no circuit's, and as good as open
				phase = failover.Open
			}
			ch <- prometheus.MustNewConstMetric(circuitState, prometheus.GaugeValue, float64(phase), chain.Name, p.Name)
			ch <- prometheus.MustNewConstMetric(activeProvider, prometheus.GaugeValue, active, chain.Name, p.Name)
		}
	}
}
