package failover

import "time"

// Circuits hands out the runtime state that decides whether an entry may be
// tried. Package circuit implements it. Instances outlive a configuration:
// the same key gives the same state.
type Circuits interface {
	// Circuit returns the circuit of one entry. The key identifies it over
	// reloads; other settings under the same key keep what is known (an open
	// circuit stays open until its time).
	Circuit(key CircuitKey, settings Breaker) Circuit
	// Retain forgets every circuit whose key is not listed.
	Retain(keys []CircuitKey)
}

// CircuitKey identifies an entry's runtime state. An entry that moves to
// another host or asks for another model is another entry.
type CircuitKey struct {
	Chain, Entry string // names; Chain includes the namespace
	Host         string // scheme, host and port of the provider
	Model        string // what the entry asks for, modelMap included
}

// Circuit decides whether one entry may be tried now, and learns from what
// happened. It stands for three scopes, its host, its credential and the entry
// itself; an attempt needs all three. Safe for concurrent use.
type Circuit interface {
	// Allow asks for one visit of the entry with the given credential
	// fingerprint (empty: the entry sends none). Where the visit is refused
	// the Permit is nil and the Refusal says why; nothing is then held.
	Allow(credential string) (Permit, Refusal)
	// Force asks for a visit of an entry that is open by its breaker alone, as
	// the last resort of a walk that found nobody else. One forced visit runs
	// at a time; nil where one is under way or where a gate holds the entry.
	Force(credential string) Permit
	// State is the merged view of the three scopes. It changes nothing but
	// what time alone has changed.
	State(credential string) CircuitState
}

// Permit is one allowed visit. Exactly one of the ways to end it counts: Done
// without Commit, or Commit and then Done. Later calls do nothing, so that
// Done can be deferred.
type Permit interface {
	// Commit reports that the answer's first content has arrived: the visit is
	// a success so far and no longer occupies a half-open slot.
	Commit()
	// Done ends the visit. A zero Verdict or one of class OK is a success; a
	// Verdict that blames nobody, the caller or ourselves is neither success
	// nor failure. After Commit, a fault turns the success into a failure.
	Done(Verdict)
}

// Refusal says why an entry was passed over.
type Refusal struct {
	Class Class     // CircuitOpen, or the class of the fault that closed a gate
	Until time.Time // when it is due again
	Gated bool      // a gate holds it; else the breaker alone
}

// CircuitPhase is the state of a breaker under its standard name.
type CircuitPhase uint8

// The phases, with the values of the circuit_state metric.
const (
	Closed CircuitPhase = iota
	HalfOpen
	Open
)

// String gives the phase as it stands in the status: Closed, HalfOpen, Open.
func (p CircuitPhase) String() string {
	return [...]string{"Closed", "HalfOpen", "Open"}[p]
}

// CircuitState is the view of an entry that people and metrics get.
type CircuitState struct {
	Phase  CircuitPhase
	Scope  Scope     // which of the three is in the way; Nobody when closed
	Reason Class     // of the fault that opened it; OK when closed
	Detail string    // "529 overloaded_error"; safe to show
	Gated  bool      // a gate holds it, with Until as its deadline
	Since  time.Time // when it left the closed phase; zero when closed
	Until  time.Time // when it is due again; zero when closed
}

// Usable reports whether a request would be admitted.
func (s CircuitState) Usable() bool { return s.Phase != Open }
