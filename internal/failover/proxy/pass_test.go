package proxy

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/circuit"
	"github.com/understudy-dev/understudy/internal/failover/dialect"
	realprovider "github.com/understudy-dev/understudy/internal/failover/provider"
)

// upstream is a provider on a real socket.
type upstream struct {
	*httptest.Server
	mu   sync.Mutex
	seen []string // method, path and credential of each call
}

func startUpstream(t *testing.T, answer http.HandlerFunc) *upstream {
	t.Helper()
	u := &upstream{}
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u.mu.Lock()
		u.seen = append(u.seen, r.Method+" "+r.RequestURI+" "+r.Header.Get("Authorization")+r.Header.Get("X-Api-Key"))
		u.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(u.Close)
	return u
}

func (u *upstream) calls() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]string(nil), u.seen...)
}

// startReal serves a chain of OpenAI entries at real sockets.
func startReal(t *testing.T, upstreams ...*upstream) string {
	t.Helper()
	var entries []failover.ProviderConfig
	for i, u := range upstreams {
		entries = append(entries, failover.ProviderConfig{
			Name: string(rune('a' + i)), Type: failover.OpenAI, Model: "own-model", BaseURL: u.URL + "/v1",
			Auth: failover.SecretRef{Env: "KEY_" + string(rune('A'+i))},
		})
	}
	getenv := func(name string) string { return "sk-" + name }
	endpoints := realprovider.New(realprovider.Options{Getenv: getenv})
	dialects := dialect.New()
	store := failover.NewStore(failover.Deps{Circuits: circuit.NewRegistry(), Dialects: dialects, Endpoints: endpoints}, failover.Observers{})
	if err := store.Apply(failover.Config{Chains: []failover.ChainConfig{{Name: "chain", Providers: entries}}}); err != nil {
		t.Fatal(err)
	}
	s, err := Listen(Options{
		Engine: failover.NewEngine(store, dialects, failover.Observers{}), Store: store, Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0",
		Metrics: http.NotFoundHandler(), DrainTimeout: time.Second, Log: slog.New(slog.DiscardHandler), MaxHeld: 1 << 30,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		endpoints.CloseIdle()
		http.DefaultClient.CloseIdleConnections()
	})
	return "http://" + s.Addr()
}

// call makes one request and returns status, provider and body.
func call(t *testing.T, method, url, contentType string, body io.Reader) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer the-apps-own")
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(b)
}

func echo(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
	w.Header().Set("Set-Cookie", "a=b")
	fmt.Fprintf(w, "%s:%s", r.Method, b)
}

func fail(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		io.WriteString(w, `{"error":{"message":"it fails","type":"server_error"}}`)
	}
}

func TestWhatHoldsNoStateFailsOverWithItsBytes(t *testing.T) {
	down, up := startUpstream(t, fail(503)), startUpstream(t, echo)
	base := startReal(t, down, up)
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	part, _ := w.CreateFormFile("file", "a.wav")
	part.Write([]byte("\x00\xff sound"))
	w.Close()
	sent := form.String()
	status, header, body := call(t, http.MethodPost, base+"/v1/audio/transcriptions", w.FormDataContentType(), &form)
	if status != 200 || header.Get("X-Understudy-Provider") != "b" || header.Get("X-Understudy-Failover") != "true" || body != "POST:"+sent {
		t.Errorf("%d %v %q", status, header, body)
	}
	if header.Get("Set-Cookie") != "" || header.Get("Content-Type") != w.FormDataContentType() {
		t.Errorf("the headers are %v", header)
	}
	want := "POST /v1/audio/transcriptions Bearer sk-KEY_B"
	if got := up.calls(); len(got) != 1 || got[0] != want {
		t.Errorf("the backup got %q", got)
	}
}

func TestAModelOfTheAppsOwnStaysUnlessItNamesTheChain(t *testing.T) {
	up := startUpstream(t, echo)
	base := startReal(t, up)
	for model, want := range map[string]string{"dall-e-3": "dall-e-3", "chain": "own-model"} {
		_, _, body := call(t, http.MethodPost, base+"/v1/images/generations", "application/json", strings.NewReader(`{"prompt":"x", "model":"`+model+`"}`))
		if body != `POST:{"prompt":"x", "model":"`+want+`"}` {
			t.Errorf("%s became %s", model, body)
		}
	}
}

