package proxy

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/circuit"
	"github.com/understudy-dev/understudy/internal/failover/dialect"
)

// memoryListener accepts connections that are no sockets, so that time can be
// simulated.
type memoryListener struct {
	conns chan net.Conn
	done  chan struct{}
}

func newMemoryListener() *memoryListener {
	return &memoryListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *memoryListener) Close() error {
	select {
	case <-l.done:
	default:
		close(l.done)
	}
	return nil
}

func (l *memoryListener) Addr() net.Addr { return &net.TCPAddr{} }

func (l *memoryListener) dial(t *testing.T) *client {
	t.Helper()
	mine, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
	case <-l.done:
		t.Fatal("nobody accepts any more")
	}
	return &client{Conn: mine, r: bufio.NewReader(mine)}
}

// client is one connection of an app.
type client struct {
	net.Conn
	r *bufio.Reader
}

// do sends a request and reads its whole answer.
func (c *client) do(request string) (*http.Response, string, error) {
	if _, err := io.WriteString(c, request); err != nil {
		return nil, "", err
	}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return nil, "", err
	}
	b, err := io.ReadAll(resp.Body)
	return resp, string(b), err
}

// simulated is an edge in a bubble.
type simulated struct {
	*Server
	provider   *provider
	store      *failover.Store
	app, admin *memoryListener
	stop, kill context.CancelFunc
	ended      chan struct{}
	endedAt    time.Time
	err        error
}

func simulate(t *testing.T, maxHeld int64) *simulated {
	t.Helper()
	p := &provider{}
	d := dialect.New()
	store := failover.NewStore(failover.Deps{Circuits: circuit.NewRegistry(), Dialects: d, Endpoints: p}, failover.Observers{})
	s := &simulated{provider: p, store: store, app: newMemoryListener(), admin: newMemoryListener(), ended: make(chan struct{})}
	s.Server = newServer(Options{
		Engine: failover.NewEngine(store, d, failover.Observers{}), Store: store, Metrics: http.NotFoundHandler(),
		DrainTimeout: 25 * time.Second, MaxHeld: maxHeld, Log: slog.New(slog.DiscardHandler),
	}, []net.Listener{s.app}, s.admin)
	ctx, stop := context.WithCancel(context.Background())
	kill, end := context.WithCancel(context.Background())
	s.stop, s.kill = stop, end
	go func() {
		s.err = s.Run(ctx, kill)
		s.endedAt = time.Now()
		close(s.ended)
	}()
	return s
}

// load gives it a chain whose provider may take nine minutes.
func (s *simulated) load(t *testing.T) {
	t.Helper()
	patient := failover.Timeouts{Response: 9 * time.Minute, Chain: 10 * time.Minute}
	err := s.store.Apply(failover.Config{Chains: []failover.ChainConfig{{Name: "chain", Timeouts: patient, Providers: []failover.ProviderConfig{{Name: "p"}}}}})
	if err != nil {
		t.Fatal(err)
	}
}

// end kills it, and waits until everything of it is gone.
func (s *simulated) end(t *testing.T) {
	t.Helper()
	s.kill()
	<-s.ended
	s.stop()
	if s.err != nil {
		t.Error(s.err)
	}
	synctest.Wait()
}

const (
	askStream  = `{"model":"m","stream":true,"messages":[]}`
	lastTokens = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
)

// stream opens a stream on its own connection and reads the first token of it.
func (s *simulated) stream(t *testing.T) (*client, *http.Response, *io.PipeWriter) {
	t.Helper()
	r, w := io.Pipe()
	s.provider.mu.Lock()
	s.provider.body = func() io.ReadCloser { return r }
	s.provider.mu.Unlock()
	c := s.app.dial(t)
	go io.WriteString(w, firstToken)
	io.WriteString(c, post("/v1/chat/completions", "", askStream))
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	readToken(t, resp)
	s.provider.mu.Lock()
	s.provider.body = nil
	s.provider.mu.Unlock()
	return c, resp, w
}

func readToken(t *testing.T, resp *http.Response) {
	t.Helper()
	b := make([]byte, len(firstToken))
	if _, err := io.ReadFull(resp.Body, b); err != nil || string(b) != firstToken {
		t.Fatalf("the app got %q, %v", b, err)
	}
}

// bubble runs a test with a loaded edge in simulated time.
func bubble(t *testing.T, f func(t *testing.T, s *simulated)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := simulate(t, 0)
		s.load(t)
		f(t, s)
		s.end(t)
	})
}
