// Package e2e runs the built sidecar as a process, between the official SDKs
// and simulated providers on real sockets.
//
// It is a module of its own, so that the SDKs stay out of the product's
// dependencies. SIDECAR names the binary; `make test-e2e` builds it.
package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/understudy-dev/understudy/internal/simulator"
	"github.com/understudy-dev/understudy/internal/simulator/slack"
)

// Keys that must appear in no output of the sidecar.
const (
	anthropicKey = "sk-ant-canary-4f1c9b"
	openAIKey    = "sk-canary-openai-77ab02"
	slackToken   = "xoxb-canary-5512"
)

// world is one sidecar with everything around it.
type world struct {
	t         *testing.T
	dir       string
	anthropic *simulator.Provider
	openai    *simulator.Provider
	servers   map[string]*simulator.Server
	slack     *slack.Workspace
	slackURL  string

	env    []string // more of the sidecar's environment
	cmd    *exec.Cmd
	url    string // of the app's port
	admin  string
	output *output
	pages  string // what the admin port showed at the end
}

// output collects what the sidecar prints.
type output struct {
	mu    sync.Mutex
	lines []string
	wake  chan struct{}
}

func (o *output) follow(r io.Reader) {
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		o.mu.Lock()
		o.lines = append(o.lines, s.Text())
		close(o.wake)
		o.wake = make(chan struct{})
		o.mu.Unlock()
	}
}

func (o *output) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Join(o.lines, "\n")
}

// await returns the first line with the given part.
func (o *output) await(t *testing.T, part string) string {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		o.mu.Lock()
		wake := o.wake
		for _, l := range o.lines {
			if strings.Contains(l, part) {
				o.mu.Unlock()
				return l
			}
		}
		o.mu.Unlock()
		select {
		case <-wake:
		case <-deadline:
			t.Fatalf("the sidecar did not print %q; it printed:\n%s", part, o.text())
		}
	}
}

