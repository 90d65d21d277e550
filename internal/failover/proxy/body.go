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
func (s *Server) readBody(w http.ResponseWriter, r *http.Request) (*failover.Replay, *failover.AppError) {
	if r.ContentLength > maxBody {
		return nil, tooLarge()
	}
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Now().Add(readBodyTimeout))
	body, err := readAll(&s.bodies, http.MaxBytesReader(w, r.Body, maxBody), r.ContentLength)
	if err != nil {
		return nil, badRead(err)
	}
	_ = rc.SetReadDeadline(time.Time{})
	switch encoding := strings.ToLower(r.Header.Get("Content-Encoding")); encoding {
	case "", "identity":
		return failover.NewLoanedReplay(body), nil
	case "gzip":
		plain, refusal := inflate(body.Bytes)
		body.Free()
		return failover.NewReplay(plain), refusal
	default:
		return nil, &failover.AppError{
			Status: http.StatusUnsupportedMediaType, Class: failover.InvalidRequest,
			Message: "The content encoding must be gzip or none.",
		}
	}
}

func readAll(buffers *failover.Buffers, r io.Reader, length int64) (*failover.Buffer, error) {
	if length < 0 {
		b, err := io.ReadAll(r)
		return &failover.Buffer{Bytes: b}, err
	}
	body := buffers.Get(int(length))
	body.Bytes = body.Bytes[:length]
	if _, err := io.ReadFull(r, body.Bytes); err != nil && length > 0 {
		body.Free()
		return nil, err
	}
	return body, nil
}

func inflate(body []byte) ([]byte, *failover.AppError) {
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, &failover.AppError{Status: http.StatusBadRequest, Class: failover.InvalidRequest, Message: "The body is not gzip, though its content encoding says so."}
	}
	out, err := io.ReadAll(io.LimitReader(z, maxBody+1))
	switch {
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
	msg := "The request body ended before its announced length."
	if errors.Is(err, os.ErrDeadlineExceeded) {
		msg = fmt.Sprintf("The request body did not arrive within %s.", readBodyTimeout)
	}
	return &failover.AppError{Status: http.StatusBadRequest, Class: failover.InvalidRequest, Message: msg}
}
