package failover

import "time"

// Observer is told what happened. Calls come from the requests' goroutines:
// an Observer returns at once and never blocks.
type Observer interface {
	// Attempted reports one finished try of an entry.
	Attempted(Attempt)
	// Bypassed reports an entry that was passed over without a try although it
	// stands before the one that answered, or before the end of the chain.
	Bypassed(chain, provider string, reason Class)
	// FailedOver reports that a request left an entry it had tried for another.
	FailedOver(chain, from, to string, reason Class)
	// Finished reports the one outcome of a request.
	Finished(RequestReport)
	// Applied reports a new snapshot, after it became the active one.
	Applied(*Snapshot)
}

// Attempt is one try of an entry.
type Attempt struct {
	Chain, Provider string
	Class           Class // OK, or what went wrong
	Detail          string
	Fault           string // row of the catalogue; empty when OK
	Duration        time.Duration
	RequestID       string // the provider's own id of the call, where it sent one
}

// Outcome is how a request ended for the app.
type Outcome string

// The outcomes.
const (
	Succeeded    Outcome = "succeeded"
	CallerError  Outcome = "caller_error" // a 4xx that is the caller's own
	ExhaustedAll Outcome = "exhausted"    // no entry could answer
	Interrupted  Outcome = "interrupted"  // broke after the commit
	Canceled     Outcome = "canceled"     // the app left
	Refused      Outcome = "refused"      // refused by ourselves: not JSON, no chain
)

// RequestReport sums up one request.
type RequestReport struct {
	Chain      string
	Dialect    Dialect
	Stream     bool
	Outcome    Outcome
	Provider   string // who answered; empty where nobody did
	Model      string
	Attempts   int
	Status     int
	Duration   time.Duration // until the last byte
	FirstToken time.Duration // until the commit; 0 without one
	Overhead   time.Duration // until the commit, less the time spent waiting for providers
	Usage      Usage
	Malformed  int // events left out because they were not JSON
}

// Observers calls each of its members in order.
type Observers []Observer

// Attempted implements Observer.
func (o Observers) Attempted(a Attempt) {
	for _, x := range o {
		x.Attempted(a)
	}
}

// Bypassed implements Observer.
func (o Observers) Bypassed(chain, provider string, reason Class) {
	for _, x := range o {
		x.Bypassed(chain, provider, reason)
	}
}

// FailedOver implements Observer.
func (o Observers) FailedOver(chain, from, to string, reason Class) {
	for _, x := range o {
		x.FailedOver(chain, from, to, reason)
	}
}

// Finished implements Observer.
func (o Observers) Finished(r RequestReport) {
	for _, x := range o {
		x.Finished(r)
	}
}

// Applied implements Observer.
func (o Observers) Applied(s *Snapshot) {
	for _, x := range o {
		x.Applied(s)
	}
}
