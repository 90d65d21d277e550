package simulator

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
)

// post sends a request over a real socket.
func post(t *testing.T, client *http.Client, url, path, body string) (*http.Response, string, error) {
	t.Helper()
	r := request("POST", path, body).WithContext(t.Context())
	u, err := r.URL.Parse(url + path)
	if err != nil {
		t.Fatal(err)
	}
	r.RequestURI, r.URL, r.Host = "", u, ""
	res, err := client.Do(r)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	return res, string(b), err
}

// running starts a server that ends with the test, and a client of it.
func runningServer(t *testing.T, sim *Simulator, opts ServerOptions) (*Server, *http.Client) {
	t.Helper()
	s, err := NewServer(sim.Handler(), opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{ForceAttemptHTTP2: opts.HTTP2, TLSClientConfig: &tls.Config{RootCAs: s.CertPool()}}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		s.Stop()
	})
	return s, &http.Client{Transport: transport}
}

func TestAResetIsATCPResetOnARealSocket(t *testing.T) {
	for _, effect := range []Effect{Reset, ResetAfterHeaders, ResetMidStream} {
		t.Run(string(effect), func(t *testing.T) {
			sim := newSimulator(t, Options{})
			s, client := runningServer(t, sim, ServerOptions{})
			sim.Provider("openai").Fail(Fault{Effect: effect, After: 2})
			_, body, err := post(t, client, s.URL(), "/v1/chat/completions", longChat)
			if !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("error %v, want a reset; body %q", err, body)
			}
		})
	}
}

func TestAStoppedServerRefusesAndComesBackOnItsPort(t *testing.T) {
	sim := newSimulator(t, Options{})
	s, client := runningServer(t, sim, ServerOptions{})
	url := s.URL()
	s.Stop()
	if _, _, err := post(t, client, url, "/v1/messages", messageHello); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("error %v while stopped, want refused", err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	if s.URL() != url {
		t.Errorf("came back as %s, want %s", s.URL(), url)
	}
	if res, body, err := post(t, client, url, "/v1/messages", messageHello); err != nil || res.StatusCode != 200 {
		t.Errorf("after the start: %v %s", err, body)
	}
}

func TestHTTP2OverTLSStreamsAndResets(t *testing.T) {
	sim := newSimulator(t, Options{})
	s, client := runningServer(t, sim, ServerOptions{TLS: true, HTTP2: true})
	res, body, err := post(t, client, s.URL(), "/v1/messages", longMessage)
	if err != nil || res.ProtoMajor != 2 || !strings.Contains(body, "message_stop") {
		t.Fatalf("got %v over HTTP/%d: %s", err, res.ProtoMajor, body)
	}
	sim.Provider("anthropic").Fail(Fault{Effect: ResetMidStream, After: 2})
	if _, body, err := post(t, client, s.URL(), "/v1/messages", longMessage); err == nil || !strings.Contains(body, " two") || strings.Contains(body, " three") {
		t.Errorf("error %v with %s, want a reset after two words", err, body)
	}
}

func TestOnlyLoopbackIsListenedOn(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "192.0.2.1:80", "example.test:80", "nonsense"} {
		if l, err := ListenLoopback(address); err == nil {
			_ = l.Close()
			t.Errorf("%s was accepted", address)
		}
	}
	err := Run(t.Context(), []string{"--listen-openai", "0.0.0.0:0"}, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "--listen-openai") {
		t.Errorf("error %v, want one that names the flag", err)
	}
}

// notifyWriter hands over what is written.
type notifyWriter chan string

func (w notifyWriter) Write(b []byte) (int, error) {
	w <- string(b)
	return len(b), nil
}

func TestTheCommandSaysWhereItListensAndEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out, ended := make(notifyWriter, 1), make(chan error, 1)
	go func() {
		ended <- Run(ctx, []string{"--listen-openai", "127.0.0.1:0", "--listen-anthropic", "127.0.0.1:0", "--slack-listen", "127.0.0.1:0", "--token-delay", "0s"}, out)
	}()
	text := <-out
	var url string
	for line := range strings.SplitSeq(text, "\n") {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "anthropic" {
			url = fields[1]
		}
	}
	transport := &http.Transport{}
	client := &http.Client{Transport: transport}
	for _, step := range []struct{ path, body, want string }{
		{"/v1/messages", messageHello, `"end_turn"`},
		{"/-/faults", `{"provider":"anthropic","fault":"overloaded"}`, `"fault":"overloaded"`},
		{"/v1/messages", messageHello, "overloaded_error"},
	} {
		if _, body, err := post(t, client, url, step.path, step.body); err != nil || !strings.Contains(body, step.want) {
			t.Errorf("%s: %v %s, want %s", step.path, err, body, step.want)
		}
	}
	transport.CloseIdleConnections()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if n := strings.Count(text, "curl "); n != 2 || !strings.Contains(text, "slack") {
		t.Errorf("%d curl lines in\n%s", n, text)
	}
}

func TestAStopCutsWhatHangsAndBlamesNoClient(t *testing.T) {
	sim := newSimulator(t, Options{})
	s, client := runningServer(t, sim, ServerOptions{})
	p := sim.Provider("openai")
	p.Fail(Fault{Effect: Hang})
	failed := make(chan error, 1)
	go func() {
		_, _, err := post(t, client, s.URL(), "/v1/chat/completions", chatHello)
		failed <- err
	}()
	hanging := func(requests []Request) bool { return len(requests) == 1 && requests[0].Fault != "" }
	if err := p.Await(t.Context(), hanging); err != nil {
		t.Fatal(err)
	}
	s.Stop()
	if err := <-failed; err == nil {
		t.Error("the request was answered by a stopped server")
	}
	if r := p.Requests()[0]; r.Cancelled || !r.Done {
		t.Errorf("record %+v, want done and not cancelled", r)
	}
}
