package provider

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/understudy-dev/understudy/internal/failover"
)

// certificate is httptest's own, for example.com and 127.0.0.1.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return s.TLS.Certificates[0], pool
}

// entry makes an entry of a server, whose certificate is trusted where there
// is one.
func entry(t *testing.T, opts Options, baseURL string, roots *x509.CertPool) *endpoint {
	t.Helper()
	opts.Getenv = os.Getenv
	p := New(opts)
	t.Cleanup(p.CloseIdle)
	e, err := p.Endpoint(failover.ProviderConfig{Type: failover.OpenAICompatible, BaseURL: baseURL, Timeouts: failover.Timeouts{Connect: 3 * time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	ep := e.(*endpoint)
	if roots != nil {
		ep.transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	return ep
}

func send(t *testing.T, e *endpoint) (*http.Response, error) {
	t.Helper()
	resp, err := e.Send(t.Context(), failover.Call{Operation: failover.ChatCompletions, Body: failover.NewReplay([]byte(`{"model":"m"}`))})
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	return resp, err
}

func TestHTTP2IsSpokenOverTLS(t *testing.T) {
	var mu sync.Mutex
	var header http.Header
	proto, addresses := "", map[string]bool{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		proto, header, addresses[r.RemoteAddr] = r.Proto, r.Header.Clone(), true
		io.WriteString(w, r.URL.Path)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	e := entry(t, Options{}, server.URL, pool)
	for range 5 {
		if _, err := send(t, e); err != nil {
			t.Fatal(err)
		}
	}
	if proto != "HTTP/2.0" || len(addresses) != 1 {
		t.Errorf("5 calls went over %d connections of %s", len(addresses), proto)
	}
	if header.Get("Accept-Encoding") != "identity" || header.Get("Via") == "" || header.Get("User-Agent") != "" {
		t.Errorf("the headers are %v", header)
	}
}

// TestAConnectionIsToldApart pins what the core recognises a connection by.
func TestAConnectionIsToldApart(t *testing.T) {
	server, pool := newH2Server(t, func(_ int, c *h2conn) {
		for range 2 {
			c.answer(c.request())
		}
		c.goAway(3)
	})
	e := entry(t, Options{}, server.listen(t), pool)
	var ids []*tls.ConnectionState
	for range 3 {
		resp, err := send(t, e)
		if err != nil { // the call met the end of the connection; the walk would repeat it
			resp, err = send(t, e)
		}
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, resp.TLS)
	}
	if ids[0] == nil || ids[0] != ids[1] || ids[1] == ids[2] {
		t.Errorf("two answers of one connection and one of another have %p, %p and %p", ids[0], ids[1], ids[2])
	}
}

func TestAnUnknownAuthorityIsNotTrusted(t *testing.T) {
	reached := false
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	_, err := send(t, entry(t, Options{}, server.URL, nil))
	if err == nil || reached {
		t.Fatalf("a certificate that nobody vouches for was accepted: %v", err)
	}
	if v := failover.Classify(failover.Evidence{Err: err}); v.Class != failover.TLSError || v.Blame != failover.Host {
		t.Errorf("it is classified as %+v", v)
	}
}

func TestWhatAnHTTP2ServerRefusesIsSentOnceMore(t *testing.T) {
	for name, refuse := range map[string]func(c *h2conn, stream uint32){
		"a refused stream": func(c *h2conn, stream uint32) { c.reset(stream, refusedStream) },
		"a farewell":       func(c *h2conn, _ uint32) { c.goAway(0) },
	} {
		t.Run(name, func(t *testing.T) {
			refused := false
			server, pool := newH2Server(t, func(_ int, c *h2conn) {
				for stream := c.request(); stream != 0; stream = c.request() {
					if !refused {
						refused = true
						refuse(c, stream)
						continue
					}
					c.answer(stream)
				}
			})
			e := entry(t, Options{}, server.listen(t), pool)
			if resp, err := send(t, e); err != nil || resp.StatusCode != 200 {
				t.Errorf("the call failed: %v", err)
			}
		})
	}
}

func TestAStreamThatIsResetIsTheWalksDecision(t *testing.T) {
	requests := 0
	server, pool := newH2Server(t, func(_ int, c *h2conn) {
		for stream := c.request(); stream != 0; stream = c.request() {
			requests++
			c.reset(stream, internalError)
		}
	})
	e := entry(t, Options{}, server.listen(t), pool)
	_, err := send(t, e)
	if v := failover.Classify(failover.Evidence{Err: err}); v.Class != failover.ConnectionReset || !v.Retry || requests != 1 {
		t.Errorf("%v after %d requests is %+v", err, requests, v)
	}
}

// TestAServerThatRefusesEveryStreamIsLeftAtOnce holds the transport back from
// waiting for a minute while another provider could answer.
func TestAServerThatRefusesEveryStreamIsLeftAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests := 0
		server, pool := newH2Server(t, func(_ int, c *h2conn) {
			for stream := c.request(); stream != 0; stream = c.request() {
				requests++
				c.reset(stream, refusedStream)
			}
		})
		e := entry(t, Options{Dial: server.inMemory}, "https://example.com/v1", pool)
		began := time.Now()
		_, err := send(t, e)
		if v := failover.Classify(failover.Evidence{Err: err}); v.Class != failover.ConnectionReset || !v.Retry {
			t.Errorf("%v is %+v", err, v)
		}
		if waited := time.Since(began); waited > 0 || requests != 2 {
			t.Errorf("%d requests were sent in %s", requests, waited)
		}
		e.transport.CloseIdleConnections()
		server.close()
	})
}

// TestADeadHTTP2ConnectionIsReplacedBeforeAnAnswerIsOverdue lets a pooled
// connection die without a word, as a lost route does.
func TestADeadHTTP2ConnectionIsReplacedBeforeAnAnswerIsOverdue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, pool := newH2Server(t, func(n int, c *h2conn) {
			c.answer(c.request())
			if n == 1 {
				io.Copy(io.Discard, c)
				return
			}
			c.request()
		})
		e := entry(t, Options{Dial: server.inMemory}, "https://example.com/v1", pool)
		if _, err := send(t, e); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		began := time.Now()
		_, err := send(t, e)
		if waited := time.Since(began); err == nil || waited >= 15*time.Second {
			t.Errorf("after %s: %v", waited, err)
		}
		if v := failover.Classify(failover.Evidence{Err: err}); v.Class != failover.ConnectionReset || !v.Retry {
			t.Errorf("%v is %+v", err, v)
		}
		if _, err := send(t, e); err != nil || server.count() != 2 {
			t.Errorf("the next try: %v, over %d connections", err, server.count())
		}
		e.transport.CloseIdleConnections()
		server.close()
	})
}

