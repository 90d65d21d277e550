package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/understudy-dev/understudy/internal/failover"
)

// passes reports the methods of what is passed through.
var passes = map[string]bool{
	http.MethodGet: true, http.MethodHead: true, http.MethodPost: true, http.MethodPut: true, http.MethodPatch: true, http.MethodDelete: true,
}

// passed finds the operation of everything else under /v1: d is the caller's
// family and path the raw path below /v1. It is false for a path that is not
// one to the letter: nothing is cleaned on the way to a provider.
func passed(d failover.Dialect, method, path string) (failover.Operation, bool) {
	if !passes[method] || len(path) < 2 || path[0] != '/' || !plainPath(path) {
		return failover.Operation{}, false
	}
	return failover.Passed(d, method, path), true
}

// unreserved are the characters of a path that mean themselves.
const unreserved = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"

// plainPath reports a path that every server reads alike: no empty and no dot
// segments, nothing encoded that need not be or that is a separator.
func plainPath(path string) bool {
	for segment := range strings.SplitSeq(path[1:], "/") {
		plain, err := url.PathUnescape(segment)
		if err != nil || plain == "" || plain == "." || plain == ".." || strings.ContainsAny(plain, "/\\;?#%") {
			return false
		}
		if strings.Trim(segment, unreserved+":@!$&'()*+,=%") != "" || url.PathEscape(plain) != segment && strings.ContainsRune(segment, '%') {
			return false
		}
		if strings.ContainsFunc(plain, func(r rune) bool { return r < 0x21 || r == 0x7f }) {
			return false
		}
	}
	return true
}

// passedBody reads a body that may be of any size: one within the limit is
// held, so that it can be sent again; a larger one is read as it is sent.
func (s *Server) passedBody(w http.ResponseWriter, r *http.Request, h *hold) (*failover.Replay, *failover.AppError) {
	rc := http.NewResponseController(w)
	paced := &pacedBody{r.Body, rc}
	if r.ContentLength > maxBody {
		return failover.NewOnceReplay(paced, r.ContentLength), nil
	}
	if r.ContentLength >= 0 {
		body, err := readAll(&s.bodies, paced, r.ContentLength, h)
		if err != nil {
			return nil, badRead(err)
		}
		_ = rc.SetReadDeadline(time.Time{})
		return failover.NewLoanedReplay(body), nil
	}
	begun, err := io.ReadAll(heldReader{io.LimitReader(paced, maxBody+1), h})
	switch {
	case err != nil:
		return nil, badRead(err)
	case len(begun) <= maxBody:
		_ = rc.SetReadDeadline(time.Time{})
		return failover.NewReplay(begun), nil
	}
	return failover.NewOnceReplay(struct {
		io.Reader
		io.Closer
	}{io.MultiReader(strings.NewReader(string(begun)), paced), paced}, -1), nil
}

// pacedBody gives every read of an upload its own time: how long the whole may
// take is the app's business.
type pacedBody struct {
	io.ReadCloser
	rc *http.ResponseController
}

func (b *pacedBody) Read(p []byte) (int, error) {
	_ = b.rc.SetReadDeadline(time.Now().Add(readBodyTimeout))
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		_ = b.rc.SetReadDeadline(time.Time{})
	}
	return n, err
}

// foreignPage reports a connection that a page of another site opens. The
// browser's rules do not hold it back: they do not apply to what is no HTTP.
func foreignPage(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || r.Header.Get("Upgrade") == "" {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || !allowedHost(u.Host)
}

// upgrade hands the app's connection and the provider's to each other, until
// one of them ends or the server does.
func (o *reply) upgrade(r *http.Request, a *failover.Answer) {
	defer a.Close()
	defer a.Upgraded.Close()
	conn, buffered, err := http.NewResponseController(o.w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Time{})
	o.begun = true
	head := &http.Response{StatusCode: a.Status, ProtoMajor: 1, ProtoMinor: 1, Header: a.Header}
	if head.Write(buffered) != nil || buffered.Flush() != nil {
		return
	}
	// Either side's end, or the server's, ends the other.
	closeBoth := func() {
		conn.Close()
		a.Upgraded.Close()
	}
	stop := context.AfterFunc(r.Context(), closeBoth)
	defer stop()
	var up sync.WaitGroup
	up.Go(func() {
		defer closeBoth()
		_, _ = io.Copy(a.Upgraded, buffered)
	})
	_, _ = io.Copy(conn, a.Upgraded)
	closeBoth()
	up.Wait()
}
