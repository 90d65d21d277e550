package notify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/simulator/slack"
)

// plant is a notifier that runs, with circuits that obey.
type plant struct {
	*desk
	t        *testing.T
	notifier *Notifier
	store    *failover.Store
	stop     func()

	mu     sync.Mutex
	states map[string]failover.CircuitState // by entry
	sent   map[string]int
}

func (p *plant) Endpoint(failover.ProviderConfig) (failover.Endpoint, error) { return p, nil }
func (p *plant) Host() string                                                { return "https://h:443" }
func (p *plant) Dialects() []failover.Dialect                                { return nil }
func (p *plant) Quirks() failover.Quirks                                     { return failover.Quirks{MaxTokensField: ""} }

func (p *plant) Credential() (failover.Credentials, error) { return failover.Credentials{}, nil }

func (p *plant) Send(context.Context, failover.Call) (*http.Response, error) {
	return nil, errors.New("nobody")
}

func (p *plant) Circuit(k failover.CircuitKey, _ failover.Breaker) failover.Circuit {
	return obedient{p, k.Entry}
}
func (p *plant) Retain([]failover.CircuitKey) {}

type obedient struct {
	plant *plant
	entry string
}

func (o obedient) Allow(string) (failover.Permit, failover.Refusal) {
	return nil, failover.Refusal{}
}
func (o obedient) Force(string) failover.Permit { return nil }
func (o obedient) State(string) failover.CircuitState {
	o.plant.mu.Lock()
	defer o.plant.mu.Unlock()
	return o.plant.states[o.entry]
}

func newPlant(t *testing.T, chains ...failover.ChainConfig) *plant {
	p := &plant{desk: newDesk(), t: t, states: map[string]failover.CircuitState{}, sent: map[string]int{}}
	p.opts.Sent = func(event, result string) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.sent[event+" "+result]++
	}
	p.opts.Snapshot = func() *failover.Snapshot { return p.store.Load() }
	p.notifier = New(p.opts)
	p.store = failover.NewStore(failover.Deps{Circuits: p, Endpoints: p}, p.notifier)
	p.apply(chains...)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- p.notifier.Run(ctx) }()
	p.stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		p.workspace.Close()
	}
	return p
}

func (p *plant) apply(chains ...failover.ChainConfig) {
	p.t.Helper()
	if err := p.store.Apply(failover.Config{Chains: chains}); err != nil {
		p.t.Fatal(err)
	}
}

// set opens or closes an entry's circuit; closing comes with an answer.
func (p *plant) set(chain, entry string, phase failover.CircuitPhase) {
	p.mu.Lock()
	defer p.mu.Unlock()
	st := failover.CircuitState{Phase: phase}
	if phase != failover.Closed {
		st.Reason, st.Since, st.Until = failover.Overloaded, time.Now(), time.Now().Add(5*time.Minute)
	} else {
		p.notifier.Attempted(failover.Attempt{Chain: chain, Provider: entry, Class: failover.OK})
	}
	p.states[entry] = st
}

func (p *plant) texts() string {
	var all []string
	for _, m := range p.workspace.Messages() {
		all = append(all, m.Channel+": "+m.Text)
	}
	return strings.Join(all, "\n---\n")
}

func chainOf(name, key string, providers ...string) failover.ChainConfig {
	a := to(key)
	cc := failover.ChainConfig{Name: name, Source: "file"}
	cc.Notifications.Slack = &failover.SlackConfig{WebhookURL: a.webhook, Token: a.token, Channel: a.channel}
	for _, p := range providers {
		cc.Providers = append(cc.Providers, failover.ProviderConfig{Name: p})
	}
	return cc
}

func TestAnAddressThatFailsDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlant(t, chainOf("shop", "url", "a", "b"), chainOf("desk", "token", "c", "d"))
		defer p.stop()
		p.workspace.Fail(slack.Fault{Method: slack.Webhook, Hang: true})
		p.set("shop", "a", failover.Open)
		time.Sleep(time.Minute)
		p.set("desk", "c", failover.Open)
		time.Sleep(10 * time.Second)
		if got := p.texts(); !strings.Contains(got, "#llm-ops: :rotating_light: AI Failover Activated\nPrimary: `c` is down") {
			t.Errorf("the channel shows %q", got)
		}
		p.workspace.Heal()
		time.Sleep(2 * time.Minute)
		if got := p.texts(); !strings.Contains(got, "Primary: `a` is down") {
			t.Errorf("after the webhook's outage Slack shows %q", got)
		}
	})
}

func TestTheLastMessagesLeaveBeforeTheEnd(t *testing.T) {
	for name, fault := range map[string]slack.Fault{"well": {}, "hanging": {Hang: true}, "limited": {Status: 429, RetryAfter: "60"}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPlant(t, chainOf("shop", "url", "a", "b"), chainOf("desk", "token", "c", "d"))
				if fault != (slack.Fault{}) {
					p.workspace.Fail(fault)
				}
				p.set("shop", "a", failover.Open)
				p.set("desk", "c", failover.Open)
				time.Sleep(6*time.Second + 500*time.Millisecond)
				p.notifier.ConfigRejected("shop", errors.New("spec.providers is empty"))
				p.notifier.ConfigRejected("desk", errors.New("spec.providers is empty"))
				synctest.Wait()
				from := time.Now()
				p.stop()
				if d := time.Since(from); d > flushFor {
					t.Errorf("the end took %v", d)
				}
				if n := len(p.workspace.Messages()); name == "well" && n != 4 {
					t.Errorf("%d of 4 messages were sent: %s", n, p.texts())
				}
				total := 0
				for _, n := range p.sent {
					total += n
				}
				if total != 4 {
					t.Errorf("the results are %v", p.sent)
				}
			})
		})
	}
}

func TestARotatedSecretIsUsedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlant(t, chainOf("shop", "none", "a", "b"))
		defer p.stop()
		p.set("shop", "a", failover.Open)
		time.Sleep(time.Minute)
		p.desk.mu.Lock()
		p.rotated = webhookURL
		p.desk.mu.Unlock()
		time.Sleep(time.Minute)
		if got := p.texts(); !strings.Contains(got, "Primary: `a` is down") {
			t.Errorf("Slack shows %q", got)
		}
	})
}

func TestTheLogSaysWhatSlackSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc := chainOf("shop", "url", "a", "b")
		cc.Notifications.Slack = nil
		p := newPlant(t, cc)
		p.set("shop", "a", failover.Open)
		time.Sleep(time.Minute)
		p.stop()
		if want := "event=Failover chain=shop provider=a reason=Overloaded"; !strings.Contains(p.log.String(), want) {
			t.Errorf("the log is %q, want %q in it", p.log, want)
		}
	})
}

func TestARejectionIsToldToThoseConcerned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlant(t, chainOf("shop", "url", "a", "b"), chainOf("desk", "token", "c", "d"), chainOf("other", "url", "e"))
		defer p.stop()
		for range 3 {
			p.notifier.ConfigRejected("shop", errors.New("spec.providers is empty; list at least one provider"))
			time.Sleep(time.Minute)
		}
		m := p.workspace.Messages()
		if len(m) != 1 || m[0].Method != slack.Webhook ||
			m[0].Text != ":warning: ProviderChain Rejected\nChain: `shop`; its former version stays in use\nError: spec.providers is empty; list at least one provider" {
			t.Fatalf("Slack shows %+v", m)
		}
		p.notifier.ConfigRejected("new", errors.New("spec.providers is empty"))
		time.Sleep(time.Minute)
		if m = p.workspace.Messages(); len(m) != 3 || !strings.Contains(m[1].Text, "Chain: `new`; it is not served") {
			t.Errorf("of a new chain Slack shows %+v", m[1:])
		}
		time.Sleep(4 * time.Hour)
		p.notifier.ConfigRejected("shop", errors.New("spec.providers is empty; list at least one provider"))
		time.Sleep(time.Minute)
		if m = p.workspace.Messages(); len(m) != 4 {
			t.Errorf("after the repeat interval there are %d messages, want 4", len(m))
		}
	})
}

func TestEventsThatAreNotWantedAreCountedOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cc := chainOf("shop", "url", "a", "b")
		cc.Notifications.Slack.Events = []string{eventRecovery}
		p := newPlant(t, cc)
		p.set("shop", "a", failover.Open)
		time.Sleep(time.Minute)
		p.set("shop", "a", failover.Closed)
		time.Sleep(2 * time.Minute)
		p.stop()
		if m := p.workspace.Messages(); len(m) != 1 || !strings.HasPrefix(m[0].Text, ":white_check_mark:") {
			t.Errorf("Slack shows %s", p.texts())
		}
		if want := map[string]int{"Failover suppressed": 1, "Recovery sent": 1}; fmt.Sprint(p.sent) != fmt.Sprint(want) {
			t.Errorf("the results are %v, want %v", p.sent, want)
		}
	})
}

func TestWhatWasMissedIsSaidByTheNextMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlant(t, chainOf("shop", "url", "a", "b"))
		defer p.stop()
		p.workspace.Fail(slack.Fault{Status: 404, Times: 2})
		for i := range 3 {
			p.notifier.ConfigRejected("shop", fmt.Errorf("error %d", i))
		}
		time.Sleep(time.Minute)
		if got := p.texts(); !strings.HasSuffix(got, "Error: error 2\n…and 2 more that could not be sent") {
			t.Errorf("Slack shows %q", got)
		}
	})
}

func TestAChainThatGoesTakesItsStoryAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlant(t, chainOf("shop", "url", "a", "b"), chainOf("desk", "token", "c", "d"))
		defer p.stop()
		for range 5 {
			p.notifier.Bypassed("shop", "a", failover.CircuitOpen)
		}
		p.set("shop", "a", failover.Open)
		time.Sleep(time.Minute)
		p.apply(chainOf("desk", "token", "c", "d"))
		p.apply(chainOf("shop", "url", "a", "b"), chainOf("desk", "token", "c", "d")) // back within a second
		p.set("shop", "a", failover.Closed)
		time.Sleep(2 * time.Minute)
		if got := p.texts(); !strings.Contains(got, "5 requests bypassed it") {
			t.Errorf("Slack shows %q", got)
		}
		p.apply(chainOf("desk", "token", "c", "d"))
		p.notifier.Finished(failover.RequestReport{Chain: "shop", Outcome: failover.ExhaustedAll}) // a late one
		time.Sleep(time.Minute)
		p.notifier.mu.Lock()
		defer p.notifier.mu.Unlock()
		if p.notifier.counts["shop"] != nil {
			t.Error("the counts of a chain that is gone are kept")
		}
	})
}

// TestSlackNeverSlowsTraffic has Slack hang while a million reports come in.
func TestSlackNeverSlowsTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlant(t, chainOf("shop", "url", "a", "b"))
		defer p.stop()
		p.workspace.Fail(slack.Fault{Hang: true})
		p.set("shop", "a", failover.Open)
		from := time.Now()
		for i := range 100_000 {
			p.notifier.Bypassed("shop", "a", failover.CircuitOpen)
			p.notifier.Finished(failover.RequestReport{Chain: "shop", Outcome: failover.ExhaustedAll})
			p.notifier.ConfigRejected("shop", fmt.Errorf("error %d", i))
		}
		if d := time.Since(from); d != 0 { // simulated time passes only where somebody waits
			t.Errorf("a report waited for %v", d)
		}
	})
}
