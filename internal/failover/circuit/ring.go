package circuit

import "time"

// ringSize is how many finished outcomes the failure ratio looks back on.
const ringSize = 10

// ring remembers the last outcomes.
type ring struct {
	outcomes [ringSize]outcome
	pushed   uint64 // how many there have been; also the id of the last
}

type outcome struct {
	at     time.Time
	failed bool
}

// push adds an outcome and returns its id.
func (r *ring) push(failed bool, now time.Time) uint64 {
	r.outcomes[r.pushed%ringSize] = outcome{now, failed}
	r.pushed++
	return r.pushed
}

// fail turns the success of that id into a failure. If it has left the ring,
// the failure is a new outcome.
func (r *ring) fail(id uint64, now time.Time) {
	if id == 0 || r.pushed-id >= ringSize {
		r.push(true, now)
		return
	}
	r.outcomes[(id-1)%ringSize].failed = true
}

// failing reports whether at least percent of the outcomes since then failed.
func (r *ring) failing(percent int, since time.Time) bool {
	all, failed := 0, 0
	for _, o := range r.outcomes[:min(r.pushed, ringSize)] {
		if o.at.Before(since) {
			continue
		}
		all++
		if o.failed {
			failed++
		}
	}
	return failed*100 >= percent*all
}
