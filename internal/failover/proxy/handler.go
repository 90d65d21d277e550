package proxy

import (
	"encoding/json"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/understudy-dev/understudy/internal/failover"
)

// handler serves the app's port.
type handler struct{ server *Server }

// crossOrigin refuses what a browser sends from another site. It has no state
// after this.
var crossOrigin = http.NewCrossOriginProtection()

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := h.server
	received := time.Now()
	s.begin()
	defer s.end()
	out := &reply{w: w}
	defer h.recover(out, r)
	if len(r.TransferEncoding) > 0 {
		// What follows a chunked body on this connection is not believed.
		w.Header()["Connection"] = []string{"close"}
	}
	rt, refusal := check(r)
	if refusal != nil {
		h.refuse(out, r, rt.op, *refusal)
		return
	}
	switch {
	case r.RequestURI == statusPath:
		writeJSON(w, s.opts.Store.Load().Status())
		return
	case rt.models != "":
		if s.models(w, rt) {
			return
		}
	}
	hold := s.memory.hold()
	defer hold.release()
	read := s.readBody
	if rt.op.Pass {
		read = s.passedBody
	}
	body, refusal := read(w, r, hold)
	if refusal != nil {
		h.refuse(out, r, rt.op, *refusal)
		return
	}
	defer body.Release()
	answer := s.opts.Engine.Serve(r.Context(), &failover.Request{
		Operation: rt.op, ChainName: rt.chain, Header: r.Header, Query: r.URL.RawQuery,
		Body: body, Received: received,
	})
	hold.release() // nothing is sent again after the commit
	if answer.Upgraded != nil {
		out.upgrade(r, answer)
		return
	}
	out.copy(answer)
}

const statusPath = "/-/status"

// check applies the rules that need no body. The first that fails decides.
func check(r *http.Request) (route, *failover.AppError) {
	deny := func(status int, class failover.Class, message string) (route, *failover.AppError) {
		return route{op: callerOperation(r)}, &failover.AppError{Status: status, Class: class, Message: message}
	}
	path, _, _ := strings.Cut(r.RequestURI, "?")
	switch {
	case r.Method == http.MethodConnect || !strings.HasPrefix(path, "/"):
		return deny(http.StatusBadRequest, failover.InvalidRequest, "This is not a forward proxy; send the path alone, such as /v1/chat/completions.")
	case !allowedHost(r.Host):
		return deny(http.StatusMisdirectedRequest, failover.InvalidRequest, "Only localhost, 127.0.0.1 and [::1] are served; use one of them as the host of the base URL.")
	case crossOrigin.Check(r) != nil:
		return deny(http.StatusForbidden, failover.PermissionDenied, "Requests from web pages of another origin are not served.")
	case foreignPage(r):
		return deny(http.StatusForbidden, failover.PermissionDenied, "Connections from web pages of another origin are not served.")
	case ourselves(r.Header["Via"]):
		return deny(http.StatusLoopDetected, failover.InvalidRequest, "This request has passed through a sidecar already; a provider's baseURL points back here.")
	case path == statusPath:
		if r.Method != http.MethodGet {
			return deny(http.StatusMethodNotAllowed, failover.InvalidRequest, "This path takes GET.")
		}
		return route{}, nil
	}
	rt := routeOf(path)
	if !rt.found || r.Method == http.MethodGet && rt.op.Stores() {
		rt.passTo(callerOperation(r).Dialect, r.Method)
	}
	switch {
	case !rt.found:
		return deny(http.StatusNotFound, failover.NotFound, notFound(path))
	case rt.op.Pass:
		return rt, nil
	case r.Method != http.MethodPost:
		return deny(http.StatusMethodNotAllowed, failover.InvalidRequest, "This path takes POST.")
	}
	if ct := r.Header.Get("Content-Type"); ct != "" && !isJSON(ct) {
		return deny(http.StatusUnsupportedMediaType, failover.InvalidRequest, "The content type must be application/json; with curl add -H 'content-type: application/json'.")
	}
	return rt, nil
}

func isJSON(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(kind), "application/json")
}

func ourselves(via []string) bool {
	for _, v := range via {
		if strings.Contains(v, "understudy") {
			return true
		}
	}
	return false
}

// refuse answers with an error of our own.
func (h *handler) refuse(out *reply, r *http.Request, op failover.Operation, e failover.AppError) {
	a := h.server.opts.Engine.Refuse(op, e)
	switch e.Status {
	case http.StatusMethodNotAllowed:
		a.Header["Allow"] = []string{http.MethodPost}
		if r.URL.Path == statusPath {
			a.Header["Allow"] = []string{http.MethodGet}
		}
	case http.StatusServiceUnavailable:
		a.Header["Retry-After"] = []string{"1"}
		a.Header["Connection"] = []string{"close"}
	case http.StatusRequestEntityTooLarge, http.StatusBadRequest:
		// The rest of the body is not read.
		a.Header["Connection"] = []string{"close"}
	}
	out.copy(a)
}

// recover keeps a mistake of ours in one request from ending the process. The
// log gets the place and not the value, which may hold a prompt.
func (h *handler) recover(out *reply, r *http.Request) {
	switch p := recover(); p {
	case nil:
	case http.ErrAbortHandler:
		panic(p)
	default:
		h.server.opts.Log.Error("a request panicked", "stack", string(debug.Stack()))
		if out.begun {
			panic(http.ErrAbortHandler)
		}
		h.refuse(out, r, callerOperation(r), failover.AppError{Status: http.StatusInternalServerError, Class: failover.Internal, Message: "The sidecar failed at this request; its log says where."})
	}
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	_ = enc.Encode(v)
}
