package failover_test

import (
	"sync"
	"testing"

	"github.com/understudy-dev/understudy/internal/failover"
)

// ledger is the real circuits with a book of what was taken from them: every
// permit must be ended, once, and none may pass a closed gate.
type ledger struct {
	failover.Circuits

	mu      sync.Mutex
	taken   int
	ended   int
	twice   int
	trapped int // permits given although a gate was closed
}

func (l *ledger) Circuit(key failover.CircuitKey, settings failover.Breaker) failover.Circuit {
	return &bookedCircuit{Circuit: l.Circuits.Circuit(key, settings), book: l}
}

// check reports what is out of balance.
func (l *ledger) check(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.taken != l.ended || l.twice != 0 || l.trapped != 0 {
		t.Errorf("of %d permits %d were ended, %d of them twice; %d passed a closed gate", l.taken, l.ended, l.twice, l.trapped)
	}
}

type bookedCircuit struct {
	failover.Circuit
	book *ledger
}

func (c *bookedCircuit) Allow(credential string) (failover.Permit, failover.Refusal) {
	gated := c.State(credential).Gated
	p, no := c.Circuit.Allow(credential)
	return c.book.take(p, gated), no
}

func (c *bookedCircuit) Force(credential string) failover.Permit {
	gated := c.State(credential).Gated
	return c.book.take(c.Circuit.Force(credential), gated)
}

func (l *ledger) take(p failover.Permit, gated bool) failover.Permit {
	if p == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.taken++
	if gated {
		l.trapped++
	}
	return &bookedPermit{Permit: p, book: l}
}

type bookedPermit struct {
	failover.Permit
	book *ledger
	done bool
}

func (p *bookedPermit) Done(v failover.Verdict) {
	p.book.mu.Lock()
	if p.done {
		p.book.twice++
	} else {
		p.book.ended++
	}
	p.done = true
	p.book.mu.Unlock()
	p.Permit.Done(v)
}
