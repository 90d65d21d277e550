package failover_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/simulator"
)

// TestRandomWalksKeepTheInvariants makes random requests in random weather and
// holds what must be true of every one:
//
//  1. a request has exactly one outcome,
//  2. what the app reads is a prefix of one entry's answer, and at most one
//     error event,
//  3. no entry is visited twice,
//  4. no visit passes a closed gate, and
//  5. the caller's mistake and the app's leaving open no circuit;
//  6. when the faults are over, every entry is used again in its order,
//  7. every permit comes back and no goroutine stays,
//  8. no key is in anything that leaves the core;
//  9. nobody is turned away while a healthy entry is in play.
func TestRandomWalksKeepTheInvariants(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 2))
	const worlds, walks = 60, 60
	outcomes := map[failover.Outcome]int{}
	for n := range worlds {
		synctest.Test(t, func(t *testing.T) {
			weather := &weather{rng: rng, world: newWorld(t, threeEntries()), outcomes: outcomes}
			defer weather.world.close()
			for i := range walks {
				weather.change(t)
				weather.ask(t)
				if t.Failed() {
					t.Fatalf("world %d, request %d, seed %d; the weather is %v and %v", n, i, seed,
						weather.world.anthropic.Faults(), weather.world.openai.Faults())
				}
			}
			weather.clearUp(t)
		})
	}
	t.Log(outcomes)
	for _, o := range []failover.Outcome{failover.Succeeded, failover.CallerError, failover.ExhaustedAll, failover.Interrupted, failover.Canceled} {
		if outcomes[o] < 5 {
			t.Errorf("only %d of the requests were %s; such weather proves little", outcomes[o], o)
		}
	}
}

// weather is a world in which anything may happen.
type weather struct {
	rng      *rand.Rand
	world    *world
	outcomes map[failover.Outcome]int
}

// chance is true once in n times.
func (w *weather) chance(n int) bool { return w.rng.IntN(n) == 0 }

// change makes or ends a fault, reloads the chain, or lets time pass.
func (w *weather) change(t *testing.T) {
	p := w.world.anthropic
	if w.chance(2) {
		p = w.world.openai
	}
	switch w.rng.IntN(6) {
	case 0, 1:
		p.Fail(w.fault(p.Kind()))
	case 2:
		p.Heal()
		if w.chance(2) {
			w.world.anthropic.Heal()
			w.world.openai.Heal()
		}
	case 3:
		time.Sleep(time.Duration(w.rng.ExpFloat64() * float64(2*time.Minute)))
	case 4:
		if w.chance(4) {
			chain := threeEntries()
			chain.Retry.Attempts = new(w.rng.IntN(2))
			chain.Breaker.Failures = 1 + w.rng.IntN(4)
			if err := w.world.store.Apply(failover.Config{Chains: []failover.ChainConfig{chain}}); err != nil {
				t.Fatal(err)
			}
		}
	case 5:
		w.world.dialling = nil
		if w.chance(5) {
			w.world.provider.CloseIdle()
			lost := noWayOut[w.rng.IntN(len(noWayOut))]
			w.world.dialling = func(context.Context) error { return lost }
		}
	}
}

func (w *weather) fault(kind simulator.Kind) simulator.Fault {
	all := simulator.Catalogue()
	for {
		f, err := simulator.Lookup(kind, all[w.rng.IntN(len(all))].Name)
		if err != nil {
			continue
		}
		f.Times = w.rng.IntN(6) // 0: until it is healed
		switch {
		case kind == simulator.Anthropic && w.chance(3):
			f.Model = "claude-haiku-4-5"
		case f.After > 0:
			f.After = 1 + w.rng.IntN(6)
		}
		return f
	}
}

// noWayOut is what a machine without a network says, and one without names.
var noWayOut = []error{syscall.ENETUNREACH, &net.DNSError{Err: "server misbehaving", IsTemporary: true}}

