// Package notify tells people about transitions, once, and never blocks
// traffic.
//
// Requests only count (Notifier's observer methods). One goroutine looks at the
// active snapshot every second, because circuits change with time alone, and
// gives each chain's state to a tracker, which decides what is worth telling.
// Each address (a webhook, or a bot's channel) has a goroutine of its own that
// delivers: a bounded queue, Slack's rate limits, its outages. None of them
// ever holds anything that a request waits for, and no address waits for
// another.
//
// What is known lives in memory: a sidecar that restarts in an outage tells of
// it again, and tells of the end of that one.
package notify

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
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
	// Client reaches Slack. Default: one of our own, with a timeout of 10 s,
	// that follows no redirect.
	Client *http.Client
	Log    *slog.Logger
	// Sent counts a message by event and result, both closed sets: see Events
	// and Results. Several goroutines call it. May be nil.
	Sent func(event, result string)
	Pod  string // where the message comes from; may be empty
}

// Notifier implements failover.Observer.
type Notifier struct {
	opts Options

	mu     sync.Mutex
	counts map[string]*counts // by chain

	rejected chan rejection
}

type rejection struct{ chain, text string }

var _ failover.Observer = (*Notifier)(nil)

// queueSize bounds what waits for one address.
const queueSize = 100

// New returns a notifier; Run makes it work.
func New(o Options) *Notifier {
	if o.Sent == nil {
		o.Sent = func(string, string) {}
	}
	return &Notifier{opts: o, counts: map[string]*counts{}, rejected: make(chan rejection, 16)}
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

// Applied implements failover.Observer. Chains that are gone are forgotten by
// the next look.
func (n *Notifier) Applied(*failover.Snapshot) {}

// ConfigRejected tells that a version of a chain is not used.
func (n *Notifier) ConfigRejected(chain string, err error) {
	select {
	case n.rejected <- rejection{chain, err.Error()}:
	default:
		n.opts.Sent(eventConfigRejected, resultDropped)
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

// Run watches and delivers until ctx ends. What waits for delivery then is
// tried once more, for a second at most.
func (n *Notifier) Run(ctx context.Context) error {
	w := newWatch(ctx, n)
	defer w.post.close()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			w.look(now)
		case r := <-n.rejected:
			w.reject(time.Now(), r)
		case <-ctx.Done():
			return nil
		}
	}
}

// watch is what Run's goroutine knows.
type watch struct {
	*Notifier
	post     *post
	trackers map[string]*tracker
	told     map[toldRejection]time.Time
}

// toldRejection is one text about one chain to one other chain's people.
type toldRejection struct {
	rejection
	to string
}

func newWatch(ctx context.Context, n *Notifier) *watch {
	return &watch{Notifier: n, post: newPost(ctx, n.opts), trackers: map[string]*tracker{}, told: map[toldRejection]time.Time{}}
}

// look gives every chain's state to its tracker.
func (w *watch) look(now time.Time) {
	snap := w.opts.Snapshot()
	for _, c := range snap.Chains() {
		t := w.trackers[c.Name()]
		if t == nil {
			t = newTracker(c.Name(), w.opts.Pod)
			w.trackers[c.Name()] = t
		}
		repeat := failover.DefaultRepeatInterval
		if slack := c.Config.Notifications.Slack; slack != nil {
			repeat = slack.RepeatInterval
		}
		for _, note := range t.step(look{now, c.Status(), w.of(c.Name()), repeat}) {
			w.tell(c, note)
		}
	}
	gone := func(name string) bool { return snap.Chain(name) == nil }
	maps.DeleteFunc(w.trackers, func(name string, _ *tracker) bool { return gone(name) })
	w.mu.Lock()
	maps.DeleteFunc(w.counts, func(name string, _ *counts) bool { return gone(name) })
	w.mu.Unlock()
	w.post.retain(snap)
}

// maxTold bounds the rejections that are remembered.
const maxTold = 100

// reject tells of a rejection where the chain in use says so, once in its
// repeat interval. A name that is not served (a new chain, or a file that
// cannot be read) has nobody of its own, so everybody is told.
func (w *watch) reject(now time.Time, r rejection) {
	snap := w.opts.Snapshot()
	served := snap.Chain(r.chain) != nil
	to := map[address]bool{}
	for _, c := range snap.Chains() {
		slack := c.Config.Notifications.Slack
		if slack == nil || served && c.Name() != r.chain || to[addressOf(slack)] {
			continue
		}
		to[addressOf(slack)] = true
		key := toldRejection{r, c.Name()}
		if at, ok := w.told[key]; ok && now.Sub(at) < slack.RepeatInterval {
			continue
		}
		if len(w.told) >= maxTold {
			clear(w.told)
		}
		w.told[key] = now
		w.tell(c, note{event: eventConfigRejected, key: c.Name() + "/rejected", text: rejectedText(r.chain, r.text, w.opts.Pod, served)})
	}
}

// tell logs a note and posts it where the chain says so, without waiting.
func (w *watch) tell(c *failover.Chain, n note) {
	level := slog.LevelWarn
	if n.event == eventRecovery || n.edit {
		level = slog.LevelInfo
	}
	w.opts.Log.Log(context.Background(), level, "notification", "event", n.event, "chain", c.Name(), "provider", n.provider, "reason", n.reason, "edit", n.edit, "text", n.text)
	slack := c.Config.Notifications.Slack
	if slack == nil {
		return
	}
	if len(slack.Events) > 0 && !slices.Contains(slack.Events, n.event) {
		w.opts.Sent(n.event, resultSuppressed)
		return
	}
	w.post.put(delivery{note: n, chain: c.Name(), to: addressOf(slack)})
}
