package provider

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// DialFunc opens a connection.
type DialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// transportKey tells the transports apart: one a host, so that a fault of one
// provider's connections is no other's, one a connect timeout, and one for
// whatever else proves who the host is.
type transportKey struct {
	host       string
	connect    time.Duration
	serverName string // in its certificate; empty: the host's own
	authority  string // fingerprint of the certificates that are trusted; empty: the machine's
}

// Connection settings. The pings find a dead HTTP/2 connection in ten seconds
// instead of the quarter of an hour that TCP needs: before the first byte of an
// answer is overdue, so that it is the connection that is blamed and replaced
// and not the provider. Idle connections are dropped before the common
// balancers drop them.
const (
	tlsHandshakeTimeout = 5 * time.Second
	pingAfter           = 5 * time.Second
	pingTimeout         = 5 * time.Second
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
func (p *Provider) transport(key transportKey, roots *x509.CertPool) *http.Transport {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.transports[key]
	if t == nil {
		t = p.newTransport(key, roots)
		p.transports[key] = t
	}
	return t
}

// newTransport makes a transport that trusts roots; nil: the authorities of the
// machine.
func (p *Provider) newTransport(key transportKey, roots *x509.CertPool) *http.Transport {
	dial := p.opts.Dial
	if dial == nil {
		d := &net.Dialer{Timeout: key.connect, KeepAlive: 30 * time.Second, Control: p.refuseAddress}
		dial = d.DialContext
	}
	t := &http.Transport{
		Proxy: p.proxy, DialContext: lending(dial, &p.buffers),
		WriteBufferSize: writeBuffer, TLSHandshakeTimeout: tlsHandshakeTimeout, IdleConnTimeout: idleTimeout, MaxIdleConnsPerHost: idlePerHost,
		MaxResponseHeaderBytes: maxResponseHeader, DisableCompression: true, ForceAttemptHTTP2: true,
		HTTP2: &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
	}
	if roots != nil || key.serverName != "" {
		t.TLSClientConfig = &tls.Config{RootCAs: roots, ServerName: key.serverName, MinVersion: tls.VersionTLS12}
	}
	return t
}

// proxy finds the egress proxy of a request, by the usual variables. A proxy is
// a way out of the machine, so what is on the machine is never asked through
// one: it would reach another's, or our own ports past the check of addresses.
func (p *Provider) proxy(req *http.Request) (*url.URL, error) {
	host := strings.ToLower(strings.TrimSuffix(req.URL.Hostname(), "."))
	addr, err := netip.ParseAddr(host)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && (addr.Unmap().IsLoopback() || addr.IsUnspecified()) {
		return nil, nil //nolint:nilnil // how a transport is told that there is none
	}
	if p.opts.Proxy != nil {
		return p.opts.Proxy(req)
	}
	return http.ProxyFromEnvironment(req)
}

var errOwnAddress = errors.New("this address is the sidecar itself")

// metadata are the addresses of clouds' metadata services that are not
// link-local ones.
var metadata = []netip.Addr{
	netip.MustParseAddr("fd00:ec2::254"),
	netip.MustParseAddr("fd20:ce::254"),
	netip.MustParseAddr("100.100.100.200"),
	netip.MustParseAddr("168.63.129.16"),
	netip.MustParseAddr("192.0.0.192"),
}

// nat64 is the prefix under which an IPv6 network reaches IPv4 addresses.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// refuseAddress runs on the resolved address, so that a name cannot be pointed
// at a metadata service after it was checked.
func (p *Provider) refuseAddress(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	return p.refuse(ap.Addr(), strconv.Itoa(int(ap.Port())))
}

// refuseLiteral says so at once where the configuration itself holds such an
// address.
func (p *Provider) refuseLiteral(u *url.URL) error {
	host := u.Hostname()
	if strings.EqualFold(host, "localhost") {
		host = "127.0.0.1"
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return nil //nolint:nilerror // a name is looked at when it is dialled
	}
	return p.refuse(addr, portOf(u))
}

func (p *Provider) refuse(addr netip.Addr, port string) error {
	addr = addr.Unmap().WithZone("")
	if nat64.Contains(addr) {
		b := addr.As16()
		addr = netip.AddrFrom4([4]byte(b[12:]))
	}
	switch {
	case addr.IsLinkLocalUnicast(), addr.IsMulticast(), slices.Contains(metadata, addr):
		return fmt.Errorf("%s is a link-local or metadata address, and those are not dialled", addr)
	case (addr.IsLoopback() || addr.IsUnspecified()) && slices.Contains(p.opts.OwnPorts, port):
		// The unspecified address is this machine when it is dialled.
		return errOwnAddress
	}
	return nil
}
