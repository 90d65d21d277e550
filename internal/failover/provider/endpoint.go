package provider

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"

	"github.com/understudy-dev/understudy/internal/failover"
)

// endpoint is one entry's way to its provider.
type endpoint struct {
	surface
	base      *url.URL
	dialects  []failover.Dialect
	secret    *secret // nil: no credential is sent
	transport *http.Transport
	trust     *trust // in the transport's place where tls is set
}

// Host implements failover.Endpoint.
func (e *endpoint) Host() string { return hostID(e.base) }

// Dialects implements failover.Endpoint.
func (e *endpoint) Dialects() []failover.Dialect { return e.dialects }

// Quirks implements failover.Endpoint.
func (e *endpoint) Quirks() failover.Quirks { return e.quirks }

// Credential implements failover.Endpoint.
func (e *endpoint) Credential() (failover.Credentials, error) {
	if e.trust != nil {
		if _, err := e.trust.transport(); err != nil {
			return failover.Credentials{}, err
		}
	}
	if e.secret == nil {
		return failover.Credentials{}, nil
	}
	return e.secret.credentials()
}

// errKeepsBreaking ends the transport's own retries.
var errKeepsBreaking = fmt.Errorf("one connection after the other broke off before an answer: %w", io.ErrUnexpectedEOF)

// Send implements failover.Endpoint. A call that a kept-alive connection lost
// before anything came back, or that an HTTP/2 server promises not to have
// begun, is sent once more on a fresh connection; everything else is the
// walk's decision.
func (e *endpoint) Send(ctx context.Context, call failover.Call) (*http.Response, error) {
	transport := e.transport
	if e.trust != nil {
		var err error
		if transport, err = e.trust.transport(); err != nil {
			return nil, fmt.Errorf("%w: %w", failover.ErrNoCredential, err)
		}
	}
	req, err := e.request(ctx, call)
	if err != nil {
		return nil, err
	}
	if req.GetBody != nil {
		req.GetBody = again(transport, req.GetBody)
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		// A *url.Error would repeat the address with its query.
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err
		}
		return nil, err
	}
	if e.receive != nil {
		e.receive(resp, call)
	}
	return resp, nil
}

// request builds a call's HTTP request from nothing.
func (e *endpoint) request(ctx context.Context, call failover.Call) (*http.Request, error) {
	path, query := e.target(e.base, call) // of the call as it is, model included
	header := e.header(call)
	if e.edit != nil {
		edited, err := e.edit(call, header)
		if err != nil {
			return nil, err
		}
		call.Body = edited
	}
	body, err := call.Body.Reader()
	if err != nil {
		return nil, err
	}
	u := *e.base
	if u.Path, err = url.PathUnescape(path); err != nil {
		return nil, err
	}
	u.RawPath = path // used where Path would be escaped in another way
	if u.RawQuery = query; !e.noQuery {
		u.RawQuery = joinQuery(query, withoutKeys(call.Query))
	}
	req := &http.Request{
		Method: method(call.Operation), URL: &u, Host: u.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: body, ContentLength: call.Body.Size(), GetBody: call.Body.Reader,
	}
	switch {
	case call.Body.Size() == 0: // a GET
		body.Close()
		req.Body, req.GetBody = http.NoBody, nil
	case call.Body.Streams():
		req.GetBody = nil // it cannot be read again
	}
	if e.authorize != nil {
		if err := e.authorize(ctx, req, call); err != nil {
			req.Body.Close()
			return nil, err
		}
	}
	return req.WithContext(ctx), nil
}

func method(op failover.Operation) string {
	if op.Method == "" {
		return http.MethodPost
	}
	return op.Method
}

// resends is how often the transport may ask for a body again. One retry asks
// twice where an HTTP/2 connection has to be replaced for it.
const resends = 2

// again hands the body out for the transport's own retry. The transport alone
// would go through every idle connection in turn, or wait up to a minute for a
// server that refuses streams, while another provider could answer. The idle
// connections are closed first: they are as old as the dead one, and the retry
// needs one that is alive.
func again(transport *http.Transport, body func() (io.ReadCloser, error)) func() (io.ReadCloser, error) {
	var asked atomic.Int32
	return func() (io.ReadCloser, error) {
		if asked.Add(1) > resends {
			return nil, errKeepsBreaking
		}
		transport.CloseIdleConnections()
		return body()
	}
}
