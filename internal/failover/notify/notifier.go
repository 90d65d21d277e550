// Package notify tells people about transitions, once, and never blocks
// traffic.
//
// Requests only count (Notifier's observer methods). One goroutine looks at the
// active snapshot every second, because circuits change with time alone, and
// gives each chain's state to a tracker, which decides what is worth telling.
// Another goroutine owns delivery: a bounded queue, Slack's rate limits, its
// outages. Neither ever holds anything that a request waits for.
package notify

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/understudy-dev/understudy/internal/failover"
)

// Options are what a notifier needs of the process.
type Options struct {
	// Snapshot returns the active snapshot.
	Snapshot func() *failover.Snapshot
	// Secret resolves a webhook's URL or a token, at every send, so that
	// rotation takes effect.
	Secret func(failover.SecretRef) (string, error)
	// SlackAPI is the base URL of the Web API; empty: Slack's own.
	SlackAPI string
	Client   *http.Client // default: one with a timeout of 10 s
	Log      *slog.Logger
	// Sent counts a message by event and result: sent, failed, dropped or
	// suppressed. May be nil.
	Sent func(event, result string)
	Pod  string // where the message comes from; may be empty
}

// Notifier implements failover.Observer.
type Notifier struct {
	opts Options

	mu     sync.Mutex
	counts map[string]*counts // by chain

	rejected chan rejection
	outbox   chan delivery
	dropped  atomic.Int64 // notes that found the outbox full
}

type rejection struct{ chain, text string }

var _ failover.Observer = (*Notifier)(nil)

// outboxSize bounds what waits for Slack.
const outboxSize = 100

// New returns a notifier; Run makes it work.
func New(o Options) *Notifier {
	if o.Client == nil {
		o.Client = &http.Client{Timeout: 10 * time.Second}
	}
	if o.Sent == nil {
		o.Sent = func(string, string) {}
	}
	return &Notifier{opts: o, counts: map[string]*counts{}, rejected: make(chan rejection, 16), outbox: make(chan delivery, outboxSize)}
}

// count changes the counts of one chain, in a few instructions.
func (n *Notifier) count(chain string, change func(*counts)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := n.counts[chain]
	if c == nil {
		c = &counts{answered: map[string]uint64{}, bypassed: map[string]uint64{}}
		n.counts[chain] = c
	}
	change(c)
}

// Attempted implements failover.Observer.
func (n *Notifier) Attempted(a failover.Attempt) {
	if a.Class == failover.OK {
		n.count(a.Chain, func(c *counts) { c.answered[a.Provider]++ })
	}
}

// Bypassed implements failover.Observer.
func (n *Notifier) Bypassed(chain, provider string, _ failover.Class) {
	n.count(chain, func(c *counts) { c.bypassed[provider]++ })
}

// FailedOver implements failover.Observer.
func (n *Notifier) FailedOver(chain, from, _ string, _ failover.Class) {
	n.count(chain, func(c *counts) { c.bypassed[from]++ })
}

// Finished implements failover.Observer.
func (n *Notifier) Finished(r failover.RequestReport) {
	switch r.Outcome {
	case failover.Succeeded:
		n.count(r.Chain, func(c *counts) { c.ok++ })
	case failover.ExhaustedAll:
		n.count(r.Chain, func(c *counts) { c.spent++ })
	}
}

// Applied implements failover.Observer: chains that are gone are forgotten.
func (n *Notifier) Applied(s *failover.Snapshot) {
	n.mu.Lock()
	defer n.mu.Unlock()
	maps.DeleteFunc(n.counts, func(name string, _ *counts) bool { return s.Chain(name) == nil })
}

// ConfigRejected tells that a version of a chain is not used.
func (n *Notifier) ConfigRejected(chain string, err error) {
	select {
	case n.rejected <- rejection{chain, err.Error()}:
	default:
		n.dropped.Add(1)
	}
}

// of returns a copy of a chain's counts.
func (n *Notifier) of(chain string) counts {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := n.counts[chain]
	if c == nil {
		return counts{}
	}
	return counts{answered: maps.Clone(c.answered), bypassed: maps.Clone(c.bypassed), ok: c.ok, spent: c.spent}
}

// Run watches and delivers until ctx ends. It sends nothing on the way out.
func (n *Notifier) Run(ctx context.Context) error {
	var delivering sync.WaitGroup
	delivering.Go(func() { newSender(n.opts).run(ctx, n.outbox) })
	defer delivering.Wait()
	trackers := map[string]*tracker{}
	told := map[rejection]bool{}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			n.look(now, trackers)
		case r := <-n.rejected:
			if !told[r] {
				if len(told) > 100 {
					clear(told)
				}
				told[r] = true
				n.reject(r)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// look gives every chain's state to its tracker.
func (n *Notifier) look(now time.Time, trackers map[string]*tracker) {
	snap := n.opts.Snapshot()
	for _, c := range snap.Chains() {
		t := trackers[c.Name()]
		if t == nil {
			t = newTracker(c.Name(), n.opts.Pod)
			trackers[c.Name()] = t
		}
		slack := c.Config.Notifications.Slack
		repeat := failover.DefaultRepeatInterval
		if slack != nil {
			repeat = slack.RepeatInterval
		}
		for _, note := range t.step(now, c.Status(), n.of(c.Name()), repeat) {
			n.post(c.Name(), slack, note)
		}
	}
	maps.DeleteFunc(trackers, func(name string, _ *tracker) bool { return snap.Chain(name) == nil })
}

// reject tells of a rejection where the chain in use says so; a chain that was
// never accepted has nobody to tell, and the log has it.
func (n *Notifier) reject(r rejection) {
	snap := n.opts.Snapshot()
	for _, c := range snap.Chains() {
		if slack := c.Config.Notifications.Slack; c.Name() == r.chain || slack != nil && snap.Chain(r.chain) == nil {
			n.post(c.Name(), slack, note{event: eventConfigRejected, key: c.Name() + "/rejected", text: rejectedText(r.chain, r.text)})
		}
	}
}

// post puts a note into the outbox without waiting.
func (n *Notifier) post(chain string, slack *failover.SlackConfig, note note) {
	n.opts.Log.Warn("notification", "event", note.event, "chain", chain, "text", note.text, "edit", note.edit)
	if slack == nil {
		return
	}
	if len(slack.Events) > 0 && !slices.Contains(slack.Events, note.event) {
		n.opts.Sent(note.event, "suppressed")
		return
	}
	d := delivery{note: note, chain: chain, slack: *slack, missed: n.dropped.Swap(0)}
	select {
	case n.outbox <- d:
	default:
		n.dropped.Add(d.missed + 1)
		n.opts.Sent(note.event, "dropped")
	}
}