// ask makes one request and checks what came of it.
func (w *weather) ask(t *testing.T) {
	seen := w.world.seen
	seen.mu.Lock()
	seen.attempts, seen.reports = nil, nil
	seen.mu.Unlock()
	before := w.world.store.Load().Status()

	app := apps[w.rng.IntN(len(apps))]
	text := "Is anybody there?"
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var header []string
	spared := w.world.dialling == nil && w.healthyEntry(before.Chains[0])
	if w.chance(4) {
		spared = false
		header = []string{"X-Stainless-Timeout", fmt.Sprint(1 + w.rng.IntN(200))}
	}
	if w.chance(3) {
		time.AfterFunc(time.Duration(w.rng.ExpFloat64()*float64(5*time.Second)), cancel)
	}
	g := w.world.call(ctx, app.op, app.body(text), header...)

	seen.mu.Lock()
	defer seen.mu.Unlock()
	if len(seen.reports) != 1 {
		t.Errorf("the request has %d outcomes", len(seen.reports))
		return
	}
	report := seen.reports[0]
	w.outcomes[report.Outcome]++
	w.checkVisits(t)
	w.checkBlame(t, before)
	checkEnd(t, app.op, app.end, g, report)
	checkText(t, g)
	if spared && report.Outcome == failover.ExhaustedAll {
		t.Errorf("a healthy entry was not asked: %s", g.body)
	}
	for _, out := range []string{g.body, fmt.Sprint(g.header), fmt.Sprint(seen.attempts), fmt.Sprint(seen.reports)} {
		if strings.Contains(out, "key-of-") {
			t.Errorf("a key is in %s", out)
		}
	}
}

// healthyEntry reports whether an entry is closed whose provider has no fault.
func (w *weather) healthyEntry(c failover.ChainStatus) bool {
	return slices.ContainsFunc(c.Providers, func(p failover.ProviderStatus) bool {
		name, _, _ := strings.Cut(p.Name, "-")
		return p.State == "Closed" && len(w.world.sim.Provider(name).Faults()) == 0
	})
}

// checkVisits holds that an entry's tries follow each other, and are no more
// than the retry rule allows. Requires the recorder's lock.
func (w *weather) checkVisits(t *testing.T) {
	limit := 1 + *w.world.store.Load().Chains()[0].Config.Retry.Attempts
	tries := map[string]int{}
	last := ""
	for _, a := range w.world.seen.attempts {
		if tries[a.Provider]++; a.Provider != last && tries[a.Provider] > 1 || tries[a.Provider] > limit {
			t.Errorf("an entry was visited twice: %v", w.world.seen.attempts)
		}
		last = a.Provider
	}
}

// checkBlame holds that a circuit opened only where a try of this request, or
// of a sibling, gave a reason. Requires the recorder's lock.
func (w *weather) checkBlame(t *testing.T, before failover.Status) {
	harmless := map[failover.Class]bool{
		failover.OK: true, failover.InvalidRequest: true, failover.ContextTooLong: true, failover.ContentPolicy: true,
		failover.RequestTooLarge: true, failover.ClientClosed: true, failover.Conflict: true,
	}
	for _, a := range w.world.seen.attempts {
		if !harmless[a.Class] {
			return
		}
	}
	for i, p := range w.world.store.Load().Status().Chains[0].Providers {
		if was := before.Chains[0].Providers[i]; p.State == "Open" && was.State != "Open" {
			t.Errorf("%v opened %s", w.world.seen.attempts, p.Name)
		}
	}
}

// checkEnd holds that an answer ends as its outcome says.
func checkEnd(t *testing.T, op failover.Operation, end string, g got, r failover.RequestReport) {
	complete := strings.Contains(g.body, end)
	broken := errorsIn(g.body) > 0
	switch r.Outcome {
	case failover.Succeeded:
		if g.status != 200 || g.err != nil || !complete || broken {
			t.Errorf("a success is %d, %v: %s", g.status, g.err, g.body)
		}
	case failover.Interrupted:
		if g.status != 200 || g.err != failover.ErrAborted || complete || errorsIn(g.body) != 1 {
			t.Errorf("an interruption is %d, %v: %s", g.status, g.err, g.body)
		}
	case failover.Canceled:
		if g.status == 200 && (g.err == nil || complete) {
			t.Errorf("a request that the app left is %d, %v: %s", g.status, g.err, g.body)
		}
	case failover.CallerError, failover.ExhaustedAll:
		if g.status < 400 || g.err != nil || !broken {
			t.Errorf("a refusal is %d, %v: %s", g.status, g.err, g.body)
		}
		own := g.header.Get("X-Understudy-Origin") == "sidecar"
		if own != (r.Outcome == failover.ExhaustedAll) || own && g.status != 429 && g.status != 503 {
			t.Errorf("%q is %d with the origin %v: %s", r.Outcome, g.status, own, g.body)
		}
	default:
		t.Errorf("the outcome is %q", r.Outcome)
	}
}

