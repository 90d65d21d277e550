package provider

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"

	"github.com/understudy-dev/understudy/internal/failover"
)

// trust is how an in-house endpoint proves who it is: by certificates of its
// own authority, which are read again when they change, and maybe under another
// name than that of the address.
type trust struct {
	p    *Provider
	key  transportKey
	ca   *secret // nil: the authorities of the machine
	last atomic.Pointer[trusted]
}

// trusted is what was last read.
type trusted struct {
	fingerprint string
	transport   *http.Transport
	err         error
}

func (p *Provider) trust(u *url.URL, cfg failover.ProviderConfig) (*trust, error) {
	if u.Scheme != "https" {
		return nil, errors.New("tls: is for https addresses; write https:// in baseURL, or leave tls out")
	}
	t := &trust{p: p, key: transportKey{host: hostID(u), connect: cfg.Timeouts.Connect, serverName: cfg.TLS.ServerName}}
	if !cfg.TLS.CA.IsZero() {
		t.ca = p.text(cfg.TLS.CA)
	}
	return t, nil
}

// transport is the one that trusts what is to be trusted now.
func (t *trust) transport() (*http.Transport, error) {
	if t.ca == nil {
		return t.p.transport(t.key, nil), nil
	}
	pem, err := t.ca.credentials()
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	if last := t.last.Load(); last != nil && last.fingerprint == pem.Fingerprint {
		return last.transport, last.err
	}
	next := &trusted{fingerprint: pem.Fingerprint}
	roots := x509.NewCertPool()
	if roots.AppendCertsFromPEM([]byte(pem.Reveal())) {
		key := t.key
		key.authority = pem.Fingerprint
		next.transport = t.p.transport(key, roots)
	} else {
		next.err = fmt.Errorf("tls: %s: holds no certificate; store the authority's in PEM form", t.ca.name())
	}
	t.last.Store(next)
	return next.transport, next.err
}
