package failover

import (
	"errors"
	"io"
	"sync/atomic"
)

// Replay is a request body that can be sent to one entry after the other and
// is let go of at the commit. An http.Transport keeps a reference to the body
// it was given until the response ends; because that reference is to a reader
// that forgets its bytes once they are read, an hour-long stream does not hold
// the prompt that began it.
type Replay struct {
	body atomic.Pointer[[]byte]
	size int64
}

// ErrReleased reports that a body was asked for after the commit.
var ErrReleased = errors.New("the request body was released at the commit")

// NewReplay holds body, which must not be changed any more.
func NewReplay(body []byte) *Replay {
	r := &Replay{size: int64(len(body))}
	r.body.Store(&body)
	return r
}

// Size is the length of the body in bytes.
func (r *Replay) Size() int64 { return r.size }

// Bytes returns the body, or nil after Release.
func (r *Replay) Bytes() []byte {
	if p := r.body.Load(); p != nil {
		return *p
	}
	return nil
}

// Release lets go of the bytes. Readers handed out before keep theirs until
// they are read or closed.
func (r *Replay) Release() { r.body.Store(nil) }

// Reader returns the body from its start.
func (r *Replay) Reader() (io.ReadCloser, error) {
	p := r.body.Load()
	if p == nil {
		return nil, ErrReleased
	}
	return &replayReader{rest: *p}, nil
}

// replayReader is used by one goroutine of the transport at a time.
type replayReader struct{ rest []byte }

// Read implements io.Reader and forgets the bytes after the last one.
func (r *replayReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.rest)
	if r.rest = r.rest[n:]; len(r.rest) == 0 {
		r.rest = nil
	}
	return n, nil
}

// WriteTo implements io.WriterTo, which saves the transport a copy.
func (r *replayReader) WriteTo(w io.Writer) (int64, error) {
	rest := r.rest
	r.rest = nil
	n, err := w.Write(rest)
	return int64(n), err
}

// Close implements io.Closer. The transport may call it while another of its
// goroutines still reads, so the bytes are left to Read.
func (r *replayReader) Close() error { return nil }
