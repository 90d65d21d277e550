package provider

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"syscall"
	"time"
)

// DialFunc opens a connection.
type DialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// transportKey tells the transports apart: one a host, so that a fault of one
// provider's connections is no other's, and one a connect timeout.
type transportKey struct {
	host    string
	connect time.Duration
}

// Connection settings. The pings find a dead HTTP/2 connection in half a
// minute instead of the quarter of an hour that TCP needs; idle connections
// are dropped before the common balancers drop them.
const (
	tlsHandshakeTimeout = 5 * time.Second
	pingAfter           = 15 * time.Second
	pingTimeout         = 10 * time.Second
	idleTimeout         = 60 * time.Second
	idlePerHost         = 256
	maxResponseHeader   = 256 << 10
	// A connection keeps this while a stream is open. It has room for a small
	// request; the rest of a larger one is written past it.
	writeBuffer = 2 << 10
)

// transport finds the transport of a host, or makes it. Transports are never
// dropped while the process lives: there are as many as addresses were ever
// configured, and their idle connections close by themselves.
func (p *Provider) transport(u *url.URL, connect time.Duration) http.RoundTripper {
	key := transportKey{hostID(u), connect}
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.transports[key]
	if t == nil {
		t = p.newTransport(connect)
		p.transports[key] = t
	}
	return t
}

func (p *Provider) newTransport(connect time.Duration) *http.Transport {
	dial := p.opts.Dial
	if dial == nil {
		d := &net.Dialer{Timeout: connect, KeepAlive: 30 * time.Second, Control: p.refuseAddress}
		dial = d.DialContext
	}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: dial,
		WriteBufferSize: writeBuffer, TLSHandshakeTimeout: tlsHandshakeTimeout, IdleConnTimeout: idleTimeout, MaxIdleConnsPerHost: idlePerHost,
		MaxResponseHeaderBytes: maxResponseHeader, DisableCompression: true, ForceAttemptHTTP2: true,
		HTTP2: &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
	}
}

var errOwnAddress = errors.New("this address is the sidecar itself")

// awsMetadata is the IPv6 address of a metadata service, which is not a
// link-local one.
var awsMetadata = netip.MustParseAddr("fd00:ec2::254")

// refuseAddress runs on the resolved address, so that a name cannot be pointed
// at a metadata service after it was checked.
func (p *Provider) refuseAddress(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	addr := ap.Addr().Unmap().WithZone("")
	if addr.IsLinkLocalUnicast() || addr.IsMulticast() || addr == awsMetadata {
		return fmt.Errorf("link-local and metadata addresses are not dialled: %s", addr)
	}
	if addr.IsLoopback() && slices.Contains(p.opts.OwnPorts, fmt.Sprint(ap.Port())) {
		return errOwnAddress
	}
	return nil
}