func TestWhatHoldsStateGoesToTheFirstWhateverItAnswers(t *testing.T) {
	first, second := startUpstream(t, fail(503)), startUpstream(t, echo)
	base := startReal(t, first, second)
	for range 5 { // its circuit would be open by now
		for _, c := range []struct{ method, path string }{
			{http.MethodGet, "/v1/files/file-1/content"},
			{http.MethodPost, "/v1/batches"},
			{http.MethodDelete, "/v1/responses/resp_1"},
			{http.MethodGet, "/v1/chat/completions"},
			{http.MethodPost, "/v1/fine_tuning/jobs"},
		} {
			status, header, body := call(t, c.method, base+c.path, "application/json", strings.NewReader("{}"))
			if status != 503 || header.Get("X-Understudy-Provider") != "a" || !strings.Contains(body, "it fails") {
				t.Fatalf("%s %s: %d %v %s", c.method, c.path, status, header, body)
			}
		}
	}
	if n := len(second.calls()); n != 0 {
		t.Errorf("%d calls went to another provider", n)
	}
	first.Close()
	if status, _, body := call(t, http.MethodGet, base+"/v1/files", "", nil); status != 503 || !strings.Contains(body, "ConnectionRefused") {
		t.Errorf("%d %s", status, body)
	}
}

func TestAPathThatAProviderDoesNotHaveBlamesNobody(t *testing.T) {
	first, second := startUpstream(t, fail(404)), startUpstream(t, echo)
	base := startReal(t, first, second)
	for range 6 {
		if _, header, _ := call(t, http.MethodPost, base+"/v1/moderations", "application/json", strings.NewReader("{}")); header.Get("X-Understudy-Provider") != "b" {
			t.Fatalf("%v", header)
		}
	}
	if n := len(first.calls()); n != 6 {
		t.Errorf("the first was asked %d times, so its circuit was touched", n)
	}
	second.Config.Handler = fail(404)
	if status, header, body := call(t, http.MethodPost, base+"/v1/moderations", "application/json", strings.NewReader("{}")); status != 404 ||
		header.Get("X-Understudy-Provider") != "a" || !strings.Contains(body, "it fails") {
		t.Errorf("%d %v %s", status, header, body)
	}
}

