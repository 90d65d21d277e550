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
