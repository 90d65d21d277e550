package failover

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// logObserver writes what happened to the log: every fault of a provider, at
// most one line a second for the same one, and never a body or a header.
type logObserver struct {
	log *slog.Logger

	mu   sync.Mutex
	last map[faultLine]*lineCount
}

type faultLine struct {
	chain, provider string
	class           Class
}

type lineCount struct {
	at      time.Time
	skipped int
}

// LogObserver returns an Observer that writes to log. Successful attempts and
// requests are written at debug level.
func LogObserver(log *slog.Logger) Observer {
	return &logObserver{log: log, last: map[faultLine]*lineCount{}}
}

// Attempted implements Observer.
func (o *logObserver) Attempted(a Attempt) {
	level := slog.LevelWarn
	if a.Class == OK || a.Class == ClientClosed {
		level = slog.LevelDebug
	}
	if !o.log.Enabled(context.Background(), level) {
		return
	}
	skipped := 0
	if level == slog.LevelWarn {
		var ok bool
		if skipped, ok = o.due(faultLine{a.Chain, a.Provider, a.Class}, time.Now()); !ok {
			return
		}
	}
	o.log.LogAttrs(context.Background(), level, "provider tried", slog.String("chain", a.Chain), slog.String("provider", a.Provider),
		slog.String("reason", string(a.Class)), slog.String("detail", a.Detail), slog.String("fault", a.Fault),
		slog.Duration("duration", a.Duration), slog.String("request_id", a.RequestID), slog.Int("similar_skipped", skipped))
}

// due reports whether a line may be written now, and how many like it were
// left out since the last.
func (o *logObserver) due(line faultLine, now time.Time) (int, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := o.last[line]
	if c == nil {
		c = &lineCount{}
		o.last[line] = c
	}
	if !c.at.IsZero() && now.Sub(c.at) < time.Second {
		c.skipped++
		return 0, false
	}
	skipped := c.skipped
	c.at, c.skipped = now, 0
	return skipped, true
}

// Bypassed implements Observer.
func (o *logObserver) Bypassed(chain, provider string, reason Class) {
	o.log.Debug("provider passed over", "chain", chain, "provider", provider, "reason", reason)
}

// FailedOver implements Observer.
func (o *logObserver) FailedOver(chain, from, to string, reason Class) {
	o.log.Debug("failed over", "chain", chain, "from", from, "to", to, "reason", reason)
}

// Finished implements Observer.
func (o *logObserver) Finished(r RequestReport) {
	level := slog.LevelDebug
	if r.Outcome == ExhaustedAll || r.Outcome == Interrupted {
		level = slog.LevelWarn
		if _, ok := o.due(faultLine{r.Chain, r.Provider, Class(r.Outcome)}, time.Now()); !ok {
			return
		}
	}
	o.log.LogAttrs(context.Background(), level, "request finished", slog.String("chain", r.Chain), slog.String("dialect", string(r.Dialect)),
		slog.Bool("stream", r.Stream), slog.String("outcome", string(r.Outcome)), slog.String("provider", r.Provider),
		slog.Int("attempts", r.Attempts), slog.Int("status", r.Status), slog.Duration("duration", r.Duration))
}

// Applied implements Observer. What outlives a configuration here is bounded
// by forgetting the lines of the former one.
func (o *logObserver) Applied(s *Snapshot) {
	o.mu.Lock()
	clear(o.last)
	o.mu.Unlock()
	for _, c := range s.Chains() {
		o.log.Info("chain applied", "chain", c.Config.Name, "namespace", c.Config.Namespace, "source", c.Config.Source,
			"generation", c.Config.Revision, "providers", len(c.Config.Providers))
	}
}
