package simulator

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
)

// MemoryListener is a listener without sockets: its connections are pipes in memory, so that clients and servers can
// talk inside a testing/synctest bubble. Use [MemoryListener.Dial] as the DialContext of an http.Transport.
type MemoryListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// NewMemoryListener returns an open listener. In a synctest bubble it must be made there.
func NewMemoryListener() *MemoryListener {
	return &MemoryListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

// Dial connects to the listener whatever the address. It fails with ECONNREFUSED once the listener is closed.
func (l *MemoryListener) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	broken := new(atomic.Bool)
	refused := &net.OpError{Op: "dial", Net: "memory", Err: syscall.ECONNREFUSED}
	select {
	case <-l.closed:
		return nil, refused
	default:
	}
	select {
	case l.conns <- &memoryConn{Conn: far, broken: broken}:
		return &memoryConn{Conn: near, broken: broken}, nil
	case <-l.closed:
		return nil, refused
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept waits for the next connection.
func (l *MemoryListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close refuses further connections. Open ones stay.
func (l *MemoryListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr is a loopback address, so that URLs can be made of it.
func (l *MemoryListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

// memoryConn is one end of a pipe that can be reset.
type memoryConn struct {
	net.Conn
	broken *atomic.Bool // Shared by both ends.
}

// Reset makes the following Close a reset in the eyes of the other end.
func (c *memoryConn) Reset() { c.broken.Store(true) }

// Read reports the end of a connection that was reset as such.
func (c *memoryConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if errors.Is(err, io.EOF) && c.broken.Load() {
		err = &net.OpError{Op: "read", Net: "memory", Err: syscall.ECONNRESET}
	}
	return n, err
}
