package failover

import (
	"errors"
	"io"
	"slices"
	"sync/atomic"
)

// Replay is a request body that can be sent to one entry after the other and
// is let go of at the commit. An http.Transport keeps a reference to the body
// it was given until the response ends; because that reference is to a reader
// that forgets its bytes once they are read, an hour-long stream does not hold
// the prompt that began it.
//
// The bytes may be on loan from Buffers. They go back when the replay was
// released and every reader is done with them, whichever comes last: a
// transport may still be writing a body whose answer has already come.
type Replay struct {
	parts atomic.Pointer[[3][]byte] // sent one after the other; nil after Release
	size  int64
	loan  *loan
	once  atomic.Pointer[io.ReadCloser] // a body that can be sent once only
	spent atomic.Bool
	part  bool // of another replay, whose place among the users counts for both
}

// loan counts who still needs the bytes.
type loan struct {
	users  atomic.Int32 // the replay itself, until Release, and its readers
	buffer *Buffer      // nil: the bytes are not on loan
	kept   atomic.Bool  // somebody holds parts of the bytes; they never go back
}

// join adds a user, unless the last one is gone.
func (l *loan) join() bool {
	for {
		n := l.users.Load()
		if n == 0 {
			return false
		}
		if l.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (l *loan) leave() {
	if l.users.Add(-1) == 0 && l.buffer != nil && !l.kept.Load() {
		l.buffer.Free()
	}
}

// ErrReleased reports that a body was asked for after the commit.
var ErrReleased = errors.New("the request body was released at the commit")

// NewReplay holds body, which must not be changed any more.
func NewReplay(body []byte) *Replay { return newReplay(body, nil) }

// NewLoanedReplay holds the bytes of a buffer, and gives it back when nobody
// needs it any more.
func NewLoanedReplay(b *Buffer) *Replay { return newReplay(b.Bytes, b) }

func newReplay(body []byte, b *Buffer) *Replay {
	r := &Replay{size: int64(len(body)), loan: &loan{buffer: b}}
	r.loan.users.Store(1)
	r.parts.Store(&[3][]byte{body})
	return r
}

// NewOnceReplay is a body that is too large to be held: it is read as it is
// sent, and can be sent to one entry only. size is -1 where it is not known.
func NewOnceReplay(body io.ReadCloser, size int64) *Replay {
	r := newReplay(nil, nil)
	r.size = size
	r.once.Store(&body)
	return r
}

// Streams reports a body that is read as it is sent.
func (r *Replay) Streams() bool { return r.spent.Load() || r.once.Load() != nil }

// Spent reports a body that cannot be sent again.
func (r *Replay) Spent() bool { return r.spent.Load() }

// spliced is the body with the bytes from..to replaced by with. It shares the
// other bytes, and is released together with r.
func (r *Replay) spliced(from, to int, with []byte) *Replay {
	body := r.Bytes()
	s := &Replay{size: int64(len(body) - (to - from) + len(with)), loan: r.loan, part: true}
	s.parts.Store(&[3][]byte{body[:from], with, body[to:]})
	return s
}

// Size is the length of the body in bytes; -1 where it is not known.
func (r *Replay) Size() int64 { return r.size }

// Bytes returns the body as it came, or nil after Release. They are valid until
// then; Keep makes them valid for good.
func (r *Replay) Bytes() []byte {
	if p := r.parts.Load(); p != nil {
		return p[0]
	}
	return nil
}

// Whole returns the body as it is sent, in a copy where it has several parts.
func (r *Replay) Whole() []byte {
	p := r.parts.Load()
	if p == nil {
		return nil
	}
	if len(p[1])+len(p[2]) == 0 {
		return p[0]
	}
	return slices.Concat(p[0], p[1], p[2])
}

// Keep tells that somebody holds parts of the bytes beyond Release.
func (r *Replay) Keep() { r.loan.kept.Store(true) }

// Release lets go of the bytes. Readers handed out before keep theirs until
// they are read or closed. Only the first call counts.
func (r *Replay) Release() {
	if r.parts.Swap(nil) != nil && !r.part {
		r.loan.leave()
	}
}

// Reader returns the body from its start.
func (r *Replay) Reader() (io.ReadCloser, error) {
	if once := r.once.Swap(nil); once != nil {
		r.spent.Store(true)
		return *once, nil
	}
	p := r.parts.Load()
	if p == nil || r.Spent() || !r.loan.join() {
		return nil, ErrReleased
	}
	return &replayReader{rest: *p, loan: r.loan}, nil
}

// replayReader reads a body once. One goroutine of the transport reads it;
// another may close it meanwhile, so the loan is left by whichever of the two
// is the last to touch the bytes.
type replayReader struct {
	rest  [3][]byte
	loan  *loan
	state atomic.Int32
}

// The bits of a reader's state.
const (
	readerBusy   = 1 << iota // a Read is under way
	readerClosed             // no Read may begin
	readerLeft               // the loan was left
)

// Read implements io.Reader and forgets the bytes after the last one.
func (r *replayReader) Read(p []byte) (int, error) {
	if !r.state.CompareAndSwap(0, readerBusy) {
		return 0, io.EOF
	}
	n := 0
	for i := range r.rest {
		c := copy(p[n:], r.rest[i])
		r.rest[i] = r.rest[i][c:]
		n += c
	}
	after := r.state.And(^readerBusy) &^ readerBusy
	if len(r.rest[0])+len(r.rest[1])+len(r.rest[2]) == 0 || after&readerClosed != 0 {
		r.rest = [3][]byte{}
		r.leave()
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Close implements io.Closer.
func (r *replayReader) Close() error {
	if r.state.Or(readerClosed)&readerBusy == 0 {
		r.leave()
	}
	return nil
}

func (r *replayReader) leave() {
	if r.state.Or(readerLeft|readerClosed)&readerLeft == 0 {
		r.loan.leave()
	}
}