func TestALargeBodyIsSentAsItIsRead(t *testing.T) {
	const size = maxBody + 5<<20
	for _, known := range []bool{true, false} {
		counted := make(chan int64, 1)
		up := startUpstream(t, func(w http.ResponseWriter, r *http.Request) {
			n, _ := io.Copy(io.Discard, r.Body)
			counted <- n
			io.WriteString(w, "{}")
		})
		base := startReal(t, up)
		body := io.LimitReader(zeros{}, size)
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/v1/files", body)
		req.ContentLength = -1
		if known {
			req.ContentLength = size
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if n := <-counted; n != size || resp.StatusCode != 200 {
			t.Errorf("known %v: %d of %d bytes arrived; %d", known, n, size, resp.StatusCode)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestALargeBodyIsNotSentTwice(t *testing.T) {
	reset := startUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		io.CopyN(io.Discard, r.Body, 1<<20)
		conn, _, _ := http.NewResponseController(w).Hijack()
		conn.(*net.TCPConn).SetLinger(0)
		conn.Close()
	})
	other := startUpstream(t, echo)
	base := startReal(t, reset, other)
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/v1/images/edits", io.LimitReader(zeros{}, maxBody+1<<20))
	req.ContentLength = maxBody + 1<<20
	resp, err := http.DefaultClient.Do(req)
	if err == nil { // the answer may overtake the upload, or the upload break first
		resp.Body.Close()
		if resp.StatusCode != 503 {
			t.Errorf("got %d", resp.StatusCode)
		}
	}
	if n := len(other.calls()); n != 0 {
		t.Errorf("%d calls went to another provider", n)
	}
}

func TestADownloadStreams(t *testing.T) {
	release := make(chan struct{})
	up := startUpstream(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "audio/mpeg")
		io.WriteString(w, "first")
		http.NewResponseController(w).Flush()
		<-release
		io.WriteString(w, "second")
	})
	base := startReal(t, up)
	resp, err := http.Post(base+"/v1/audio/speech", "application/json", strings.NewReader(`{"input":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b := make([]byte, 5)
	if _, err := io.ReadFull(resp.Body, b); err != nil || string(b) != "first" {
		t.Fatalf("%q, %v", b, err)
	}
	close(release)
	if rest, err := io.ReadAll(resp.Body); err != nil || string(rest) != "second" {
		t.Errorf("%q, %v", rest, err)
	}
}

func TestABrokenDownloadDoesNotLookComplete(t *testing.T) {
	up := startUpstream(t, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "half")
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	base := startReal(t, up)
	resp, err := http.Post(base+"/v1/audio/speech", "application/json", strings.NewReader(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("%q looks complete", b)
	}
}

// TestAWebSocketReachesTheFirstThatTakesIt speaks through an upgraded
// connection, without the frames: what goes over it is nobody's business here.
func TestAWebSocketReachesTheFirstThatTakesIt(t *testing.T) {
	down := startUpstream(t, fail(503))
	up := startUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x%s\r\nSec-WebSocket-Protocol: %s\r\n\r\n",
			r.Header.Get("Sec-WebSocket-Key"), r.Header.Get("Sec-WebSocket-Protocol"))
		rw.Flush()
		line, _ := rw.ReadString('\n')
		fmt.Fprintf(rw, "echo %s", line)
		rw.Flush()
	})
	base := startReal(t, down, up)
	conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "GET /v1/realtime?model=gpt-realtime&api_key=sk-own HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: abc\r\nSec-WebSocket-Protocol: realtime, openai-insecure-api-key.sk-own\r\n\r\n")
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 101 || resp.Header.Get("Sec-WebSocket-Accept") != "xabc" || resp.Header.Get("Sec-WebSocket-Protocol") != "realtime" ||
		resp.Header.Get("X-Understudy-Provider") != "b" || !strings.EqualFold(resp.Header.Get("Upgrade"), "websocket") {
		t.Fatalf("%d %v", resp.StatusCode, resp.Header)
	}
	io.WriteString(conn, "hello\n")
	if line, err := r.ReadString('\n'); err != nil || line != "echo hello\n" {
		t.Errorf("%q, %v", line, err)
	}
	if _, err := r.ReadByte(); err != io.EOF {
		t.Errorf("the provider's end was not passed on: %v", err)
	}
	if got := up.calls(); len(got) != 1 || got[0] != "GET /v1/realtime?model=gpt-realtime Bearer sk-KEY_B" {
		t.Errorf("the provider got %q", got)
	}
}

func TestTheModelsAreTheChainsAndWhatTheyServe(t *testing.T) {
	up := startUpstream(t, echo)
	base := startReal(t, up)
	_, _, body := call(t, http.MethodGet, base+"/v1/models", "", nil)
	if !strings.Contains(body, `"object": "list"`) || !strings.Contains(body, `"id": "chain"`) || !strings.Contains(body, `"id": "own-model"`) {
		t.Errorf("the list is %s", body)
	}
	if _, _, body = call(t, http.MethodGet, base+"/v1/models/chain", "", nil); !strings.Contains(body, `"owned_by": "understudy"`) {
		t.Errorf("the model is %s", body)
	}
	if _, _, body = call(t, http.MethodGet, base+"/v1/models/gpt-5", "", nil); body != "GET:" {
		t.Errorf("an unknown id was not passed on: %s", body)
	}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/v1/models", nil)
	req.Header.Set("Anthropic-Version", "2023-06-01")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, _ := io.ReadAll(resp.Body); !strings.Contains(string(b), `"type": "model"`) || !strings.Contains(string(b), `"has_more": false`) {
		t.Errorf("Anthropic's list is %s", b)
	}
	if n := len(up.calls()); n != 1 {
		t.Errorf("%d calls reached the provider", n)
	}
}
