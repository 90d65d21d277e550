package provider

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/understudy-dev/understudy/internal/failover"
)

// endpoint is one entry's way to its provider.
type endpoint struct {
	kind      kind
	base      *url.URL
	dialects  []failover.Dialect
	secret    *secret // nil: no credential is sent
	transport http.RoundTripper
}

// Host implements failover.Endpoint.
func (e *endpoint) Host() string { return hostID(e.base) }

// Dialects implements failover.Endpoint.
func (e *endpoint) Dialects() []failover.Dialect { return e.dialects }

// MaxTokensField implements failover.Endpoint.
func (e *endpoint) MaxTokensField() string { return e.kind.maxTokens }

// Credential implements failover.Endpoint.
func (e *endpoint) Credential() (failover.Credentials, error) {
	if e.secret == nil {
		return failover.Credentials{}, nil
	}
	return e.secret.credentials()
}

// Send implements failover.Endpoint. The transport retries by itself, once and
// on a new connection, when a kept-alive connection turns out to be dead
// before anything came back; everything else is the walk's decision.
func (e *endpoint) Send(ctx context.Context, call failover.Call) (*http.Response, error) {
	body, err := call.Body.Reader()
	if err != nil {
		return nil, err
	}
	u := *e.base
	u.Path = pathOf(e.kind, e.base, call.Operation)
	u.RawQuery = call.Query
	req := &http.Request{
		Method: http.MethodPost, URL: &u, Host: u.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: e.header(call), Body: body, ContentLength: call.Body.Size(),
		GetBody: func() (io.ReadCloser, error) { return call.Body.Reader() },
	}
	resp, err := e.transport.RoundTrip(req.WithContext(ctx))
	if err != nil {
		// A *url.Error would repeat the address with its query.
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err
		}
		return nil, err
	}
	return resp, nil
}

// Headers that are not the provider's business: those of one hop, those that
// carry the app's credentials or identity at another provider, and those that
// describe how the app reached us.
var dropped = map[string]bool{
	"Connection": true, "Keep-Alive": true, "Proxy-Connection": true, "Proxy-Authenticate": true, "Proxy-Authorization": true,
	"Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true, "Expect": true,
	"Authorization": true, "X-Api-Key": true, "Api-Key": true, "X-Goog-Api-Key": true, "X-Amz-Security-Token": true, "Cookie": true,
	"Openai-Organization": true, "Openai-Project": true, "Anthropic-Workspace-Id": true,
	"Host": true, "Content-Length": true, "Content-Encoding": true, "Accept-Encoding": true, "Content-Type": true, "Accept": true,
	"Forwarded": true, "Via": true, "Origin": true, "Referer": true,
}

var droppedPrefixes = [...]string{"X-Forwarded-", "Sec-", "X-Amz-", "X-Understudy-"}

// translatedKeep are the app's headers that mean the same to every provider.
var translatedKeep = [...]string{"User-Agent", "X-Client-Request-Id", "Traceparent", "Tracestate"}

// header builds a call's headers.
func (e *endpoint) header(call failover.Call) http.Header {
	h := make(http.Header, len(call.Header)+8)
	for name, value := range e.kind.header {
		h[name] = []string{value}
	}
	if call.Translated {
		for _, name := range translatedKeep {
			if v := call.Header[name]; v != nil {
				h[name] = v
			}
		}
	} else {
		passOn(h, call.Header)
	}
	h["Content-Type"] = jsonType
	h["Accept"] = jsonType
	if call.Stream {
		h["Accept"] = streamType
	}
	// We have to read what comes back.
	h["Accept-Encoding"] = identity
	h["Via"] = via
	if h["User-Agent"] == nil {
		h["User-Agent"] = []string{""} // else the transport adds its own
	}
	if h["Idempotency-Key"] == nil {
		// An empty list is not sent, and tells the transport that it may send
		// the request again on a new connection.
		h["Idempotency-Key"] = nil
	}
	if secret := call.Credentials.Reveal(); secret != "" {
		h[e.kind.keyHeader] = []string{e.kind.keyPrefix + secret}
	}
	return h
}

var (
	jsonType   = []string{"application/json"}
	streamType = []string{"text/event-stream"}
	identity   = []string{"identity"}
	via        = []string{"1.1 understudy"}
)

// passOn copies what the provider may see of the app's headers.
func passOn(to, from http.Header) {
	for name, values := range from {
		if dropped[name] || hasPrefix(name) {
			continue
		}
		to[name] = values
	}
	for _, list := range from["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			delete(to, http.CanonicalHeaderKey(strings.TrimSpace(name)))
		}
	}
}

func hasPrefix(name string) bool {
	for _, p := range droppedPrefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}
