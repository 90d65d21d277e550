package proxy

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/understudy-dev/understudy/internal/failover"
)

// readBody reads a request's body whole, because it may have to be sent more
// than once. An announced length gives a buffer of just that size.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request, h *hold) (*failover.Replay, *failover.AppError) {
	if r.ContentLength > maxBody {
		return nil, tooLarge()
	}
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Now().Add(readBodyTimeout))
	body, err := readAll(&s.bodies, http.MaxBytesReader(w, r.Body, maxBody), r.ContentLength, h)
	if err != nil {
		return nil, badRead(err)
	}
	_ = rc.SetReadDeadline(time.Time{})
	switch encoding := strings.ToLower(r.Header.Get("Content-Encoding")); encoding {
	case "", "identity":
		return failover.NewLoanedReplay(body), nil
	case "gzip":
		plain, refusal := inflate(body.Bytes, h)
		body.Free()
		return failover.NewReplay(plain), refusal
	default:
		return nil, &failover.AppError{
			Status: http.StatusUnsupportedMediaType, Class: failover.InvalidRequest,
			Message: "The content encoding must be gzip or none.",
		}
	}
}

// errFull refuses a body that there is no memory for.
var errFull = errors.New("too much is held")

func readAll(buffers *failover.Buffers, r io.Reader, length int64, h *hold) (*failover.Buffer, error) {
	if length < 0 {
		b, err := io.ReadAll(heldReader{r, h})
		return &failover.Buffer{Bytes: b}, err
	}
	if !h.take(length) {
		return nil, errFull
	}
	body := buffers.Get(int(length))
	body.Bytes = body.Bytes[:length]
	if _, err := io.ReadFull(r, body.Bytes); err != nil && length > 0 {
		body.Free()
		return nil, err
	}
	return body, nil
}

// heldReader accounts for what is read of a body of unknown length.
type heldReader struct {
	r    io.Reader
	hold *hold
}

func (r heldReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if !r.hold.take(int64(n)) {
		return n, errFull
	}
	return n, err
}

func inflate(body []byte, h *hold) ([]byte, *failover.AppError) {
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, &failover.AppError{Status: http.StatusBadRequest, Class: failover.InvalidRequest, Message: "The body is not gzip, though its content encoding says so."}
	}
	out, err := io.ReadAll(heldReader{io.LimitReader(z, maxBody+1), h})
	switch {
	case errors.Is(err, errFull):
		return nil, badRead(err)
	case err != nil:
		return nil, &failover.AppError{Status: http.StatusBadRequest, Class: failover.InvalidRequest, Message: "The gzip body is damaged."}
	case len(out) > maxBody:
		return nil, tooLarge()
	}
	return out, nil
}

func tooLarge() *failover.AppError {
	return &failover.AppError{
		Status: http.StatusRequestEntityTooLarge, Class: failover.RequestTooLarge,
		Message: fmt.Sprintf("The request body is over the limit of %d MiB.", maxBody>>20),
	}
}

// badRead says what was wrong with a body that did not arrive.
func badRead(err error) *failover.AppError {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLarge()
	}
	if errors.Is(err, errFull) {
		return &failover.AppError{
			Status: http.StatusServiceUnavailable, Class: failover.ServiceUnavailable,
			Message: "The sidecar holds as many request bodies as its memory allows; try again in a second, or give it more memory.",
		}
	}
	msg := "The request body ended before its announced length."
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		msg = fmt.Sprintf("The request body did not arrive within %s.", readBodyTimeout)
	case !errors.Is(err, io.ErrUnexpectedEOF):
		msg = "The request body is not framed as HTTP/1.1 says."
	}
	return &failover.AppError{Status: http.StatusBadRequest, Class: failover.InvalidRequest, Message: msg}
}
