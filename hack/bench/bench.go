package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// bench is one run: three ways to one provider, and what was measured.
type bench struct {
	opts     options
	provider target
	direct   *target
	nginx    *target // nil where it is not installed
	plain    *target
	sidecar  *target
	dir      string
	rows     []row
	samples  map[string]map[string][]float64 // by measure and target
}

// row is one line of the table.
type row struct{ measure, unit string }

func newBench(ctx context.Context, o options) (*bench, error) {
	dir, err := os.MkdirTemp("", "understudy-bench-")
	if err != nil {
		return nil, err
	}
	b := &bench{opts: o, dir: dir, samples: map[string]map[string][]float64{}}
	addr := freeAddr()
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if b.provider.cmd, err = start(ctx, "1", nil, self, "provider", addr); err != nil {
		return nil, err
	}
	url := "http://" + addr
	if err := await(url + "/"); err != nil {
		return nil, err
	}
	b.direct = &target{name: "direct", client: newClient(url)}

	front, admin := freeAddr(), freeAddr()
	b.plain = &target{name: "plain", client: newClient("http://" + front), admin: "http://" + admin}
	if b.plain.cmd, err = start(ctx, "0", nil, self, "plain", front, admin, url); err != nil {
		return nil, err
	}
	if err := await("http://" + admin); err != nil {
		return nil, err
	}
	if b.nginx, err = startNginx(ctx, dir, addr); err != nil {
		return nil, err
	}
	b.sidecar, err = b.startSidecar(ctx, url)
	return b, err
}

// startSidecar runs the binary on a chain file with the stand-in as provider.
func (b *bench) startSidecar(ctx context.Context, url string) (*target, error) {
	chain := fmt.Sprintf(`apiVersion: understudy.dev/v1alpha1
kind: ProviderChain
metadata: {name: bench}
spec:
  providers:
  - {name: primary, type: OpenAICompatible, baseURL: "%[1]s/v1"}
  - {name: backup, type: OpenAICompatible, baseURL: "%[1]s/v1"}
---
apiVersion: understudy.dev/v1alpha1
kind: ProviderChain
metadata: {name: translated}
spec:
  providers:
  - {name: primary, type: Anthropic, model: m, baseURL: "%[1]s", auth: {env: BENCH_KEY}}
`, url)
	file := filepath.Join(b.dir, "chain.yaml")
	if err := os.WriteFile(file, []byte(chain), 0o600); err != nil {
		return nil, err
	}
	t, took, err := b.runSidecar(ctx, []string{"BENCH_KEY=bench"}, "--chain-file", file)
	if err == nil {
		b.sample("start to serving", "ms", "sidecar", float64(took.Milliseconds()))
	}
	return t, err
}

// runSidecar starts the binary and waits until it has a chain.
func (b *bench) runSidecar(ctx context.Context, env []string, args ...string) (*target, time.Duration, error) {
	front, admin := freeAddr(), freeAddr()
	t := &target{name: "sidecar", client: newClient("http://" + front), admin: "http://" + admin}
	from := time.Now()
	var err error
	t.cmd, err = start(ctx, "0", env, b.opts.sidecar, append([]string{"run", "--listen", front, "--admin-listen", admin, "--log-level", "error"}, args...)...)
	if err != nil {
		return nil, 0, err
	}
	if err := await("http://" + admin + "/readyz"); err != nil {
		t.stop()
		return nil, 0, err
	}
	return t, time.Since(from), nil
}

func (b *bench) close() {
	for _, t := range []*target{&b.provider, b.nginx, b.plain, b.sidecar} {
		if t != nil {
			t.stop()
		}
	}
	os.RemoveAll(b.dir)
}

// proxies are the targets that are a process of their own.
func (b *bench) proxies() []*target {
	if b.nginx == nil {
		return []*target{b.plain, b.sidecar}
	}
	return []*target{b.nginx, b.plain, b.sidecar}
}

// sample adds one figure.
func (b *bench) sample(measure, unit, target string, v float64) {
	if b.samples[measure] == nil {
		b.samples[measure] = map[string][]float64{}
		b.rows = append(b.rows, row{measure, unit})
	}
	b.samples[measure][target] = append(b.samples[measure][target], v)
}

func (b *bench) scale(n int) int {
	if b.opts.quick {
		return max(1, n/10)
	}
	return n
}

func (b *bench) measure(ctx context.Context) error {
	// First, so that the others are idle meanwhile.
	if err := b.api(ctx); err != nil {
		return fmt.Errorf("watching the API: %w", err)
	}
	for _, t := range b.proxies() {
		rss, anonymous, err := t.memory()
		if err != nil {
			return err
		}
		b.sample("RSS idle", "MiB", t.name, rss/1024)
		b.sample("of it anonymous", "MiB", t.name, anonymous/1024)
	}
	for range b.opts.rounds {
		for _, t := range append([]*target{b.direct}, b.proxies()...) {
			if err := b.round(ctx, t); err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
		}
		if err := b.translated(ctx); err != nil {
			return err
		}
	}
	for _, t := range b.proxies() {
		if err := b.held(ctx, t); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		b.sample("calls lost in the whole run", "", t.name, float64(t.client.lost))
	}
	return nil
}

