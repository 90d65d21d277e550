package controller

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	toolscache "k8s.io/client-go/tools/cache"
)

// watchLog says why an object cannot be watched, once for each reason, and when
// it can be again. The libraries try again by themselves, and some of their
// errors, such as a refused connection, they keep to themselves.
type watchLog struct {
	log       *slog.Logger
	namespace string

	mu      sync.Mutex
	trouble string // as it was told last; empty: none
}

// failed is told of a watch that ended with an error.
func (l *watchLog) failed(ctx context.Context, r *toolscache.Reflector, err error) {
	why := ""
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), apierrors.IsResourceExpired(err), apierrors.IsGone(err):
		toolscache.DefaultWatchErrorHandler(ctx, r, err) // part of every watch's life
		return
	case apierrors.IsForbidden(err):
		why = "the pod's service account may not read it; allow get, list and watch on providerchains of understudy.dev in namespace " + l.namespace
	case apierrors.IsUnauthorized(err):
		why = "the API server does not accept the pod's token; mount a service account token into the sidecar"
	case apierrors.IsNotFound(err):
		why = "the cluster does not know ProviderChains; install the CRD"
	default:
		why = "the API server cannot be reached, or does not answer as it should"
	}
	l.tell(why, err)
}

func (l *watchLog) tell(why string, err error) {
	l.mu.Lock()
	told := l.trouble == why
	l.trouble = why
	l.mu.Unlock()
	if !told {
		l.log.Warn("the cluster is not followed; the chains in use stay", "reason", why, "error", err.Error())
	}
}

func (l *watchLog) works() {
	l.mu.Lock()
	before := l.trouble
	l.trouble = ""
	l.mu.Unlock()
	if before != "" {
		l.log.Info("the cluster is followed again")
	}
}

// around watches the requests to the API server.
func (l *watchLog) around(next http.RoundTripper) http.RoundTripper { return tripper{l, next} }

type tripper struct {
	log  *watchLog
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t tripper) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	switch {
	case req.Context().Err() != nil || !req.URL.Query().Has("watch"):
	case err != nil:
		t.log.tell("the API server cannot be reached, or does not answer as it should", err)
	case resp.StatusCode == http.StatusOK:
		t.log.works()
	}
	return resp, err
}