// errorsIn counts the errors in an answer of any dialect. Responses repeats the
// absence of one, and its error event is flat.
func errorsIn(body string) int {
	return strings.Count(body, `"error":{`) + strings.Count(body, `"type":"error","code":`)
}

// checkText holds that the text is one entry's, from its start.
func checkText(t *testing.T, g got) {
	if g.status != 200 {
		return
	}
	if strings.Contains(g.body, `"object":"response"`) && !strings.Contains(g.body, `"output_text"`) {
		return // a response may be complete and say nothing, as a completion may that only stops
	}
	provider, model, _ := strings.Cut(map[string]string{
		"anthropic": "anthropic claude-haiku-4-5", "openai": "openai gpt-4o-mini", "anthropic-opus": "anthropic claude-opus-4-5",
	}[g.provider()], " ")
	want := fmt.Sprintf("Hello from %s: this is %s, and your request arrived.", provider, model)
	if text := textOf(g.body); !strings.HasPrefix(want, text) || g.err == nil && text != want {
		t.Errorf("%s says %q: %s", g.provider(), text, g.body)
	}
}

// textOf collects every text of an answer in any dialect.
func textOf(body string) string {
	var all strings.Builder
	collect := func(data string) {
		var v map[string]any
		if json.Unmarshal([]byte(data), &v) != nil {
			return
		}
		if delta, ok := v["delta"].(string); ok && v["type"] == "response.output_text.delta" {
			all.WriteString(delta)
		}
		// Events of an unknown type are the app's to pass over.
		if kind, _ := v["type"].(string); kind == "" || strings.HasPrefix(kind, "message") || strings.HasPrefix(kind, "content_block") {
			collectText(&all, v)
		}
	}
	if strings.HasPrefix(body, "{") {
		collect(body)
	}
	for line := range strings.Lines(body) {
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			collect(data)
		}
	}
	return all.String()
}

func collectText(out *strings.Builder, v any) {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			collectText(out, x)
		}
	case map[string]any:
		for name, x := range v {
			if s, ok := x.(string); ok && (name == "text" || name == "content") {
				out.WriteString(s)
			} else if name != "error" {
				collectText(out, x)
			}
		}
	}
}

// clearUp ends all faults, and holds that the entries are used again in their
// order once the longest hold is over.
func (w *weather) clearUp(t *testing.T) {
	w.world.anthropic.Heal()
	w.world.openai.Heal()
	w.world.dialling = nil
	time.Sleep(2 * time.Hour)
	for range 3 {
		app := apps[w.rng.IntN(len(apps))]
		answered(t, w.world.call(t.Context(), app.op, app.body("hello")), "anthropic", "false", app.end)
	}
	w.world.anthropic.Fail(simulator.Fault{Effect: simulator.Respond, Status: 529})
	app := apps[w.rng.IntN(len(apps))]
	answered(t, w.world.call(t.Context(), app.op, app.body("hello")), "openai", "true", app.end)
	w.world.openai.Fail(simulator.Fault{Effect: simulator.Respond, Status: 503})
	w.world.anthropic.Heal()
	w.world.anthropic.Fail(simulator.Fault{Effect: simulator.Respond, Status: 529, Model: "claude-haiku-4-5"})
	answered(t, w.world.call(t.Context(), app.op, app.body("hello")), "anthropic-opus", "true", app.end)
}
