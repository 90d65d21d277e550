package failover_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/simulator"
)

// held is how long each outage and each recovery lasts: longer than a breaker
// is open (5 minutes), what begins together is told together (5 s) and a
// provider must serve to be back (60 s), one after the other.
const held = 7 * time.Minute

// TestOutagesOfEveryKindAreInvisibleAndToldOnce runs 20 requests a second (2
// under the race detector) with the defaults of the object through ten healthy
// minutes and then one outage of the primary after the other.
func TestOutagesOfEveryKindAreInvisibleAndToldOnce(t *testing.T) {
	outages := []struct {
		name  string
		begin func(w *world)
	}{
		{"refused", func(w *world) { w.servers["anthropic"].Stop() }},
		{"hang", func(w *world) { w.anthropic.Fail(simulator.Fault{Effect: simulator.Hang}) }},
		{"503", func(w *world) { w.anthropic.Fail(simulator.Fault{Effect: simulator.Respond, Status: 503}) }},
		{"529", func(w *world) { w.anthropic.Fail(simulator.Fault{Effect: simulator.Respond, Status: 529}) }},
		{"429 with Retry-After", func(w *world) {
			w.anthropic.Fail(simulator.Fault{Effect: simulator.Respond, Status: 429, Header: map[string]string{"Retry-After": "60"}})
		}},
		{"reset", func(w *world) { w.anthropic.Fail(simulator.Fault{Effect: simulator.Reset}) }},
		{"error event after 200", func(w *world) { w.anthropic.FailNamed("error-200"); w.anthropic.FailNamed("error-event") }},
		{"empty 200", func(w *world) { w.anthropic.FailNamed("empty-200") }},
	}
	if testing.Short() {
		t.Skip("two simulated hours")
	}
	synctest.Test(t, func(t *testing.T) {
		chain := threeEntries()
		chain.Notifications.Slack = &failover.SlackConfig{WebhookURL: failover.SecretRef{Env: "SLACK"}}
		w := newWorldOf(t, chain, 100)
		w.seen.forgetful = true
		defer w.close()
		ctx, stop := context.WithCancel(t.Context())
		var background sync.WaitGroup
		background.Go(func() { w.notifier.Run(ctx) })
		load := &load{world: w}
		background.Go(func() { load.run(ctx) })

		time.Sleep(10 * time.Minute)
		if n := len(w.slack.Messages()); n != 0 {
			t.Fatalf("%d messages in ten healthy minutes", n)
		}
		for i, o := range outages {
			o.begin(w)
			time.Sleep(held)
			messages := w.slack.Messages()
			if len(messages) != 2*i+1 {
				t.Fatalf("%s: %d messages, want %d; the last is %q", o.name, len(messages), 2*i+1, messages[len(messages)-1].Text)
			}
			if text := messages[2*i].Text; !strings.HasPrefix(text, ":rotating_light: AI Failover Activated\nPrimary: `anthropic` is down\nActive: `openai` is handling requests\nError: ") {
				t.Errorf("%s: the message is %q", o.name, text)
			}
			w.anthropic.Heal()
			if err := w.servers["anthropic"].Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(held)
			messages = w.slack.Messages()
			if len(messages) != 2*i+2 {
				t.Fatalf("%s is over: %d messages, want %d", o.name, len(messages), 2*i+2)
			}
			if text := messages[2*i+1].Text; !strings.HasPrefix(text, ":white_check_mark: AI Failover Recovered\nPrimary: `anthropic` is back\nActive: `anthropic` is handling requests\nDuration: ") {
				t.Errorf("%s is over: the message is %q", o.name, text)
			}
			if a := w.store.Load().Status().Chains[0].Active; a != "anthropic" {
				t.Fatalf("%s is over, and %q answers", o.name, a)
			}
		}
		stop()
		background.Wait()
		synctest.Wait()
		load.mu.Lock()
		defer load.mu.Unlock()
		for _, f := range load.failures[:min(5, len(load.failures))] {
			t.Error(f)
		}
		t.Logf("%d requests, %d failed", load.asked, len(load.failures))
		if span := 10*time.Minute + time.Duration(2*len(outages))*held; load.asked < int(span.Seconds())*requestsPerSecond*9/10 {
			t.Errorf("only %d requests were made", load.asked)
		}
	})
}

// load asks requestsPerSecond times a second, in all four ways.
type load struct {
	world *world

	mu       sync.Mutex
	asked    int
	failures []string
}

func (l *load) run(ctx context.Context) {
	var asking sync.WaitGroup
	defer asking.Wait()
	tick := time.NewTicker(time.Second / requestsPerSecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-tick.C:
			app := apps[i%len(apps)]
			asking.Go(func() {
				// A request in flight at the end of the run is let end.
				g := l.world.call(context.WithoutCancel(ctx), app.op, app.body("say hello"))
				l.mu.Lock()
				defer l.mu.Unlock()
				l.asked++
				if g.status != 200 || g.err != nil || !strings.Contains(g.body, app.end) {
					l.failures = append(l.failures, app.name+": "+time.Now().Format("15:04:05")+" "+g.body)
				}
			})
		case <-ctx.Done():
			return
		}
	}
}
