package proxy

import (
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/understudy-dev/understudy/internal/failover"
)

// route is what a path means.
type route struct {
	op    failover.Operation
	chain string // named in the path; empty for none
	below string // the raw path below /v1
	found bool
	// models is "/models" or "/models/ID" where the caller asks for the models
	// that are served; empty otherwise.
	models string
}

// passTo makes a path that no dialect has one that is passed through.
func (r *route) passTo(d failover.Dialect, method string) {
	if strings.HasPrefix(r.below, "/v1/") || r.below == "" {
		return
	}
	op, ok := passed(d, method, r.below)
	if !ok {
		return
	}
	r.op, r.found = op, true
	if method == http.MethodGet && (r.below == "/models" || strings.HasPrefix(r.below, "/models/")) {
		r.models = r.below
	}
}

// routeOf matches a raw path exactly. Nothing is cleaned or decoded: what is
// not one of our paths to the letter is not found.
func routeOf(path string) route {
	var r route
	if rest, ok := strings.CutPrefix(path, "/chains/"); ok {
		r.chain, path, _ = strings.Cut(rest, "/")
		path = "/" + path
		if r.chain == "" {
			return route{}
		}
	}
	rest, ok := strings.CutPrefix(path, "/v1")
	if !ok {
		return route{}
	}
	r.below = rest
	r.op, r.found = failover.OperationOf(rest)
	return r
}

// callerOperation stands for the dialect of a request that is refused before
// its path is known to be one of ours.
func callerOperation(r *http.Request) failover.Operation {
	path := r.URL.Path
	if rest, ok := strings.CutPrefix(path, "/chains/"); ok {
		_, path, _ = strings.Cut(rest, "/")
		path = "/" + path
	}
	if r.Header.Get("Anthropic-Version") != "" || strings.HasPrefix(path, "/v1/messages") {
		return failover.Messages
	}
	return failover.ChatCompletions
}

// notFound says what to do about a path that is not served.
func notFound(path string) string {
	switch bare, slash := strings.CutSuffix(path, "/"); {
	case slash && routeOf(bare).found:
		return fmt.Sprintf("%s is not served here; leave out the slash at its end.", safePath(path))
	case strings.HasPrefix(path, "/v1/v1/"):
		return "The path has /v1 twice: an Anthropic SDK takes the base URL http://localhost:8089, an OpenAI SDK http://localhost:8089/v1."
	case strings.HasPrefix(path, "/v1/"), strings.HasPrefix(path, "/chains/"):
		return fmt.Sprintf("%s cannot be passed to a provider; send a plain path, such as /v1/files/ID.", safePath(path))
	}
	return "Nothing is served at this path; the base URL is http://localhost:8089/v1 for an OpenAI SDK and http://localhost:8089 for an Anthropic SDK."
}

// safePath is a path as it may be repeated in a message.
func safePath(path string) string {
	if len(path) > 100 {
		path = path[:100]
	}
	return strings.Map(func(r rune) rune {
		if r < 0x21 || r > 0x7e || strings.ContainsRune("<>&\"'", r) {
			return '_'
		}
		return r
	}, path)
}

// allowedHost reports whether the Host is a name of this machine's loopback.
// A page in a browser can be made to call localhost under a foreign name; the
// Host is then what gives it away.
func allowedHost(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	switch strings.ToLower(name) {
	case "localhost", "127.0.0.1", "::1":
		return true
	}
	return false
}
