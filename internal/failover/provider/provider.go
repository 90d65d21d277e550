// Package provider knows how a provider is reached: its address, its
// credential and its connections.
//
// Provider.Endpoint turns one entry of a chain into an endpoint: the kind's
// defaults, the checked base URL, the secret's place, and a transport that is
// shared by all entries of the same host and outlives a configuration. For
// each call the endpoint builds a request from nothing: the fixed path of the
// operation below the base URL, those headers of the app that are known to be
// the provider's business, and this entry's credential. No key ever meets another provider,
// because no header of a call is kept for the next.
package provider

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/understudy-dev/understudy/internal/failover"
)

// Options are the facts of the process that endpoints depend on.
type Options struct {
	// SecretsDir holds mounted Secrets as <dir>/<secret>/<key>.
	SecretsDir string
	// Getenv reads the sidecar's own environment.
	Getenv func(string) string
	// OwnPorts are the ports that the sidecar itself listens on; a loopback
	// address with one of them is refused, since it would be a loop.
	OwnPorts []string
	// Log is told when a key is missing and when it is back; nil: nobody is.
	Log *slog.Logger
	// Dial replaces the dialer of every transport, for tests without sockets.
	Dial DialFunc
	// Proxy finds the egress proxy of a request; nil: the environment's.
	Proxy func(*http.Request) (*url.URL, error)
}

// Provider implements failover.Endpoints. It owns the transports and the
// secrets that have been read.
type Provider struct {
	opts Options
	salt [16]byte // of fingerprints: nobody can guess a key from one

	buffers failover.Buffers // through which bodies go out

	aws atomic.Pointer[aws.Config] // the process's own identity at AWS, once it was read

	mu         sync.Mutex
	transports map[transportKey]*http.Transport
	secrets    map[secretKey]*secret
	tokens     map[string]*tokens // by the fingerprint of what they are had with
}

var _ failover.Endpoints = (*Provider)(nil)

// New returns a provider without connections.
func New(opts Options) *Provider {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	p := &Provider{opts: opts, transports: map[transportKey]*http.Transport{}, secrets: map[secretKey]*secret{}, tokens: map[string]*tokens{}}
	rand.Read(p.salt[:])
	return p
}

// Endpoint implements failover.Endpoints.
func (p *Provider) Endpoint(cfg failover.ProviderConfig) (failover.Endpoint, error) {
	k, ok := kinds[cfg.Type]
	if !ok {
		return nil, fmt.Errorf("type: %q is not known; write one of %s", cfg.Type, strings.Join(typeNames(), ", "))
	}
	if cfg.BaseURL == "" && k.home != nil {
		home, err := k.home(p.opts.Getenv)
		if err != nil {
			return nil, err
		}
		cfg.BaseURL = home
	}
	base, err := parseBaseURL(k, cfg.BaseURL, !cfg.Auth.IsZero())
	if err != nil {
		return nil, err
	}
	if err := p.refuseLiteral(base); err != nil {
		return nil, fmt.Errorf("baseURL: %w; write the provider's own address", err)
	}
	surface, err := k.surface(p, base, cfg)
	if err != nil {
		return nil, err
	}
	if cfg.Auth.IsZero() && !surface.keyless {
		return nil, fmt.Errorf("auth: a provider of type %s needs a key; add auth.secretKeyRef, auth.env or auth.file", cfg.Type)
	}
	if surface.dialects, err = spoken(surface, cfg); err != nil {
		return nil, err
	}
	e := &endpoint{surface: surface, base: base, dialects: surface.dialects}
	switch {
	case cfg.Auth.App:
		e.authorize = appsOwn
	case !cfg.Auth.IsZero():
		e.secret = p.secret(cfg.Auth)
	}
	if cfg.TLS == (failover.TLS{}) {
		e.transport = p.transport(transportKey{host: hostID(base), connect: cfg.Timeouts.Connect}, nil)
		return e, nil
	}
	e.trust, err = p.trust(base, cfg)
	return e, err
}

// spoken are the dialects of an entry: those that it was told, where the
// address has them, or those of the address.
func spoken(s surface, cfg failover.ProviderConfig) ([]failover.Dialect, error) {
	able := s.able
	if able == nil {
		able = slices.Concat(s.dialects, ofApps)
	}
	for _, d := range cfg.Dialects {
		if !slices.Contains(able, d) {
			return nil, fmt.Errorf("dialects: %s is not spoken at this address; leave it out, or write the type and baseURL that speak it", d)
		}
	}
	spoken := s.dialects
	if len(cfg.Dialects) > 0 {
		spoken = cfg.Dialects
	}
	if cfg.Auth.App && !slices.ContainsFunc(spoken, func(d failover.Dialect) bool { return slices.Contains(ofApps, d) }) {
		return nil, fmt.Errorf("auth.passthrough: no app speaks %s, so none has a key for it; write auth.secretKeyRef", spoken[0])
	}
	return spoken, nil
}

// Secret reads a secret value that is no provider's, such as a webhook's URL.
// The error names where it was looked for.
func (p *Provider) Secret(ref failover.SecretRef) (string, error) {
	c, err := p.secret(ref).credentials()
	return c.Reveal(), err
}

// secretKey tells the readers apart.
type secretKey struct {
	ref  failover.SecretRef
	text bool // of several lines
}

// secret finds the reader of a reference, which all its users share.
func (p *Provider) secret(ref failover.SecretRef) *secret { return p.reader(secretKey{ref: ref}) }

// text finds the reader of a reference to a text of several lines.
func (p *Provider) text(ref failover.SecretRef) *secret { return p.reader(secretKey{ref, true}) }

func (p *Provider) reader(key secretKey) *secret {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.secrets[key]
	if s == nil {
		s = &secret{secretKey: key, dir: p.opts.SecretsDir, getenv: p.opts.Getenv, salt: p.salt[:], log: p.opts.Log}
		p.secrets[key] = s
	}
	return s
}

// CloseIdle closes the connections that no request uses.
func (p *Provider) CloseIdle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.transports {
		t.CloseIdleConnections()
	}
}
