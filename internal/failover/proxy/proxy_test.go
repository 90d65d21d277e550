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

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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

func (p *provider) MaxTokensField() string { return "max_tokens" }

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

const ok = `{"model":"m","messages":[]}`

func post(path, headers, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s", path, headers, len(body), body)
}

func chunked(body string) string {
	return "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + body
}

func TestRawInput(t *testing.T) {
	for _, c := range []struct {
		name, request string
		status        int    // 0: any refusal
		part          string // of the body
		calls         int
	}{
		{"a plain request", post("/v1/chat/completions", "", ok), 200, `"content":"hi"`, 1},
		{"a named chain", post("/chains/chain/v1/chat/completions", "", ok), 200, "", 1},
		{"an unknown chain", post("/chains/other/v1/chat/completions", "", ok), 404, `\"chain\"`, 0},
		{"an unknown path", post("/v1/images", "", ok), 404, "/v1/images is not served", 0},
		{"a path with /v1 twice", post("/v1/v1/messages", "", ok), 404, "base URL", 0},
		{"dot segments", post("/v1/../v1/chat/completions", "", ok), 404, "", 0},
		{"an encoded slash", post("/v1%2fchat/completions", "", ok), 404, "", 0},
		{"a foreign host", strings.Replace(post("/v1/chat/completions", "", ok), "localhost", "evil.example:8089", 1), 421, "", 0},
		{"an absolute target", post("http://169.254.169.254/latest", "", ok), 400, "", 0},
		{"CONNECT", "CONNECT evil:443 HTTP/1.1\r\nHost: evil:443\r\n\r\n", 400, "", 0},
		{"OPTIONS for the server", "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "", 0},
		{"OPTIONS before a page's call", "OPTIONS /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n\r\n", 405, "", 0},
		{"HEAD", "HEAD /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 405, "", 0},
		{"an HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", 400, "", 0},
		{"an upgrade to HTTP/2", post("/v1/chat/completions", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n", ok), 200, "", 1},
		{"an upgrade to a websocket", "GET /v1/realtime HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 404, "not served", 0},
		{"a slash at the end", post("/v1/chat/completions/", "", ok), 404, "leave out the slash", 0},
		{"two slashes", post("//v1/chat/completions", "", ok), 404, "", 0},
		{"an encoded letter", post("/v1/%63hat/completions", "", ok), 404, "", 0},
		{"a semicolon", post("/v1/chat/completions;x", "", ok), 404, "", 0},
		{"a fragment", post("/v1/chat/completions#x", "", ok), 404, "", 0},
		{"a chain without a name", post("/chains//v1/chat/completions", "", ok), 404, "", 0},
		{"dot segments behind a chain", post("/chains/../v1/chat/completions", "", ok), 404, "", 0},
		{"a query", post("/v1/chat/completions?beta=true", "", ok), 200, "", 1},
		{"a wrong path in Anthropic's dialect", post("/chains/chain/v1/messages/batches", "", ok), 404, `{"type":"error"`, 0},
		{"Anthropic's header on a wrong path", post("/v1/files", "anthropic-version: 2023-06-01\r\n", ok), 404, `{"type":"error"`, 0},
		{"another sidecar's request", post("/v1/messages", "Via: 1.1 proxy, 1.1 understudy\r\n", ok), 508, `{"type":"error"`, 0},
		{"a port-forward's host", strings.Replace(post("/v1/chat/completions", "", ok), "localhost", "127.0.0.1:40123", 1), 200, "", 1},
		{"an IPv6 host", strings.Replace(post("/v1/chat/completions", "", ok), "localhost", "[::1]:8089", 1), 200, "", 1},
		{"a host that begins like ours", strings.Replace(post("/v1/chat/completions", "", ok), "localhost", "localhost.evil.example", 1), 421, "localhost", 0},
		{"another loopback address", strings.Replace(post("/v1/chat/completions", "", ok), "localhost", "127.0.0.2", 1), 421, "", 0},
		{"an empty host", strings.Replace(post("/v1/chat/completions", "", ok), "localhost", "", 1), 421, "", 0},
		{"no host", "POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", 400, "", 0},
		{"a rebound page", strings.Replace(post("/v1/chat/completions", "Origin: http://evil.example:8089\r\nSec-Fetch-Site: same-origin\r\n", ok), "localhost", "evil.example:8089", 1), 421, "", 0},
		{"an old browser's page", post("/v1/chat/completions", "Origin: https://evil.example\r\n", ok), 403, "", 0},
		{"our own page", post("/v1/chat/completions", "Origin: http://localhost\r\nSec-Fetch-Site: same-origin\r\n", ok), 200, "", 1},
		{"text", strings.Replace(post("/v1/chat/completions", "", ok), "application/json", "text/plain", 1), 415, "", 0},
		{"JSON with a charset", strings.Replace(post("/v1/chat/completions", "", ok), "application/json", "Application/JSON; charset=utf-8", 1), 200, "", 1},
		{"a list", post("/v1/chat/completions", "", `[1]`), 400, "not a JSON object", 0},
		{"two values", post("/v1/chat/completions", "", `{"model":"m"} {}`), 400, "", 0},
		{"a length with a sign", "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: +2\r\n\r\n{}", 400, "", 0},
		{"a negative length", "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: -2\r\n\r\n{}", 400, "", 0},
		{"a space before a colon", "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length : 2\r\n\r\n{}", 400, "", 0},
		{"a NUL in a header", post("/v1/chat/completions", "X-A: a\x00b\r\n", ok), 400, "", 0},
		{"equal lengths", post("/v1/chat/completions", fmt.Sprintf("Content-Length: %d\r\n", len(ok)), ok), 200, "", 1},
		{"chunked twice", "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked, identity\r\n\r\n", 501, "", 0},
		{"bare line feeds around a chunk", chunked(fmt.Sprintf("%x\n%s\n0\n\n", len(ok), ok)), 400, "framed", 0},
		{"a chunk's size that is none", chunked("zz\r\n{}\r\n0\r\n\r\n"), 400, "framed", 0},
		{"chunks", chunked(fmt.Sprintf("1\r\n{\r\n%x;x=y\r\n%s\r\n0\r\nX-Trailer: t\r\n\r\n", len(ok)-1, ok[1:])), 200, "", 1},
		{"very large headers", post("/v1/chat/completions", strings.Repeat("X-Big: "+strings.Repeat("x", 60<<10)+"\r\n", 34), ok), 431, "", 0},
		{"too many chunks", chunked(strings.Repeat("100000\r\n"+strings.Repeat("x", 1<<20)+"\r\n", 33)), 413, "32 MiB", 0},
		{"OPTIONS", "OPTIONS /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n\r\n", 405, "", 0},
		{"a wrong method", "GET /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n\r\n", 405, "POST", 0},
		{"another site's page", post("/v1/chat/completions", "Origin: https://evil.example\r\nSec-Fetch-Site: cross-site\r\n", ok), 403, "", 0},
		{"a form", strings.Replace(post("/v1/chat/completions", "", ok), "application/json", "application/x-www-form-urlencoded", 1), 415, "content-type: application/json", 0},
		{"our own loop", post("/v1/chat/completions", "Via: 1.1 understudy\r\n", ok), 508, "", 0},
		{"not JSON", post("/v1/chat/completions", "", `{"model":`), 400, "not valid JSON", 0},
		{"an empty body", post("/v1/chat/completions", "", ""), 400, "empty", 0},
		{"two models", post("/v1/chat/completions", "", `{"model":"a","model":"b"}`), 400, "twice", 0},
		{"too large", "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99999999\r\n\r\n", 413, "32 MiB", 0},
		{"differing lengths", "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x", 400, "", 0},
		{"two hosts", "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\nContent-Length: 2\r\n\r\n{}", 400, "", 0},
		{"an unknown transfer coding", "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n", 501, "", 0},
		{"large headers", post("/v1/chat/completions", "X-Big: "+strings.Repeat("x", 80<<10)+"\r\n", ok), 431, "", 0},
		{"not gzip", post("/v1/chat/completions", "Content-Encoding: gzip\r\n", ok), 400, "gzip", 0},
		{"another coding", post("/v1/chat/completions", "Content-Encoding: br\r\n", ok), 415, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := startEdge(t)
			resp, body, _ := e.raw(t, c.request)
			if resp == nil {
				t.Fatalf("no answer: %s", body)
			}
			if resp.StatusCode != c.status || !strings.Contains(body, c.part) {
				t.Errorf("got %d %s, want %d with %q", resp.StatusCode, body, c.status, c.part)
			}
			if c.calls == 0 && resp.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Error("a page was told that it may call")
			}
			if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") != (c.calls > 0 || resp.Header.Get("X-Understudy-Origin") == "sidecar") {
				t.Errorf("the headers are %v", resp.Header)
			}
			if n := e.provider.count(); n != c.calls {
				t.Errorf("%d calls reached the provider, want %d", n, c.calls)
			}
		})
	}
}

func TestNothingIsSmuggledBehindAChunkedBody(t *testing.T) {
	chunk := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(ok), ok)
	for path, status := range map[string]int{"/v1/chat/completions": 200, "/v1/files": 404, "/-/status": 405} {
		e := startEdge(t)
		second := post("/v1/chat/completions", "", ok)
		resp, _, rest := e.raw(t, "POST "+path+" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"+chunk+second)
		if resp == nil || resp.StatusCode != status || !resp.Close {
			t.Fatalf("%s: got %+v", path, resp)
		}
		if b, _ := io.ReadAll(rest); len(b) > 0 {
			t.Errorf("%s: a second answer came: %s", path, b)
		}
		if n := e.provider.count(); n > 1 || n == 1 && status != 200 {
			t.Errorf("%s: %d calls reached the provider", path, n)
		}
	}
}

func TestABodyIsAskedForOnlyWhereItIsWanted(t *testing.T) {
	e := startEdge(t)
	for path, want := range map[string]string{"/v1/chat/completions": "HTTP/1.1 100 Continue", "/v1/files": "HTTP/1.1 404 Not Found"} {
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
