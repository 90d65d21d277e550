package failover

import (
	"errors"
	"io"
	"net/http"
)

// Answer is what the app gets: a status, headers and a body in its own
// dialect, whoever gave it. It is used by one goroutine.
//
//	for {
//		chunk, err := answer.Next()
//		write chunk
//		if err == io.EOF: the answer is complete
//		if err != nil:    abort the connection, so that it cannot look complete
//	}
//	answer.Close()
type Answer struct {
	Status int
	Header http.Header // ready to be sent, the x-understudy-* headers included
	// Stream marks an answer whose chunks must be flushed one by one.
	Stream bool
	// Length is the length of a body that is known as a whole; -1 otherwise.
	Length int64
	// Upgraded is the connection of an answer of status 101; nil for others.
	// Close ends it.
	Upgraded io.ReadWriteCloser

	body   answerBody
	failed error
}

// ErrAborted is what Next returns, after the dialect's error event, for an
// answer that broke after its commit.
var ErrAborted = errors.New("the answer was interrupted after it had begun")

// answerBody yields an answer piece by piece.
type answerBody interface {
	// next returns bytes that are valid until the next call, together with
	// io.EOF or ErrAborted when they are the last ones.
	next() ([]byte, error)
	// close ends the answer, complete or not. It is called once. abandoned
	// tells that the app is gone.
	close(abandoned bool)
}

// Next returns the next bytes of the body; they are valid until the following
// call. With the last ones, or after them, comes io.EOF for a complete answer
// and ErrAborted for a broken one.
func (a *Answer) Next() ([]byte, error) {
	if a.failed != nil {
		return nil, a.failed
	}
	b, err := a.body.next()
	a.failed = err
	return b, err
}

// Close ends the answer and reports its outcome. An answer that is closed
// before its end counts as one that the app left.
func (a *Answer) Close() {
	if a.body != nil {
		a.body.close(a.failed == nil)
		a.body = nil
		a.failed = io.ErrClosedPipe
	}
}

// wholeBody is a body that is in memory already.
type wholeBody struct {
	bytes []byte
	done  func(abandoned bool)
}

func (b *wholeBody) next() ([]byte, error) { return b.bytes, io.EOF }

func (b *wholeBody) close(abandoned bool) {
	if b.done != nil {
		b.done(abandoned)
	}
}
