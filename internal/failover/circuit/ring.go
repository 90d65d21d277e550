package circuit

import (
	"slices"
	"time"

	"github.com/understudy-dev/understudy/internal/failover"
)

// ringSize is how many finished outcomes the failure ratio looks back on.
const ringSize = 10

// ringRoom is how many are kept, so that those taken back leave no gap.
const ringRoom = 3 * ringSize

// ring remembers the last outcomes, the oldest first.
type ring struct {
	outcomes []outcome
	last     uint64 // id of the newest; ids are never used twice
}

type outcome struct {
	id     uint64
	at     time.Time
	failed bool
}

// push adds an outcome and returns its id.
func (r *ring) push(failed bool, now time.Time) uint64 {
	if len(r.outcomes) == ringRoom {
		r.outcomes = slices.Delete(r.outcomes, 0, 1)
	}
	r.last++
	r.outcomes = append(r.outcomes, outcome{r.last, now, failed})
	return r.last
}

// remove takes an outcome back, where it is still there.
func (r *ring) remove(id uint64) {
	r.outcomes = slices.DeleteFunc(r.outcomes, func(o outcome) bool { return o.id == id })
}

// clear forgets the outcomes.
func (r *ring) clear() { r.outcomes = r.outcomes[:0] }

// trips reports whether what the ring knows is enough to open: the share of
// failures within the window and, where the ring holds all of the window's
// outcomes, their number as well. gobreaker counts in steps of its buckets and
// knows neither exactly.
func (r *ring) trips(b failover.Breaker, now time.Time) bool {
	all, failed := 0, 0
	for _, o := range r.outcomes[max(0, len(r.outcomes)-ringSize):] {
		if now.Sub(o.at) > b.Window {
			continue
		}
		all++
		if o.failed {
			failed++
		}
	}
	return (all == ringSize || failed >= b.Failures) && failed*100 >= b.FailureRatioPercent*all
}
