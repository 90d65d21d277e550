package proxy

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/understudy-dev/understudy/internal/failover"
)

// Options say what is served where. All fields but Version and
// MaxHeld are required.
type Options struct {
	Engine *failover.Engine
	Store  *failover.Store
	// Listen is the app's address, on loopback; AdminListen that of probes,
	// metrics and the status page, on the pod's network.
	Listen, AdminListen string
	Metrics             http.Handler
	// DrainTimeout is how long open answers may go on after the first signal.
	DrainTimeout time.Duration
	// MaxHeld bounds what all request bodies together may take before they are
	// answered, in bytes; 0: no bound. One alone is always served.
	MaxHeld int64
	Log     *slog.Logger
	Version string
}

// Server is both ports.
type Server struct {
	opts    Options
	app     []net.Listener
	admin   net.Listener
	started time.Time

	memory   memory
	inFlight atomic.Int64
	bodies   failover.Buffers
	idle     chan struct{} // told, without waiting, when nothing is in flight
}

// Limits of the app's port. There is no write timeout: an answer takes as long
// as it takes.
const (
	maxHeaderBytes    = 64 << 10
	readHeaderTimeout = 5 * time.Second
	readBodyTimeout   = 30 * time.Second
	maxBody           = 32 << 20 // Anthropic's own limit
	keepAliveTimeout  = 5 * time.Minute
)

// Listen opens the sockets, so that a port in use is known at once.
func Listen(o Options) (*Server, error) {
	app, err := listenLoopback(o.Listen)
	if err != nil {
		return nil, err
	}
	admin, err := listen("--admin-listen", o.AdminListen)
	if err != nil {
		closeAll(app)
		return nil, err
	}
	return newServer(o, app, admin), nil
}

func newServer(o Options, app []net.Listener, admin net.Listener) *Server {
	return &Server{opts: o, app: app, admin: admin, started: time.Now(), memory: memory{limit: o.MaxHeld}, idle: make(chan struct{}, 1)}
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		l.Close()
	}
}

// Close gives the sockets of a server back that was never run.
func (s *Server) Close() {
	closeAll(s.app)
	s.admin.Close()
}

// Addr is the app's address.
func (s *Server) Addr() string { return s.app[0].Addr().String() }

// AdminAddr is the admin port's address.
func (s *Server) AdminAddr() string { return s.admin.Addr().String() }

// InFlight is how many requests of the app are being answered.
func (s *Server) InFlight() int64 { return s.inFlight.Load() }

// Run serves until ctx is done and what was in flight has ended, or until kill
// is done. It returns an error only when a socket fails.
func (s *Server) Run(ctx, kill context.Context) error {
	requests, abort := context.WithCancelCause(context.Background())
	defer abort(nil)
	app := s.server(requests, &handler{server: s})
	app.IdleTimeout = keepAliveTimeout
	admin := s.server(context.Background(), s.adminHandler())
	admin.ReadTimeout, admin.WriteTimeout = 10*time.Second, 30*time.Second

	failed := make(chan error, len(s.app)+1)
	var serving sync.WaitGroup
	serve := func(srv *http.Server, l net.Listener) {
		serving.Go(func() {
			if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				failed <- err
			}
		})
	}
	for _, l := range s.app {
		serve(app, l)
	}
	serve(admin, s.admin)

	var err error
	select {
	case <-ctx.Done():
		s.opts.Log.Info("draining", "in_flight", s.InFlight(), "timeout", s.opts.DrainTimeout)
		s.drain(kill, abort)
	case <-kill.Done():
	case err = <-failed:
	}
	abort(failover.ErrShutdown)
	app.Close()
	admin.Close()
	serving.Wait()
	s.opts.Log.Info("stopped", "in_flight", s.InFlight())
	return err
}

func (s *Server) server(base context.Context, h http.Handler) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Server{
		Handler: h, Protocols: protocols, ReadHeaderTimeout: readHeaderTimeout, MaxHeaderBytes: maxHeaderBytes,
		DisableGeneralOptionsHandler: true,
		BaseContext:                  func(net.Listener) context.Context { return base },
		// The standard library's own lines would repeat addresses at will.
		ErrorLog: slog.NewLogLogger(s.opts.Log.Handler(), slog.LevelDebug),
	}
}

// begin and end count requests.
func (s *Server) begin() { s.inFlight.Add(1) }

func (s *Server) end() {
	if s.inFlight.Add(-1) == 0 {
		select {
		case s.idle <- struct{}{}:
		default:
		}
	}
}
