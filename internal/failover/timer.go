package failover

import (
	"context"
	"sync/atomic"
	"time"
)

// stageTimer ends one attempt when a stage of it takes too long. The cause of
// the attempt's context then says which stage that was, so that our own timers
// cannot be mistaken for the app's leaving.
type stageTimer struct {
	timer *time.Timer
	cause atomic.Pointer[error]
}

// startStage arms a new timer.
func startStage(cancel context.CancelCauseFunc, d time.Duration, cause error) *stageTimer {
	t := &stageTimer{}
	t.cause.Store(&cause)
	t.timer = time.AfterFunc(max(d, 0), func() { cancel(*t.cause.Load()) })
	return t
}

// next moves on to another stage.
func (t *stageTimer) next(d time.Duration, cause error) {
	t.timer.Stop()
	t.cause.Store(&cause)
	t.timer.Reset(max(d, 0))
}

// again gives the present stage its time anew.
func (t *stageTimer) again(d time.Duration) { t.timer.Reset(d) }

func (t *stageTimer) stop() { t.timer.Stop() }

// sleep waits for d, and reports false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// uploadTime bounds a call whose body is too large to be held.
const uploadTime = 24 * time.Hour

// headLimit is how long the response head may take.
func (a *attempt) headLimit() (time.Duration, error) {
	t := a.entry.cfg.Timeouts
	if a.w.shape.Stream {
		return t.FirstByte, errFirstByte
	}
	if a.plan.body.Streams() {
		return uploadTime, errResponse // it begins with the upload, whose time is the app's
	}
	if t.Response > 0 {
		return t.Response, errResponse
	}
	if a.plan.op.Pass {
		return ResponseTimeoutFor(0, true), errResponse // pictures and sound take their time
	}
	return ResponseTimeoutFor(a.w.shape.MaxTokens, a.entry.cfg.Reasoning || a.w.shape.Thinking), errResponse
}

// ResponseTimeoutFor is how long a unary answer of that many tokens may take
// where no timeout is set: 5 s, and a second for every 40 tokens, at least
// 15 s. Without a limit 4,096 tokens are assumed, 16,384 where the model
// thinks first.
func ResponseTimeoutFor(maxTokens int64, thinking bool) time.Duration {
	if maxTokens <= 0 {
		if maxTokens = 4096; thinking {
			maxTokens = 16384
		}
	}
	const tokensPerSecond = 40
	return max(15*time.Second, 5*time.Second+time.Duration(min(maxTokens, 1<<24))*time.Second/tokensPerSecond)
}

// limit shortens a stage to what the walk can afford: an attempt has all that
// is left of its time, or half of it while another entry remains. cut is the
// cause where that ends the stage before its own time d. An attempt that is so
// short that not even a sign of life was due proves nothing about the entry.
func (a *attempt) limit(d time.Duration, cause, cut error) (time.Duration, error) {
	now := time.Now()
	whole := a.w.deadline.Sub(a.started)
	share := whole / 2
	if !now.Add(d).After(a.started.Add(share)) {
		return d, cause
	}
	if !a.w.othersRemain(a.entry) {
		share = whole
	}
	left := a.started.Add(share).Sub(now)
	if d <= left {
		return d, cause
	}
	if share < a.entry.cfg.Timeouts.FirstByte {
		cut = errImpatient
	}
	return left, cut
}
