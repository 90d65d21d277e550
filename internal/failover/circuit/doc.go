// Package circuit decides whether an entry may be tried now, and learns from
// what became of it.
//
// An attempt needs three admissions: of the provider's host, of the credential
// at that host, and of the entry itself. Each is a scope: a gate (a deadline
// with a reason: Retry-After, quota, a refused key) in front of a gobreaker
// two-step breaker. A fault lands on the scope that it blames, so that a dead
// key takes out every entry with that key while a model's outage leaves its
// siblings in play.
//
//	Allow    host, credential, entry: each gives a slot, or all give back
//	Commit   the answer has begun: a success, and the slot is free
//	Done     the outcome: success, a strike, a closed gate, or none of them
//
// A breaker trips at so many failures within its window and at a share of the
// last ten outcomes; gobreaker counts the former, a ring the latter, because
// gobreaker's own counts would let an hour of perfect service delay a trip for
// as long again.
//
// Visits overlap with what happens to a scope. Each trip, recovery, gate and
// fresh breaker is a turn, and a visit that began before the last turn says
// nothing about what comes after it: it neither heals nor strikes, and holds no
// slot.
//
// After a gate's deadline the scope gets a fresh breaker and is on trial: one
// request at a time until one succeeds. There are no timers and no goroutines:
// time is compared when somebody asks. All of a scope's state, its breaker
// included, is touched under the scope's mutex only, so that what gobreaker
// calls back under its own lock needs no other.
package circuit
