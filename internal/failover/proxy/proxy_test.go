package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/circuit"
	"github.com/understudy-dev/understudy/internal/failover/dialect"
)

func TestMain(m *testing.M) {
	// The server keeps a connection whose body it did not read for half a
	// second, which is longer than the check waits.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

// provider answers every call in memory, and counts them.
type provider struct {
	mu    sync.Mutex
	calls int
	body  func() io.ReadCloser // of a stream; nil: a unary answer
	delay time.Duration        // before the head
	left  []error              // why calls were cancelled

	status int         // of a unary answer; 0: 200
	header http.Header // more of the head
}

func (p *provider) Endpoint(failover.ProviderConfig) (failover.Endpoint, error) { return p, nil }
func (p *provider) Host() string                                                { return "https://p:443" }

func (p *provider) Dialects() []failover.Dialect { return []failover.Dialect{failover.OpenAIChat} }

func (p *provider) Quirks() failover.Quirks { return failover.Quirks{MaxTokensField: "max_tokens"} }

func (p *provider) Credential() (failover.Credentials, error) { return failover.Credentials{}, nil }

const answerBody = `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}`

func (p *provider) Send(ctx context.Context, _ failover.Call) (*http.Response, error) {
	p.mu.Lock()
	p.calls++
	delay, stream := p.delay, p.body
	p.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-ctx.Done():
		p.cancelled(ctx)
		return nil, ctx.Err()
	}
	resp := &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, ContentLength: int64(len(answerBody)), Body: io.NopCloser(strings.NewReader(answerBody))}
	if p.status != 0 {
		resp.StatusCode = p.status
	}
	maps.Copy(resp.Header, p.header)
	if stream != nil {
		body := stream()
		context.AfterFunc(ctx, func() { p.cancelled(ctx); body.Close() })
		resp.Header, resp.ContentLength, resp.Body = http.Header{"Content-Type": {"text/event-stream"}}, -1, body
	}
	return resp, nil
}

func (p *provider) cancelled(ctx context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left = append(p.left, context.Cause(ctx))
}

func (p *provider) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls
}

// edge is a running server.
type edge struct {
	*Server
	provider *provider
	stop     context.CancelFunc // the first signal
	kill     context.CancelFunc
	ended    chan error
}

