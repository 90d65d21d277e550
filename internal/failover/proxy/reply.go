package proxy

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/understudy-dev/understudy/internal/failover"
)

// reply is the way back to the app.
type reply struct {
	w     http.ResponseWriter
	begun bool // the head is written
}

// writeTimeout is how long one piece of an answer may wait for the app to take
// it. A client that is stuck for longer does not hold an answer forever.
const writeTimeout = 5 * time.Minute

// copy hands an answer to the app, piece by piece. One that broke ends in an
// aborted connection, so that nothing can take it for complete.
func (o *reply) copy(a *failover.Answer) {
	defer a.Close()
	header := o.w.Header()
	for name, values := range a.Header {
		header[name] = values
	}
	if a.Length >= 0 && !a.Stream {
		header["Content-Length"] = []string{strconv.FormatInt(a.Length, 10)}
	}
	rc := http.NewResponseController(o.w)
	o.begun = true
	o.w.WriteHeader(a.Status)
	for {
		piece, err := a.Next()
		if len(piece) > 0 {
			_ = rc.SetWriteDeadline(time.Now().Add(writeTimeout))
			if _, werr := o.w.Write(piece); werr != nil {
				return
			}
			if a.Stream && rc.Flush() != nil {
				return
			}
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			return
		default:
			_ = rc.Flush()
			a.Close()
			panic(http.ErrAbortHandler)
		}
	}
}
