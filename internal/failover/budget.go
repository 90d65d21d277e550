package failover

import (
	"sync"
	"time"
)

// retryBudget limits further tries of the same entry to a share of all
// requests, so that an outage is not multiplied: 20 % of the requests plus 10
// a second, the figures of Finagle's retry budgets. Moving on to another entry
// costs nothing.
type retryBudget struct {
	mu     sync.Mutex
	tokens float64
	last   time.Time
}

const (
	budgetShare = 0.2
	budgetFloor = 10.0  // tokens a second
	budgetCap   = 100.0 // about ten seconds of the floor
)

func newRetryBudget() *retryBudget { return &retryBudget{tokens: budgetFloor} }

// deposit books one request that began at now.
func (b *retryBudget) deposit(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refill(now)
	b.tokens = min(budgetCap, b.tokens+budgetShare)
}

// withdraw reports whether one more try may be made.
func (b *retryBudget) withdraw(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refill(now)
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

func (b *retryBudget) refill(now time.Time) {
	if !b.last.IsZero() && now.After(b.last) {
		b.tokens = min(max(b.tokens, budgetFloor), b.tokens+budgetFloor*now.Sub(b.last).Seconds())
	}
	if now.After(b.last) {
		b.last = now
	}
}
