package simulator

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"sync"
	"time"
)

// ServerOptions configure a [Server]. The zero value listens on a free port of 127.0.0.1, without TLS.
type ServerOptions struct {
	// Address to listen on; loopback only. Default 127.0.0.1:0.
	Address string
	// Listener to use instead at the first start. It may be an in-memory one. A TCP listener is opened anew, on the
	// same port, at later starts.
	Listener net.Listener
	// Listen opens a listener at each start, instead of Address and Listener.
	Listen func() (net.Listener, error)
	// TLS serves HTTPS with a certificate for localhost, 127.0.0.1 and ::1 that [Server.CertPool] trusts.
	TLS bool
	// HTTP2 offers HTTP/2 beside HTTP/1.1, which needs TLS.
	HTTP2 bool
}

// Server puts a handler on a listener, and can be stopped (connections are then refused) and started again on the same
// port. Its methods are safe for concurrent use.
type Server struct {
	handler http.Handler
	opts    ServerOptions
	pool    *x509.CertPool
	cert    *tls.Certificate

	mu      sync.Mutex
	address string
	running *running
}

// running is one life of a server.
type running struct {
	http    *http.Server
	cancel  context.CancelCauseFunc
	serving sync.WaitGroup // The accept loop and the handlers.

	mu      sync.Mutex
	stopped bool // No handler may enter any more.
}

// enter counts a handler in, unless the server has stopped.
func (r *running) enter() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return false
	}
	r.serving.Add(1)
	return true
}

// stop lets no further handler in.
func (r *running) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = true
}

// NewServer returns a server that is not started yet.
func NewServer(h http.Handler, opts ServerOptions) (*Server, error) {
	if opts.Address == "" {
		opts.Address = "127.0.0.1:0"
	}
	s := &Server{handler: h, opts: opts, address: opts.Address}
	if opts.TLS {
		cert, err := selfSigned()
		if err != nil {
			return nil, fmt.Errorf("making a certificate: %w", err)
		}
		s.cert, s.pool = cert, x509.NewCertPool()
		s.pool.AddCert(cert.Leaf)
	}
	return s, nil
}

// Start listens and serves. It does nothing on a running server. It refuses addresses other than loopback.
func (s *Server) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil {
		return nil
	}
	l, err := s.listen()
	if err != nil {
		return err
	}
	s.address = l.Addr().String()
	ctx, cancel := context.WithCancelCause(context.Background())
	r := &running{cancel: cancel}
	r.http = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if !r.enter() {
				panic(http.ErrAbortHandler)
			}
			defer r.serving.Done()
			s.handler.ServeHTTP(w, req)
		}),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          log.New(io.Discard, "", 0), // Connections are cut on purpose here.
		ReadHeaderTimeout: 30 * time.Second,
		Protocols:         new(http.Protocols),
	}
	r.http.Protocols.SetHTTP1(true)
	r.http.Protocols.SetHTTP2(s.opts.HTTP2)
	serve := r.http.Serve
	if s.cert != nil {
		r.http.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*s.cert}, MinVersion: tls.VersionTLS12}
		serve = func(l net.Listener) error { return r.http.ServeTLS(l, "", "") }
	}
	r.serving.Go(func() { _ = serve(l) }) // It ends with an error always, once Stop closes the listener.
	s.running = r
	return nil
}

// listen opens the listener of the next life. The lock is held.
func (s *Server) listen() (net.Listener, error) {
	if s.opts.Listen != nil {
		return s.opts.Listen()
	}
	if l := s.opts.Listener; l != nil {
		s.opts.Listener = nil
		return l, nil
	}
	return ListenLoopback(s.address)
}

// Stop refuses new connections, cuts those that are open and waits until all handlers have ended. Start may follow.
func (s *Server) Stop() {
	s.mu.Lock()
	r := s.running
	s.running = nil
	s.mu.Unlock()
	if r == nil {
		return
	}
	// The requests' contexts end first, with our own cause, so that the cut is not taken for a client that left.
	r.stop()
	r.cancel(errClosed)
	_ = r.http.Close()
	r.serving.Wait()
}

// Addr is the address, host and port, once started.
func (s *Server) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.address
}

// URL is the base URL without a path, such as http://127.0.0.1:9101.
func (s *Server) URL() string {
	if s.opts.TLS {
		return "https://" + s.Addr()
	}
	return "http://" + s.Addr()
}

// CertPool trusts the server's certificate; nil without TLS.
func (s *Server) CertPool() *x509.CertPool { return s.pool }

// ListenLoopback opens a TCP listener and refuses addresses that other machines can reach.
func ListenLoopback(address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("address %q: write it as 127.0.0.1:PORT: %w", address, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("address %q: the simulator listens on loopback only, use 127.0.0.1", address)
	}
	return net.Listen("tcp", address)
}

// selfSigned makes a certificate for the loopback names. It is valid from long ago to far ahead, so that it holds in a
// synctest bubble, whose clock starts in 2000.
func selfSigned() (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	leaf, parseErr := x509.ParseCertificate(der)
	if err := errors.Join(err, parseErr); err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}
