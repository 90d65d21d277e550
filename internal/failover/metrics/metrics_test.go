package metrics

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
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
func (endpoints) Quirks() failover.Quirks                   { return failover.Quirks{} }
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
	want := []string{
		`understudy_active_provider{chain="chain",provider="a"} 1`,
		`understudy_attempts_total{chain="chain",class="OK",provider="b"} 1`,
		`understudy_attempts_total{chain="chain",class="Overloaded",provider="a"} 1`,
		`understudy_bypassed_total{chain="chain",provider="a",reason="CircuitOpen"} 1`,
		`understudy_failovers_total{chain="chain",from="a",reason="Overloaded",to="b"} 1`,
		`understudy_refused_total 1`,
		`understudy_requests_total{chain="chain",dialect="OpenAIChat",outcome="succeeded",stream="true"} 1`,
		`understudy_tokens_total{chain="chain",direction="input",provider="b"} 7`,
		`understudy_tokens_total{chain="chain",direction="output",provider="b"} 5`,
	}
	if got := series(t, m, func(line string) bool {
		return !strings.HasSuffix(line, " 0") && !strings.Contains(line, "_seconds") && !strings.Contains(line, "build_info")
	}); !slices.Equal(got, want) {
		t.Errorf("the series are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// series lists the product's own series that match, sorted.
func series(t *testing.T, m *Metrics, match func(string) bool) []string {
	t.Helper()
	rec := httptest.NewRecorder()
	m.Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	var all []string
	for line := range strings.Lines(rec.Body.String()) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "understudy_") && match(line) {
			all = append(all, line)
		}
	}
	slices.Sort(all)
	return all
}

// namesOf lists the names of series.
func namesOf(lines []string) []string {
	var names []string
	for _, line := range lines {
		name, _, _ := strings.Cut(line, "{")
		name, _, _ = strings.Cut(name, " ")
		names = append(names, strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"), "_count"))
	}
	return slices.Compact(names)
}

func TestEverySeriesHasItsZero(t *testing.T) {
	m := New("v1")
	m.Expect([]string{"Failover", "Recovery"}, []string{"sent", "failed"})
	apply(t, m, "a", "b", "c")
	all := series(t, m, func(string) bool { return true })
	want := []string{
		"understudy_active_provider", "understudy_attempts_total", "understudy_build_info", "understudy_bypassed_total", "understudy_circuit_state",
		"understudy_config_generation", "understudy_config_last_success_timestamp_seconds", "understudy_config_reloads_total", "understudy_failovers_total",
		"understudy_notifications_total", "understudy_overhead_seconds", "understudy_refused_total", "understudy_request_duration_seconds",
		"understudy_requests_total", "understudy_stream_malformed_events_total", "understudy_time_to_first_token_seconds", "understudy_tokens_total",
	}
	if got := namesOf(all); !slices.Equal(got, want) {
		t.Errorf("the names are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	before := len(all)
	for _, reason := range faults {
		m.Attempted(failover.Attempt{Chain: "chain", Provider: "a", Class: reason})
		m.FailedOver("chain", "a", "b", reason)
	}
	m.Finished(failover.RequestReport{Chain: "chain", Dialect: failover.AnthropicMessages, Outcome: failover.ExhaustedAll})
	m.Notified("Failover", "sent")
	m.Reloaded("chain", "api", "rejected")
	if after := len(series(t, m, func(string) bool { return true })); after != before {
		t.Errorf("%d series appeared with their first event", after-before)
	}
	apply(t, m, "b")
	if left := series(t, m, func(line string) bool {
		return strings.Contains(line, `="a"`) || strings.Contains(line, `="c"`) || strings.HasPrefix(line, "understudy_failovers_total")
	}); len(left) > 0 {
		t.Errorf("of providers that are gone these stay:\n%s", strings.Join(left, "\n"))
	}
}

// TestEveryReasonIsKnown reads the closed set of reasons from its source: a new
// one must be given its zeros, or a word here on why it needs none.
func TestEveryReasonIsKnown(t *testing.T) {
	without := []failover.Class{
		failover.OK, failover.ContentPolicy, failover.RequestTooLarge, failover.Conflict, failover.ClientClosed, failover.DeadlineExceeded, // end the walk
		failover.CircuitOpen, failover.NoCredential, failover.NoModel, failover.Ineligible, // passed over
		failover.NotConfigured, failover.Exhausted, failover.Internal, // our own answers
	}
	file, err := parser.ParseFile(token.NewFileSet(), "../fault.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); !ok || kind.Name != "Class" {
			return true
		}
		n++
		text, _ := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if class := failover.Class(text); slices.Contains(faults, class) == slices.Contains(without, class) {
			t.Errorf("%s is in both lists or in none", class)
		}
		return true
	})
	if n != len(faults)+len(without) {
		t.Errorf("%d reasons were read, and %d are listed", n, len(faults)+len(without))
	}
}

func TestOnlyAnAppliedVersionIsASuccess(t *testing.T) {
	m := New("v1")
	apply(t, m, "a") // as after a rejected version: the former one is in use again
	m.Reloaded("chain", "file", "rejected")
	if v := testutil.ToFloat64(m.lastSuccess); v != 0 {
		t.Errorf("a rejected version is a success at %v", v)
	}
	m.Reloaded("chain", "file", "applied")
	if v := testutil.ToFloat64(m.lastSuccess); v == 0 {
		t.Error("an applied version is no success")
	}
}

func TestTheGenerationFollowsItsSource(t *testing.T) {
	m := New("v1")
	store := failover.NewStore(failover.Deps{Circuits: circuit.NewRegistry(), Dialects: dialect.New(), Endpoints: endpoints{}}, m)
	for _, cc := range []failover.ChainConfig{{Source: "cache", Revision: 3}, {Source: "api", Revision: 4}} {
		cc.Name, cc.Providers = "chain", []failover.ProviderConfig{{Name: "a"}}
		if err := store.Apply(failover.Config{Chains: []failover.ChainConfig{cc}}); err != nil {
			t.Fatal(err)
		}
	}
	got := series(t, m, func(line string) bool { return strings.HasPrefix(line, "understudy_config_generation") })
	if want := []string{`understudy_config_generation{chain="chain",source="api"} 4`}; !slices.Equal(got, want) {
		t.Errorf("the generations are %q", got)
	}
}

// TestALateReportBringsNothingBack counts for a chain while it is removed.
func TestALateReportBringsNothingBack(t *testing.T) {
	m := New("v1")
	for range 50 {
		apply(t, m, "a", "b")
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 50 {
					m.Attempted(failover.Attempt{Chain: "chain", Provider: "a", Class: failover.OK})
					m.FailedOver("chain", "a", "b", failover.Overloaded)
				}
			})
		}
		apply(t, m, "b")
		wg.Wait()
		if left := series(t, m, func(line string) bool { return strings.Contains(line, `="a"`) }); len(left) > 0 {
			t.Fatalf("these came back: %s", left)
		}
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
