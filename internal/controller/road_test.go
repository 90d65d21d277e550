package controller

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"

	"k8s.io/client-go/rest"
)

// road is the way to the API server, which can be cut: connections are then
// refused and the open ones end, as when the server is stopped.
type road struct {
	t      *testing.T
	server string // the API server's own address
	addr   string // ours

	mu       sync.Mutex
	listener net.Listener
	open     map[net.Conn]bool
	running  sync.WaitGroup
}

func newRoad(t *testing.T) *road {
	t.Helper()
	u, err := url.Parse(envCfg.Host)
	server := envCfg.Host
	if err == nil && u.Host != "" {
		server = u.Host
	}
	r := &road{t: t, server: server, addr: "127.0.0.1:0"}
	r.mend()
	t.Cleanup(r.cut)
	return r
}

func (r *road) config() *rest.Config {
	cfg := rest.CopyConfig(envCfg)
	cfg.Host = "https://" + r.addr
	return cfg
}

// mend opens the road, always at the same address.
func (r *road) mend() {
	r.t.Helper()
	l, err := net.Listen("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.mu.Lock()
	r.listener, r.addr, r.open = l, l.Addr().String(), map[net.Conn]bool{}
	r.mu.Unlock()
	r.running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			r.running.Go(func() { r.forward(conn) })
		}
	})
}

func (r *road) forward(from net.Conn) {
	to, err := net.Dial("tcp", r.server)
	if err != nil {
		from.Close()
		return
	}
	if !r.keep(from, to) {
		from.Close()
		to.Close()
		return
	}
	r.running.Go(func() {
		io.Copy(to, from)
		to.Close()
	})
	io.Copy(from, to)
	from.Close()
}

func (r *road) keep(conns ...net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open == nil {
		return false
	}
	for _, c := range conns {
		r.open[c] = true
	}
	return true
}

// cut closes the road and everything on it.
func (r *road) cut() {
	r.mu.Lock()
	r.listener.Close()
	for c := range r.open {
		c.Close()
	}
	r.open = nil
	r.mu.Unlock()
	r.running.Wait()
}