// round measures one target once.
func (b *bench) round(ctx context.Context, t *target) error {
	times, err := t.client.unary(ctx, chat(1024, false), b.scale(2000), 1)
	if err != nil {
		return err
	}
	b.sample("latency p50, 1 KB, one connection", "µs", t.name, quantile(times, .5))
	b.sample("latency p99, 1 KB, one connection", "µs", t.name, quantile(times, .99))
	if times, err = t.client.firstToken(ctx, b.scale(1000)); err != nil {
		return err
	}
	b.sample("first token p50", "µs", t.name, quantile(times, .5))
	b.sample("first token p99", "µs", t.name, quantile(times, .99))
	if t.cmd == nil {
		return nil
	}
	for _, l := range []load{{"1 KB", 1 << 10, 8000, 32}, {"32 KB", 32 << 10, 4000, 32}, {"1 MB", 1 << 20, 200, 4}} {
		if err := b.perRequest(ctx, t, l); err != nil {
			return err
		}
	}
	streams, tokens := 50, b.scale(200)
	before, err := t.cpu()
	if err != nil {
		return err
	}
	if err := t.client.paced(ctx, streams, tokens); err != nil {
		return err
	}
	after, err := t.cpu()
	b.sample("CPU per token, paced stream", "µs", t.name, float64((after-before).Nanoseconds())/1000/float64(streams*tokens))
	return err
}

// load is one kind of request.
type load struct {
	name                  string
	size, requests, conns int
}

// perRequest measures processor time and allocations of one kind of request.
func (b *bench) perRequest(ctx context.Context, t *target, l load) error {
	n := b.scale(l.requests)
	mallocs, err := t.mallocs()
	if err != nil {
		return err
	}
	before, err := t.cpu()
	if err != nil {
		return err
	}
	if _, err := t.client.unary(ctx, chat(l.size, false), n, l.conns); err != nil {
		return err
	}
	after, err := t.cpu()
	if err != nil {
		return err
	}
	b.sample("CPU per request, "+l.name, "µs", t.name, float64((after-before).Nanoseconds())/1000/float64(n))
	if t.admin == "" {
		return nil
	}
	later, err := t.mallocs()
	b.sample("allocations per request, "+l.name, "", t.name, (later-mallocs)/float64(n))
	return err
}

// translated measures the path that changes the dialect.
func (b *bench) translated(ctx context.Context) error {
	t := *b.sidecar
	t.name = "translated"
	t.client = newClient(b.sidecar.client.url + "/chains/translated")
	return b.perRequest(ctx, &t, load{"32 KB", 32 << 10, 2000, 32})
}

// held measures the memory of streams that are open and silent.
func (b *bench) held(ctx context.Context, t *target) error {
	before, _, err := t.memory()
	if err != nil {
		return err
	}
	release, err := t.client.hold(ctx, b.opts.streams)
	if err != nil {
		return err
	}
	during, _, err := t.memory()
	release()
	if err != nil {
		return err
	}
	b.sample(fmt.Sprintf("RSS per held stream, %d streams", b.opts.streams), "KiB", t.name, (during-before)/float64(b.opts.streams))
	select {
	case <-time.After(b.opts.after):
	case <-ctx.Done():
		return ctx.Err()
	}
	after, _, err := t.memory()
	b.sample(fmt.Sprintf("RSS %s after them", b.opts.after), "MiB", t.name, after/1024)
	return err
}

// print writes the table.
func (b *bench) print(w io.Writer) {
	fmt.Fprintf(w, "%d rounds, %d cores, %s; medians [lowest, highest]\n\n", b.opts.rounds, runtime.NumCPU(), runtime.Version())
	fmt.Fprintln(w, "| measure | direct | nginx | plain ReverseProxy | sidecar | ÷ plain | ÷ nginx |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|")
	for _, r := range b.rows {
		s := b.samples[r.measure]
		base := 0.0
		if len(s["direct"]) > 0 {
			base = median(s["direct"])
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | %s |\n", r.measure, cell(s["direct"], r.unit), cell(s["nginx"], r.unit),
			cell(s["plain"], r.unit), cell(s["sidecar"], r.unit), ratio(s["sidecar"], s["plain"], base), ratio(s["sidecar"], s["nginx"], base))
		if len(s["translated"]) > 0 {
			fmt.Fprintf(w, "| %s, translated | | | | %s | %s × same dialect | |\n", r.measure, cell(s["translated"], r.unit), ratio(s["translated"], s["sidecar"], 0))
		}
	}
}

// ratio compares two medians by what they have above a base, which is the
// direct way's where there is one: what a proxy adds.
func ratio(a, b []float64, base float64) string {
	if len(a) == 0 || len(b) == 0 || median(b) <= base {
		return ""
	}
	return fmt.Sprintf("%.2f", (median(a)-base)/(median(b)-base))
}

func cell(v []float64, unit string) string {
	if len(v) == 0 {
		return ""
	}
	lowest, highest := v[0], v[0]
	for _, x := range v {
		lowest, highest = min(lowest, x), max(highest, x)
	}
	out := fmt.Sprintf("%.4g", median(v))
	if unit != "" {
		out += " " + unit
	}
	if len(v) > 1 {
		out += fmt.Sprintf(" [%.4g, %.4g]", lowest, highest)
	}
	return strings.TrimSpace(out)
}
