package circuit

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/understudy-dev/understudy/internal/failover"
)

// TestTheCircuitsKeepTheirPromises compares random stories with the model,
// after every step, for every entry.
func TestTheCircuitsKeepTheirPromises(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	stories := 40
	if testing.Short() {
		stories = 10
	}
	for n := range stories {
		synctest.Test(t, func(t *testing.T) {
			s := &modelStory{t: t, rng: rand.New(rand.NewPCG(seed, uint64(n))), model: newModel(defaults), name: fmt.Sprintf("seed %d story %d", seed, n)}
			s.run()
		})
	}
}

type modelStory struct {
	t     *testing.T
	rng   *rand.Rand
	name  string
	model *model

	keys     []failover.CircuitKey
	circuits []failover.Circuit
	key      string // the credential that is in use now
	open     []modelPair
}

type modelPair struct {
	permit failover.Permit
	visit  *modelVisit
}

func (s *modelStory) run() {
	r := quiet()
	s.key = "k0"
	for i, host := range []string{"x", "x", "x", "y"} {
		s.keys = append(s.keys, key(fmt.Sprint("entry", i), host, fmt.Sprint("model", i%3)))
		s.circuits = append(s.circuits, r.Circuit(s.keys[i], defaults))
	}
	pace := []time.Duration{time.Second, 20 * time.Second, 2 * time.Minute}[s.rng.IntN(3)]
	for step := range 1500 {
		switch n := s.rng.IntN(100); {
		case n < 45:
			s.ask(step, n < 5)
		case n < 85 && len(s.open) > 0:
			s.answer()
		case n < 99:
			time.Sleep(1 + time.Duration(s.rng.Int64N(int64(pace)))) // never in step with a deadline
		case s.rng.IntN(4) == 0:
			s.key = fmt.Sprint("k", step)
		default: // a reload that changes nothing
			for i, k := range s.keys {
				s.circuits[i] = r.Circuit(k, defaults)
			}
			r.Retain(s.keys)
		}
		if s.t.Failed() || !s.compare(step) {
			return
		}
	}
}

func (s *modelStory) ask(step int, force bool) {
	i := s.rng.IntN(len(s.keys))
	visit := s.model.allow(i, s.keys[i], s.key, force)
	var permit failover.Permit
	if force {
		permit = s.circuits[i].Force(s.key)
	} else {
		permit, _ = s.circuits[i].Allow(s.key)
	}
	if (permit == nil) != (visit == nil) {
		s.t.Errorf("%s, step %d: entry %d (force %t): admitted %t, want %t", s.name, step, i, force, permit != nil, visit != nil)
	}
	if permit != nil {
		s.open = append(s.open, modelPair{permit, visit})
	}
}

func (s *modelStory) answer() {
	i := s.rng.IntN(len(s.open))
	p := s.open[i]
	if s.rng.IntN(3) == 0 && !p.visit.committed {
		p.permit.Commit()
		s.model.commit(p.visit)
		if s.rng.IntN(2) == 0 {
			return // a stream: it ends later
		}
	}
	verdicts := []failover.Verdict{
		success, success, success, success, success, overload, overload, cut, refusedBy, mistake, left,
		unhinted, limitedFor(50 * time.Second), badKey,
		{Class: failover.Overloaded, Blame: failover.Entry, Strike: true, Hold: 7 * time.Second, RetryAfter: 7 * time.Second},
	}
	v := verdicts[s.rng.IntN(len(verdicts))]
	p.permit.Done(v)
	s.model.done(p.visit, v)
	p.permit.Done(overload) // counts once
	s.open = slices.Delete(s.open, i, i+1)
}

func (s *modelStory) compare(step int) bool {
	for i, k := range s.keys {
		got := s.circuits[i].State(s.key)
		phase, until := s.model.state(k, s.key)
		if got.Phase != phase || phase == failover.Open && !got.Until.Equal(until) {
			s.t.Errorf("%s, step %d: entry %d is %v until %v, want %v until %v", s.name, step, i, got.Phase, got.Until, phase, until)
			return false
		}
		if (got.Phase == failover.Closed) != got.Since.IsZero() {
			s.t.Errorf("%s, step %d: entry %d is %v since %v", s.name, step, i, got.Phase, got.Since)
			return false
		}
	}
	return true
}
