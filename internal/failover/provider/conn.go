package provider

import (
	"context"
	"io"
	"net"

	"github.com/understudy-dev/understudy/internal/failover"
)

// lending makes connections that borrow the buffer through which a request's
// body goes out. The transport would make a new one of 32 KiB for every body
// that is larger than its own small buffer.
func lending(dial DialFunc, buffers *failover.Buffers) DialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &conn{Conn: c, buffers: buffers}, nil
	}
}

// conn is a connection to a provider.
type conn struct {
	net.Conn
	buffers *failover.Buffers
}

// What one write of a body takes.
const (
	pieceSmall = 32 << 10
	pieceLarge = 256 << 10
)

// ReadFrom implements io.ReaderFrom, for the transport's copy of a body. A
// large body goes out in large pieces.
func (c *conn) ReadFrom(r io.Reader) (int64, error) {
	size := pieceSmall
	if limited, ok := r.(*io.LimitedReader); ok && limited.N > 4*pieceSmall {
		size = pieceLarge
	}
	b := c.buffers.Get(size)
	defer b.Free()
	// Through the bare Conn, whose own ReadFrom would make a buffer again.
	return io.CopyBuffer(struct{ io.Writer }{c.Conn}, struct{ io.Reader }{r}, b.Bytes[:cap(b.Bytes)])
}
