package failover_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/circuit"
	"github.com/understudy-dev/understudy/internal/failover/dialect"
	"github.com/understudy-dev/understudy/internal/failover/notify"
	"github.com/understudy-dev/understudy/internal/failover/provider"
	"github.com/understudy-dev/understudy/internal/simulator"
	"github.com/understudy-dev/understudy/internal/simulator/slack"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is the core with its real leaves, in front of simulated providers on
// in-memory connections, so that it runs in a synctest bubble.
type world struct {
	t         *testing.T
	sim       *simulator.Simulator
	anthropic *simulator.Provider
	openai    *simulator.Provider
	servers   map[string]*simulator.Server
	listeners map[string]*simulator.MemoryListener
	dialling  func(context.Context) error // in the way of every connection; nil: nothing is
	provider  *provider.Provider
	ledger    *ledger
	store     *failover.Store
	engine    *failover.Engine
	seen      *recorder
	notifier  *notify.Notifier
	slack     *slack.Workspace
}

// slackClient is an HTTP client whose every connection ends at the simulated
// workspace.
func (w *world) slackClient() *http.Client {
	w.slack = slack.New(slack.Options{})
	return &http.Client{Timeout: 10 * time.Second, Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		rec := httptest.NewRecorder()
		w.slack.Handler().ServeHTTP(rec, r)
		return rec.Result(), nil
	})}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// recorder is an observer that remembers.
type recorder struct {
	forgetful bool // remembers nothing, for long runs
	mu        sync.Mutex
	attempts  []failover.Attempt
	reports   []failover.RequestReport
	bypassed  []string
}

func (r *recorder) Attempted(a failover.Attempt) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.forgetful {
		r.attempts = append(r.attempts, a)
	}
}

func (r *recorder) Finished(p failover.RequestReport) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.forgetful {
		r.reports = append(r.reports, p)
	}
}

func (r *recorder) Bypassed(_, p string, reason failover.Class) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.forgetful {
		r.bypassed = append(r.bypassed, p+" "+string(reason))
	}
}
func (r *recorder) FailedOver(_, _, _ string, _ failover.Class) {}
func (r *recorder) Applied(*failover.Snapshot)                  {}

func (r *recorder) last() failover.RequestReport {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reports[len(r.reports)-1]
}

// classes are the classes of all attempts so far, in order.
func (r *recorder) classes() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, a := range r.attempts {
		all = append(all, a.Provider+" "+string(a.Class))
	}
	return strings.Join(all, ", ")
}

func threeEntries() failover.ChainConfig {
	key := func(name string) failover.SecretRef { return failover.SecretRef{Env: name} }
	return failover.ChainConfig{Name: "support-bot", Source: "file", Providers: []failover.ProviderConfig{
		{Name: "anthropic", Type: failover.Anthropic, Model: "claude-haiku-4-5", BaseURL: "http://anthropic.test.svc", Auth: key("ANTHROPIC")},
		{Name: "openai", Type: failover.OpenAI, Model: "gpt-4o-mini", BaseURL: "http://openai.test.svc/v1", Auth: key("OPENAI")},
		{Name: "anthropic-opus", Type: failover.Anthropic, Model: "claude-opus-4-5", BaseURL: "http://anthropic.test.svc", Auth: key("ANTHROPIC")},
	}}
}

// newWorld starts everything; call it, and close it, inside the bubble.
func newWorld(t *testing.T, chain failover.ChainConfig) *world {
	t.Helper()
	return newWorldOf(t, chain, 1<<20)
}

