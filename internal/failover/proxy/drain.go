package proxy

import (
	"context"
	"time"

	"github.com/understudy-dev/understudy/internal/failover"
)

// How the drain paces itself.
const (
	// quietFor is how long nothing must be in flight for the app to count as
	// gone.
	quietFor = 2 * time.Second
	// farewell is what interrupted answers get to send their error event.
	farewell = time.Second
)

// drain goes on serving until nothing has been in flight for a while. When the
// drain time is over, what is still open ends in its dialect's error event.
func (s *Server) drain(kill context.Context, abort context.CancelCauseFunc) {
	deadline := time.NewTimer(s.opts.DrainTimeout)
	defer deadline.Stop()
	for {
		quiet := time.NewTimer(quietFor)
		if s.InFlight() > 0 {
			quiet.Stop()
			select {
			case <-s.idle:
				continue
			case <-deadline.C:
				s.interrupt(kill, abort)
				return
			case <-kill.Done():
				return
			}
		}
		select {
		case <-quiet.C:
			if s.InFlight() == 0 {
				return
			}
		case <-s.idle: // something came and went: the quiet begins anew
			quiet.Stop()
		case <-deadline.C:
			quiet.Stop()
			s.interrupt(kill, abort)
			return
		case <-kill.Done():
			quiet.Stop()
			return
		}
	}
}

// interrupt ends what is open, and waits for it for a moment.
func (s *Server) interrupt(kill context.Context, abort context.CancelCauseFunc) {
	abort(failover.ErrShutdown)
	wait := time.NewTimer(farewell)
	defer wait.Stop()
	for s.InFlight() > 0 {
		select {
		case <-s.idle:
		case <-wait.C:
			return
		case <-kill.Done():
			return
		}
	}
}