// deadPool answers the first requests on each of its first connections and
// then drops every request that comes over one of those.
type deadPool struct {
	server   *httptest.Server
	mu       sync.Mutex
	fresh    int // connections that are opened to die
	requests int
	together sync.WaitGroup
}

type connKey struct{}

func newDeadPool(t *testing.T, fresh int) *deadPool {
	d := &deadPool{fresh: fresh}
	d.together.Add(fresh)
	opened := 0
	d.server = httptest.NewUnstartedServer(http.HandlerFunc(d.serve))
	d.server.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		opened++
		left := 1 << 20
		if opened <= fresh {
			left = 1
		}
		return context.WithValue(ctx, connKey{}, &left)
	}
	d.server.Start()
	t.Cleanup(d.server.Close)
	return d
}

func (d *deadPool) serve(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	left := r.Context().Value(connKey{}).(*int)
	d.mu.Lock()
	d.requests++
	*left--
	dies, together := *left < 0, *left == 0
	d.mu.Unlock()
	switch {
	case dies:
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			conn.Close()
		}
	case together: // keep the connections apart
		d.together.Done()
		d.together.Wait()
	}
}

// TestAPoolOfDeadConnectionsCostsOneRetry holds the transport back from
// sending one request over every idle connection in turn.
func TestAPoolOfDeadConnectionsCostsOneRetry(t *testing.T) {
	const pool = 8
	d := newDeadPool(t, pool)
	e := entry(t, Options{}, d.server.URL, nil)
	var calls sync.WaitGroup
	for range pool {
		calls.Go(func() {
			if _, err := send(t, e); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	if _, err := send(t, e); err != nil {
		t.Errorf("a fresh connection would have answered: %v", err)
	}
	if n := d.requests - pool; n != 2 {
		t.Errorf("the call was sent %d times", n)
	}
}

func TestConnectionsAreKept(t *testing.T) {
	const pool = 20
	opened := 0
	var together sync.WaitGroup
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		together.Done()
		together.Wait()
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened++
		}
	}
	server.Start()
	defer server.Close()
	e := entry(t, Options{}, server.URL, nil)
	for range 3 {
		together.Add(pool)
		var calls sync.WaitGroup
		for range pool {
			calls.Go(func() {
				if _, err := send(t, e); err != nil {
					t.Error(err)
				}
			})
		}
		calls.Wait()
	}
	e.transport.CloseIdleConnections()
	if opened != pool {
		t.Errorf("%d connections were opened for %d calls at a time", opened, pool)
	}
}

func TestAnAnswersHeadIsBounded(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Big", strings.Repeat("x", maxResponseHeader))
	}))
	defer server.Close()
	if _, err := send(t, entry(t, Options{}, server.URL, nil)); err == nil {
		t.Error("a head over the limit was accepted")
	}
}