func startEdge(t *testing.T) *edge {
	t.Helper()
	p := &provider{}
	d := dialect.New()
	store := failover.NewStore(failover.Deps{Circuits: circuit.NewRegistry(), Dialects: d, Endpoints: p}, failover.Observers{})
	if err := store.Apply(failover.Config{Chains: []failover.ChainConfig{{Name: "chain", Providers: []failover.ProviderConfig{{Name: "p"}}}}}); err != nil {
		t.Fatal(err)
	}
	s, err := Listen(Options{
		Engine: failover.NewEngine(store, d, failover.Observers{}), Store: store, Listen: "localhost:0", AdminListen: "127.0.0.1:0",
		Metrics: http.NotFoundHandler(), DrainTimeout: 3 * time.Second, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	kill, end := context.WithCancel(context.Background())
	e := &edge{Server: s, provider: p, stop: stop, kill: end, ended: make(chan error, 1)}
	go func() { e.ended <- s.Run(ctx, kill) }()
	t.Cleanup(func() {
		end()
		stop()
		if e.ended != nil {
			<-e.ended
		}
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	})
	return e
}

// raw sends bytes and reads what comes back until the connection ends or a
// whole answer has come.
func (e *edge) raw(t *testing.T, request string) (*http.Response, string, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", e.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go io.WriteString(conn, request) // which may be refused before its end
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return nil, err.Error(), r
	}
	b, _ := io.ReadAll(resp.Body)
	return resp, string(b), r
}

func TestABodyIsAskedForOnlyWhereItIsWanted(t *testing.T) {
	e := startEdge(t)
	for path, want := range map[string]string{"/v1/chat/completions": "HTTP/1.1 100 Continue", "/v1/v1/files": "HTTP/1.1 404 Not Found"} {
		conn, err := net.Dial("tcp", e.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", path, len(ok))
		r := bufio.NewReader(conn)
		if line, _ := r.ReadString('\n'); strings.TrimSpace(line) != want {
			t.Errorf("%s: %q", path, line)
		}
		if want != "HTTP/1.1 100 Continue" {
			continue
		}
		r.ReadString('\n')
		io.WriteString(conn, ok)
		if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != 200 {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestWhatBindsTheAppToAProviderStaysHere(t *testing.T) {
	for _, status := range []int{200, 400} {
		e := startEdge(t)
		e.provider.status = status
		e.provider.header = http.Header{
			"Set-Cookie": {"__cf_bm=x"}, "Alt-Svc": {`h3=":443"`}, "Strict-Transport-Security": {"max-age=1"},
			"Connection": {"X-Hop, keep-alive"}, "X-Hop": {"1"}, "Keep-Alive": {"timeout=5"}, "Trailer": {"X-T"}, "Upgrade": {"h2c"},
			"Proxy-Authenticate": {"Basic"}, "Transfer-Encoding": {"chunked"}, "Content-Length": {"7"},
			"X-Understudy-Origin": {"sidecar"}, "X-Understudy-Degraded": {"all"},
			"X-Request-Id": {"req_1"}, "X-Ratelimit-Remaining-Requests": {"9"}, "Openai-Processing-Ms": {"12"},
		}
		resp, body, _ := e.raw(t, post("/v1/chat/completions", "", ok))
		if resp.StatusCode != status || body != answerBody {
			t.Errorf("%d: got %d %s", status, resp.StatusCode, body)
		}
		for _, name := range []string{
			"Set-Cookie", "Alt-Svc", "Strict-Transport-Security", "X-Hop", "Keep-Alive", "Trailer", "Upgrade", "Proxy-Authenticate",
			"Transfer-Encoding", "X-Understudy-Origin", "X-Understudy-Degraded",
		} {
			if v := resp.Header.Get(name); v != "" {
				t.Errorf("%d: the app got %s: %s", status, name, v)
			}
		}
		for _, name := range []string{"X-Request-Id", "X-Ratelimit-Remaining-Requests", "Openai-Processing-Ms"} {
			if resp.Header.Get(name) == "" {
				t.Errorf("%d: the app did not get %s", status, name)
			}
		}
		if resp.Header.Get("X-Understudy-Provider") != "p" || resp.ContentLength != int64(len(answerBody)) {
			t.Errorf("%d: the head is %v", status, resp.Header)
		}
	}
}

func TestAShortBodyContactsNobody(t *testing.T) {
	e := startEdge(t)
	conn, err := net.Dial("tcp", e.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\n{\"model\":")
	conn.(*net.TCPConn).CloseWrite()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err == nil {
		defer resp.Body.Close()
		if resp.StatusCode != 400 {
			t.Errorf("got %d", resp.StatusCode)
		}
	}
	if n := e.provider.count(); n != 0 {
		t.Error("a short body reached the provider")
	}
}

func TestBothLoopbackAddressesAreServedAndNoOther(t *testing.T) {
	e := startEdge(t)
	_, port, _ := net.SplitHostPort(e.Addr())
	for _, host := range []string{"127.0.0.1", "::1"} {
		if host == "::1" && len(e.app) == 1 {
			continue // no IPv6 on this machine
		}
		conn, err := net.Dial("tcp", net.JoinHostPort(host, port))
		if err != nil {
			t.Errorf("%s: %v", host, err)
			continue
		}
		conn.Close()
	}
	for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0", "10.0.0.1:0", "nonsense"} {
		if _, err := listenLoopback(address); err == nil || !strings.Contains(err.Error(), "--listen") {
			t.Errorf("%s: %v", address, err)
		}
	}
	if _, err := listenLoopback(e.Addr()); err == nil || !strings.Contains(err.Error(), "the port is in use") {
		t.Errorf("a port in use gives %v", err)
	}
}

func TestTheAdminPort(t *testing.T) {
	e := startEdge(t)
	for path, part := range map[string]string{"/startupz": "ok", "/livez": "ok", "/readyz": "ok", "/status": `"activeProvider": "p"`, "/": "<strong>p</strong> answers"} {
		resp, err := http.Get("http://" + e.AdminAddr() + path)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 200 || !strings.Contains(string(b), part) {
			t.Errorf("%s: %d %s", path, resp.StatusCode, b)
		}
	}
	resp, err := http.Post("http://"+e.AdminAddr()+"/status", "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("a POST gives %d", resp.StatusCode)
	}
}

const firstToken = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"},\"finish_reason\":null}]}\n\n"

// openStream asks for a stream and reads its first token.
func (e *edge) openStream(t *testing.T) (*http.Response, *io.PipeWriter) {
	t.Helper()
	r, w := io.Pipe()
	e.provider.body = func() io.ReadCloser { return r }
	go io.WriteString(w, firstToken)
	resp, err := http.Post("http://"+e.Addr()+"/v1/chat/completions", "application/json", strings.NewReader(`{"model":"m","stream":true,"messages":[]}`))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close(); w.Close() })
	b := make([]byte, len(firstToken))
	if _, err := io.ReadFull(resp.Body, b); err != nil || string(b) != firstToken {
		t.Fatalf("the stream began with %q, %v", b, err)
	}
	return resp, w
}

func FuzzRoute(f *testing.F) {
	for _, path := range []string{"/v1/messages", "/chains/a/v1/embeddings", "/v1/../x", "//v1/messages", "/chains//v1/messages"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		r := routeOf(path)
		if !r.found {
			return
		}
		want := "/v1" + r.op.Path
		if r.chain != "" {
			want = "/chains/" + r.chain + want
		}
		if path != want || strings.ContainsAny(r.chain, "/") {
			t.Errorf("%q was routed to %q", path, want)
		}
	})
}

func TestTheDrainWaitsForStreamsAndServesOn(t *testing.T) {
	e := startEdge(t)
	resp, w := e.openStream(t)
	e.stop()
	e.provider.body = nil
	if again, _, _ := e.raw(t, post("/v1/chat/completions", "", ok)); again == nil || again.StatusCode != 200 {
		t.Error("a request during the drain was not served")
	}
	io.WriteString(w, "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
	w.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || !strings.HasSuffix(string(b), "data: [DONE]\n\n") {
		t.Errorf("the stream ended with %q, %v", b, err)
	}
	if err := <-e.ended; err != nil {
		t.Error(err)
	}
	e.ended = nil
}

func TestAStreamBeyondTheDrainEndsHonestly(t *testing.T) {
	e := startEdge(t)
	resp, _ := e.openStream(t)
	e.stop()
	b, err := io.ReadAll(resp.Body)
	if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(string(b), "shutting down") {
		t.Errorf("the stream ended with %q, %v", b, err)
	}
	if err := <-e.ended; err != nil {
		t.Error(err)
	}
	e.ended = nil
}