// newWorldOf starts a world whose providers remember only so many requests.
func newWorldOf(t *testing.T, chain failover.ChainConfig, keep int) *world {
	t.Helper()
	sim, err := simulator.New(simulator.Options{Keep: keep, Providers: []simulator.ProviderConfig{
		{Name: "anthropic", Kind: simulator.Anthropic, Keys: []string{"key-of-ANTHROPIC"}},
		{Name: "openai", Kind: simulator.OpenAI, Keys: []string{"key-of-OPENAI"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, sim: sim, anthropic: sim.Provider("anthropic"), openai: sim.Provider("openai"),
		servers: map[string]*simulator.Server{}, listeners: map[string]*simulator.MemoryListener{}, seen: &recorder{},
	}
	for _, p := range sim.Providers() {
		w.serve(p.Name(), p.Handler())
	}
	w.provider = provider.New(provider.Options{Dial: w.dial, Getenv: func(name string) string {
		if name == "SLACK" {
			return "http://slack.test" + slack.DefaultWebhook
		}
		return "key-of-" + name
	}})
	dialects := dialect.New()
	w.notifier = notify.New(notify.Options{
		Snapshot: func() *failover.Snapshot { return w.store.Load() }, Secret: w.provider.Secret, Client: w.slackClient(),
		Log: slog.New(slog.DiscardHandler),
	})
	observer := failover.Observers{w.seen, w.notifier}
	w.ledger = &ledger{Circuits: circuit.NewRegistry()}
	w.store = failover.NewStore(failover.Deps{Circuits: w.ledger, Dialects: dialects, Endpoints: w.provider}, observer)
	w.engine = failover.NewEngine(w.store, dialects, observer)
	if err := w.store.Apply(failover.Config{Chains: []failover.ChainConfig{chain}}); err != nil {
		t.Fatal(err)
	}
	return w
}

// serve puts a handler behind the host of that name, in the place of what was
// there.
func (w *world) serve(name string, h http.Handler) {
	host := name + ".test.svc:80"
	if s := w.servers[name]; s != nil {
		s.Stop()
	}
	s, err := simulator.NewServer(h, simulator.ServerOptions{Listen: func() (net.Listener, error) {
		l := simulator.NewMemoryListener()
		w.listeners[host] = l
		return l, nil
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.servers[name] = s
}

func (w *world) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if w.dialling != nil {
		if err := w.dialling(ctx); err != nil {
			return nil, &net.OpError{Op: "dial", Net: network, Err: err}
		}
	}
	l := w.listeners[addr]
	if l == nil {
		return nil, &net.OpError{Op: "dial", Err: errors.New("no such host in this test: " + addr)}
	}
	return l.Dial(ctx, network, addr)
}

func (w *world) close() {
	w.provider.CloseIdle()
	w.sim.Close()
	for _, s := range w.servers {
		s.Stop()
	}
	w.provider.CloseIdle()
	w.ledger.check(w.t)
}

// got is an answer as the app read it.
type got struct {
	status int
	header http.Header
	body   string
	err    error // nil: complete
	took   time.Duration
}

func (g got) provider() string { return g.header.Get("X-Understudy-Provider") }

// call makes one request of the app.
func (w *world) call(ctx context.Context, op failover.Operation, body string, header ...string) got {
	w.t.Helper()
	h := http.Header{"Content-Type": {"application/json"}}
	if op.Dialect == failover.AnthropicMessages {
		h.Set("Anthropic-Version", "2023-06-01")
	}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	from := time.Now()
	a := w.engine.Serve(ctx, &failover.Request{Operation: op, Header: h, Body: failover.NewReplay([]byte(body)), Received: from})
	defer a.Close()
	g := got{status: a.Status, header: a.Header}
	var whole strings.Builder
	for {
		piece, err := a.Next()
		whole.Write(piece)
		if err != nil {
			if err != io.EOF {
				g.err = err
			}
			g.body, g.took = whole.String(), time.Since(from)
			return g
		}
	}
}

// chat and message are requests in the two dialects.
func chat(text string, stream bool) string {
	return fmt.Sprintf(`{"model":"gpt-4o","stream":%t,"messages":[{"role":"user","content":%q}]}`, stream, text)
}

func message(text string, stream bool) string {
	return fmt.Sprintf(`{"model":"claude-sonnet-4-5","max_tokens":500,"stream":%t,"messages":[{"role":"user","content":%q}]}`, stream, text)
}

// apps are the ways to ask.
var apps = []struct {
	name string
	op   failover.Operation
	body func(text string) string
	end  string // what a complete answer holds
}{
	{"chat unary", failover.ChatCompletions, func(s string) string { return chat(s, false) }, `"finish_reason":"stop"`},
	{"chat stream", failover.ChatCompletions, func(s string) string { return chat(s, true) }, "data: [DONE]"},
	{"messages unary", failover.Messages, func(s string) string { return message(s, false) }, `"stop_reason":"end_turn"`},
	{"messages stream", failover.Messages, func(s string) string { return message(s, true) }, `"type":"message_stop"`},
	{"responses unary", failover.Responses, func(s string) string { return response(s, false, "") }, `"status":"completed"`},
	{"responses stream", failover.Responses, func(s string) string { return response(s, true, "") }, "event: response.completed"},
}
