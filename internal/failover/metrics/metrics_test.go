package metrics

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/circuit"
	"github.com/understudy-dev/understudy/internal/failover/dialect"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type endpoints struct{}

func (endpoints) Endpoint(failover.ProviderConfig) (failover.Endpoint, error) {
	return endpoints{}, nil
}
func (endpoints) Host() string                              { return "https://h:443" }
func (endpoints) Dialects() []failover.Dialect              { return nil }
func (endpoints) MaxTokensField() string                    { return "" }
func (endpoints) Credential() (failover.Credentials, error) { return failover.Credentials{}, nil }
func (endpoints) Send(context.Context, failover.Call) (*http.Response, error) {
	return nil, errors.New("nobody")
}

func apply(t *testing.T, m *Metrics, providers ...string) {
	t.Helper()
	store := failover.NewStore(failover.Deps{Circuits: circuit.NewRegistry(), Dialects: dialect.New(), Endpoints: endpoints{}}, m)
	cc := failover.ChainConfig{Name: "chain", Source: "file"}
	for _, p := range providers {
		cc.Providers = append(cc.Providers, failover.ProviderConfig{Name: p})
	}
	if err := store.Apply(failover.Config{Chains: []failover.ChainConfig{cc}}); err != nil {
		t.Fatal(err)
	}
}

func TestTheSeriesSayWhatHappened(t *testing.T) {
	m := New("v1")
	apply(t, m, "a", "b")
	m.Attempted(failover.Attempt{Chain: "chain", Provider: "a", Class: failover.Overloaded})
	m.FailedOver("chain", "a", "b", failover.Overloaded)
	m.Bypassed("chain", "a", failover.CircuitOpen)
	m.Attempted(failover.Attempt{Chain: "chain", Provider: "b", Class: failover.OK})
	m.Finished(failover.RequestReport{Chain: "chain", Provider: "b", Dialect: failover.OpenAIChat, Stream: true, Outcome: failover.Succeeded, Usage: failover.Usage{Input: 7, Output: 5}})
	m.Finished(failover.RequestReport{Outcome: failover.Refused})
	m.Attempted(failover.Attempt{Chain: "chain", Provider: "unknown", Class: failover.OK}) // of another snapshot
	m.Finished(failover.RequestReport{Chain: "unknown", Outcome: failover.Succeeded})
	want := `
# HELP understudy_active_provider 1 for the provider that would be tried first now, 0 for the others.
# TYPE understudy_active_provider gauge
understudy_active_provider{chain="chain",provider="a"} 1
understudy_active_provider{chain="chain",provider="b"} 0
# HELP understudy_attempts_total Tries of a provider, by what came of them.
# TYPE understudy_attempts_total counter
understudy_attempts_total{chain="chain",class="OK",provider="a"} 0
understudy_attempts_total{chain="chain",class="OK",provider="b"} 1
understudy_attempts_total{chain="chain",class="Overloaded",provider="a"} 1
# HELP understudy_bypassed_total Requests that passed a provider over without a try.
# TYPE understudy_bypassed_total counter
understudy_bypassed_total{chain="chain",provider="a",reason="CircuitOpen"} 1
# HELP understudy_failovers_total Requests that tried one provider and left it for another.
# TYPE understudy_failovers_total counter
understudy_failovers_total{chain="chain",from="a",reason="Overloaded",to="b"} 1
# HELP understudy_refused_total Requests that the sidecar itself refused before any chain was asked.
# TYPE understudy_refused_total counter
understudy_refused_total 1
# HELP understudy_requests_total Requests of the app, by how they ended.
# TYPE understudy_requests_total counter
understudy_requests_total{chain="chain",dialect="OpenAIChat",outcome="succeeded",stream="true"} 1
# HELP understudy_tokens_total Tokens as the providers counted them; input includes cached_input.
# TYPE understudy_tokens_total counter
understudy_tokens_total{chain="chain",direction="input",provider="b"} 7
understudy_tokens_total{chain="chain",direction="output",provider="b"} 5
`
	if err := testutil.GatherAndCompare(m.registry, strings.NewReader(want), "understudy_active_provider", "understudy_attempts_total",
		"understudy_bypassed_total", "understudy_failovers_total", "understudy_refused_total", "understudy_requests_total", "understudy_tokens_total"); err != nil {
		t.Error(err)
	}
	apply(t, m, "b")
	if n, err := testutil.GatherAndCount(m.registry, "understudy_attempts_total", "understudy_failovers_total", "understudy_circuit_state"); err != nil || n != 2 {
		t.Errorf("%d series of the former providers stay, %v", n-2, err)
	}
}

func TestTheNamesAreWellFormed(t *testing.T) {
	m := New("v1")
	apply(t, m, "a", "b", "c")
	m.Notified("Failover", "sent")
	m.Reloaded("chain", "file", "applied")
	problems, err := testutil.GatherAndLint(m.registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}
