package provider

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/understudy-dev/understudy/internal/failover"
)

// What a provider may see of the app's headers is a list of what is allowed,
// because nobody can list what a key may be called: gateways and tracing tools
// invent headers for theirs. A header that names the app's account at another
// provider is a credential, too, and is left out by name.

// everyProvider are the app's headers that mean the same to every provider and
// in every dialect.
var everyProvider = [...]string{"User-Agent", "X-Client-Request-Id", "Traceparent", "Tracestate"}

// sameDialect are those that go with the app's own body.
var sameDialect = [...]string{"Idempotency-Key", "X-Request-Id"}

// dialectHeaders are a dialect's own families of headers, and the members of
// them that tell who the app is.
type dialectHeaders struct {
	prefixes []string
	also     []string
	identity []string
}

var (
	openAIHeaders = dialectHeaders{
		prefixes: []string{"Openai-", "X-Stainless-"},
		// How an app names itself to an aggregator.
		also:     []string{"Http-Referer", "X-Title", "X-Session-Id"},
		identity: []string{"Openai-Organization", "Openai-Project"},
	}
	anthropicHeaders = dialectHeaders{
		prefixes: []string{"Anthropic-", "X-Stainless-"},
		identity: []string{"Anthropic-Workspace-Id", "Anthropic-Organization-Id"},
	}
)

func headersOf(d failover.Dialect) *dialectHeaders {
	if d == failover.AnthropicMessages {
		return &anthropicHeaders
	}
	return &openAIHeaders
}

// anthropicVersion is the version that every model and host accepts.
var anthropicVersion = []string{"2023-06-01"}

var (
	jsonType   = []string{"application/json"}
	streamType = []string{"text/event-stream"}
	// We have to read what comes back.
	identity = []string{"identity"}
	via      = []string{"1.1 understudy"}
	nothing  = []string{""}
)

// header builds a call's headers from nothing.
func (e *endpoint) header(call failover.Call) http.Header {
	h := make(http.Header, len(call.Header)+8)
	take(h, call.Header, everyProvider[:])
	if !call.Translated {
		take(h, call.Header, sameDialect[:])
		headersOf(call.Operation.Dialect).take(h, call.Header)
		dropNamed(h, call.Header["Connection"])
	}
	if call.Operation.Dialect == failover.AnthropicMessages && h["Anthropic-Version"] == nil {
		h["Anthropic-Version"] = anthropicVersion
	}
	h["Content-Type"], h["Accept"] = jsonType, jsonType
	switch {
	case call.Operation.Pass:
		passedHeaders(h, call.Header)
	case call.Stream:
		h["Accept"] = streamType
	}
	h["Accept-Encoding"] = identity
	h["Via"] = via
	if h["User-Agent"] == nil {
		h["User-Agent"] = nothing // else the transport adds its own
	}
	if h["Idempotency-Key"] == nil && !call.Operation.Stateful {
		// An empty list is not sent, and tells the transport that it may send
		// the request again on a new connection.
		h["Idempotency-Key"] = nil
	}
	return h
}

// passedHeaders are those of a body that is not looked at, and of a connection
// that is to become another protocol's.
func passedHeaders(h, app http.Header) {
	delete(h, "Content-Type")
	take(h, app, []string{"Content-Type", "Content-Encoding", "Accept", "Range", "If-None-Match", "If-Modified-Since"})
	if app["Upgrade"] == nil {
		return
	}
	h["Connection"], h["Upgrade"] = []string{"Upgrade"}, app["Upgrade"]
	take(h, app, []string{"Sec-Websocket-Key", "Sec-Websocket-Version", "Sec-Websocket-Extensions"})
	if offered := withoutKeyProtocols(app["Sec-Websocket-Protocol"]); offered != "" {
		h["Sec-Websocket-Protocol"] = []string{offered}
	}
}

// keyProtocol begins the subprotocol in which a page sends its key, since it
// can set no headers.
const keyProtocol = "openai-insecure-api-key."

func withoutKeyProtocols(offers []string) string {
	var kept []string
	for _, list := range offers {
		for p := range strings.SplitSeq(list, ",") {
			if p = strings.TrimSpace(p); !strings.HasPrefix(p, keyProtocol) && !strings.HasPrefix(p, "openai-organization.") && !strings.HasPrefix(p, "openai-project.") {
				kept = append(kept, p)
			}
		}
	}
	return strings.Join(kept, ", ")
}

func take(to, from http.Header, names []string) {
	for _, name := range names {
		if v := from[name]; v != nil {
			to[name] = v
		}
	}
}

// take copies a dialect's own headers.
func (d *dialectHeaders) take(to, from http.Header) {
	take(to, from, d.also)
	for name, values := range from {
		for _, prefix := range d.prefixes {
			if strings.HasPrefix(name, prefix) {
				to[name] = values
			}
		}
	}
	for _, name := range d.identity {
		delete(to, name)
	}
}

// dropNamed takes out what the app's Connection header calls a matter of its
// own hop.
func dropNamed(h http.Header, connection []string) {
	for _, list := range connection {
		for name := range strings.SplitSeq(list, ",") {
			delete(h, http.CanonicalHeaderKey(strings.TrimSpace(name)))
		}
	}
}

// keyParameters are the query parameters that hold a key at one server or
// another.
var keyParameters = [...]string{"key", "api_key", "api-key", "apikey", "access_token", "token", "subscription-key", "sig", "signature"}

// withoutKeys takes an app's keys out of a raw query. What is left keeps its
// bytes.
func withoutKeys(query string) string {
	if query == "" {
		return ""
	}
	kept := make([]string, 0, 4)
	for pair := range strings.SplitSeq(query, "&") {
		raw, _, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(raw)
		if err == nil && !isKeyParameter(name) {
			kept = append(kept, pair)
		}
	}
	return strings.Join(kept, "&")
}

func isKeyParameter(name string) bool {
	for _, key := range keyParameters {
		if strings.EqualFold(name, key) {
			return true
		}
	}
	return false
}

// joinQuery puts the provider's own query in front of the app's.
func joinQuery(own, app string) string {
	if own == "" || app == "" {
		return own + app
	}
	return own + "&" + app
}