// newWorld starts the providers and Slack, but no sidecar.
func newWorld(t *testing.T) *world {
	t.Helper()
	sim, err := simulator.New(simulator.Options{Keep: 100_000, Providers: []simulator.ProviderConfig{
		{Name: "anthropic", Kind: simulator.Anthropic, Keys: []string{anthropicKey}},
		{Name: "openai", Kind: simulator.OpenAI, Keys: []string{openAIKey}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	w := &world{t: t, dir: t.TempDir(), anthropic: sim.Provider("anthropic"), openai: sim.Provider("openai"), servers: map[string]*simulator.Server{}}
	for name, p := range map[string]*simulator.Provider{"anthropic": w.anthropic, "openai": w.openai} {
		w.servers[name] = startServer(t, p.Handler())
	}
	w.slack = slack.New(slack.Options{})
	t.Cleanup(w.slack.Close)
	w.slackURL = startServer(t, w.slack.Handler()).URL()
	w.secret("llm-keys", "anthropic", anthropicKey)
	w.secret("llm-keys", "openai", openAIKey)
	w.secret("slack", "url", w.slackURL+slack.DefaultWebhook)
	return w
}

func startServer(t *testing.T, h http.Handler) *simulator.Server {
	t.Helper()
	s, err := simulator.NewServer(h, simulator.ServerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// secret writes one key the way a mounted Secret shows it.
func (w *world) secret(name, key, value string) {
	w.t.Helper()
	dir := filepath.Join(w.dir, "secrets", name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		w.t.Fatal(err)
	}
	replaceFile(w.t, filepath.Join(dir, key), value)
}

// replaceFile swaps a file's content in one step.
func replaceFile(t *testing.T, path, content string) {
	t.Helper()
	tmp := path + ".new"
	if err := os.WriteFile(tmp, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(tmp, path); err != nil {
		t.Fatal(err)
	}
}

// chainOfThree is the chain of config/samples with its providers' addresses
// and, so that a test need not wait five minutes, a shorter openFor.
func (w *world) chainOfThree(openFor string) string {
	return fmt.Sprintf(`apiVersion: understudy.dev/v1alpha1
kind: ProviderChain
metadata: {name: support-bot}
spec:
  providers:
  - name: anthropic
    type: Anthropic
    model: claude-haiku-4-5
    baseURL: %[1]s
    auth: {secretKeyRef: {name: llm-keys, key: anthropic}}
  - name: openai
    type: OpenAI
    model: gpt-4o-mini
    baseURL: %[2]s/v1
    auth: {secretKeyRef: {name: llm-keys, key: openai}}
  - name: anthropic-opus
    type: Anthropic
    model: claude-opus-4-5
    baseURL: %[1]s
    auth: {secretKeyRef: {name: llm-keys, key: anthropic}}
  breaker: {openFor: %[3]s}
  notifications:
    slack:
      webhookURL: {secretKeyRef: {name: slack, key: url}}
`, w.servers["anthropic"].URL(), w.servers["openai"].URL(), openFor)
}

func (w *world) chainFile() string { return filepath.Join(w.dir, "chain.yaml") }

// start runs the sidecar on free ports and waits until it serves.
func (w *world) start(chain string, args ...string) {
	w.t.Helper()
	replaceFile(w.t, w.chainFile(), chain)
	w.run(append([]string{"--chain-file", w.chainFile()}, args...)...)
}

// run starts the sidecar with the given source of chains.
func (w *world) run(args ...string) {
	w.t.Helper()
	app, admin := freePort(w.t), freePort(w.t)
	w.url, w.admin = "http://localhost:"+app, "http://127.0.0.1:"+admin
	args = append([]string{
		"run", "--secrets-dir", filepath.Join(w.dir, "secrets"),
		"--listen", "127.0.0.1:" + app, "--admin-listen", "127.0.0.1:" + admin, "--log-level", "debug",
	}, args...)
	w.cmd = exec.Command(binary(w.t), args...)
	w.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir}, w.env...)
	r, out := io.Pipe()
	w.cmd.Stdout, w.cmd.Stderr = out, out
	w.output = &output{wake: make(chan struct{})}
	var reader sync.WaitGroup
	reader.Go(func() { w.output.follow(r) })
	if err := w.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		for _, page := range []string{"/metrics", "/status", "/"} {
			w.pages += w.get(page)
		}
		w.stop()
		out.Close()
		reader.Wait()
		w.noSecrets()
	})
	w.output.await(w.t, "chain applied")
	w.awaitReady()
}

// awaitReady polls /readyz, which is what a kubelet would do.
func (w *world) awaitReady() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		resp, err := http.Get(w.admin + "/startupz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			w.t.Fatalf("the sidecar did not get ready:\n%s", w.output.text())
		}
	}
}

// stop ends the sidecar at once: the second signal cuts the drain short.
func (w *world) stop() {
	if w.cmd.ProcessState != nil {
		return
	}
	w.cmd.Process.Signal(syscall.SIGTERM)
	w.cmd.Process.Signal(syscall.SIGTERM)
	done := make(chan struct{})
	go func() { w.cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		w.cmd.Process.Kill()
		<-done
	}
}

// noSecrets fails the test if anything that the sidecar said holds a key.
func (w *world) noSecrets() {
	for _, secret := range []string{anthropicKey, openAIKey, slackToken, slack.DefaultWebhook, "canary-prompt"} {
		if strings.Contains(w.output.text(), secret) {
			w.t.Errorf("the log holds %q", secret)
		}
		if strings.Contains(w.pages, secret) {
			w.t.Errorf("the metrics or the status hold %q", secret)
		}
		for _, m := range w.slack.Messages() {
			if strings.Contains(m.Text, secret) {
				w.t.Errorf("a Slack message holds %q", secret)
			}
		}
	}
}

// get reads a page of the admin port.
func (w *world) get(path string) string {
	w.t.Helper()
	resp, err := http.Get(w.admin + path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(b)
}

// state is a provider's state as /status shows it.
func (w *world) state(provider string) string {
	w.t.Helper()
	var status struct {
		Chains []struct {
			Providers []struct{ Name, State string }
		}
	}
	if err := json.Unmarshal([]byte(w.get("/status")), &status); err != nil {
		w.t.Fatal(err)
	}
	for _, p := range status.Chains[0].Providers {
		if p.Name == provider {
			return p.State
		}
	}
	w.t.Fatalf("the status has no provider %q", provider)
	return ""
}

// asked counts how often a model was asked for.
func asked(p *simulator.Provider, model string) int {
	n := 0
	for _, r := range p.Requests() {
		if r.Model == model {
			n++
		}
	}
	return n
}

func binary(t *testing.T) string {
	t.Helper()
	path := os.Getenv("SIDECAR")
	if path == "" {
		t.Fatal("SIDECAR is not set; run `make test-e2e`, which builds the binary and names it")
	}
	return path
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}
