package provider

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/understudy-dev/understudy/internal/failover"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBadEntriesAreRefusedWithAFix(t *testing.T) {
	p := New(Options{Getenv: os.Getenv})
	key := failover.SecretRef{Env: "KEY"}
	for want, cfg := range map[string]failover.ProviderConfig{
		"baseURL: is required":            {Type: failover.OpenAICompatible},
		"with its scheme":                 {Type: failover.OpenAI, BaseURL: "api.openai.com/v1", Auth: key},
		"auth: a provider of type OpenAI": {Type: failover.OpenAI},
		"write https://":                  {Type: failover.OpenAI, BaseURL: "http://llm.example.com/v1", Auth: key},
		"put the key into auth":           {Type: failover.OpenAI, BaseURL: "https://me:sk-secret@llm.example.com/v1", Auth: key},
		"holds a query":                   {Type: failover.OpenAI, BaseURL: "https://llm.example.com/v1?key=sk-secret", Auth: key},
		`type: "Cohere" is not known`:     {Type: "Cohere"},
	} {
		_, err := p.Endpoint(cfg)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", cfg, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "sk-secret") {
			t.Errorf("the error holds a key: %v", err)
		}
	}
}

func TestAKeyCrossesNoForeignNetworkInTheClear(t *testing.T) {
	for address, allowed := range map[string]bool{
		"localhost:9101": true, "LocalHost": true, "127.0.0.1": true, "127.8.8.8": true, "[::1]:80": true, "10.1.2.3": true, "172.31.0.1": true,
		"192.168.1.1:8000": true, "[fd12::1]": true, "llm.shop.svc": true, "llm.shop.SVC:8000": true, "llm.shop.svc.cluster.local": true,
		"llm.example.com": false, "8.8.8.8": false, "172.32.0.1": false, "[2001:db8::1]": false, "svc.example.com": false, "mysvc": false,
		"localhost.example.com": false, "10.1.2.3.example.com": false, "100.64.0.1": false,
	} {
		_, err := parseBaseURL(kinds[failover.OpenAICompatible], "http://"+address, true)
		if (err == nil) != allowed {
			t.Errorf("http://%s with a key: %v", address, err)
		}
		if _, err := parseBaseURL(kinds[failover.OpenAICompatible], "http://"+address, false); err != nil {
			t.Errorf("http://%s without a key: %v", address, err)
		}
	}
}

func TestWhereACallGoes(t *testing.T) {
	for _, c := range []struct {
		kind failover.ProviderType
		base string
		op   failover.Operation
		want string
	}{
		{failover.OpenAI, "", failover.ChatCompletions, "https://api.openai.com/v1/chat/completions"},
		{failover.OpenAI, "https://llm.example.com", failover.Responses, "https://llm.example.com/v1/responses"},
		{failover.OpenAICompatible, "https://llm.example.com/api/openai/", failover.ChatCompletions, "https://llm.example.com/api/openai/chat/completions"},
		{failover.Anthropic, "", failover.Messages, "https://api.anthropic.com/v1/messages"},
		{failover.Anthropic, "https://llm.example.com/anthropic", failover.CountTokens, "https://llm.example.com/anthropic/v1/messages/count_tokens"},
		{failover.Anthropic, "https://llm.example.com/v1", failover.Messages, "https://llm.example.com/v1/messages"},
	} {
		u, err := parseBaseURL(kinds[c.kind], c.base, true)
		if err != nil {
			t.Fatal(err)
		}
		path, query := surfaceOf(t, c.kind, u).target(u, failover.Call{Operation: c.op})
		if got := u.Scheme + "://" + u.Host + path + query; got != c.want {
			t.Errorf("%s %s%s goes to %s, want %s", c.kind, c.base, c.op.Path, got, c.want)
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	}))
	defer server.Close()
	p := New(Options{Getenv: os.Getenv})
	defer p.CloseIdle()
	e, err := p.Endpoint(failover.ProviderConfig{Type: failover.OpenAICompatible, BaseURL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := e.Send(t.Context(), failover.Call{Operation: failover.ChatCompletions, Body: failover.NewReplay([]byte("{}"))})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusTemporaryRedirect || asked != 1 {
		t.Errorf("status %d after %d requests", resp.StatusCode, asked)
	}
}

func TestOwnAndMetadataAddressesAreNotDialled(t *testing.T) {
	p := New(Options{OwnPorts: []string{"8089"}, Getenv: os.Getenv})
	for _, address := range []string{
		"169.254.169.254:80", "169.254.170.2:80", "[fe80::1]:443", "[fd00:ec2::254]:80", "[fd20:ce::254]:80", "100.100.100.200:80",
		"[::ffff:169.254.169.254]:80", "[64:ff9b::a9fe:a9fe]:80", "224.0.0.1:80",
		"127.0.0.1:8089", "127.0.0.2:8089", "[::1]:8089", "0.0.0.0:8089", "[::]:8089", "[::ffff:127.0.0.1]:8089",
	} {
		if p.refuseAddress("tcp", address, nil) == nil {
			t.Errorf("%s may be dialled", address)
		}
		if _, err := p.Endpoint(failover.ProviderConfig{Type: failover.OpenAICompatible, BaseURL: "http://" + address}); err == nil || !strings.Contains(err.Error(), "baseURL: ") {
			t.Errorf("%s as a base URL gives %v", address, err)
		}
	}
	if _, err := p.Endpoint(failover.ProviderConfig{Type: failover.OpenAICompatible, BaseURL: "http://LocalHost:8089/v1"}); err == nil || !strings.Contains(err.Error(), "the sidecar itself") {
		t.Errorf("the sidecar as its own provider gives %v", err)
	}
	for _, address := range []string{"127.0.0.1:9101", "10.0.0.1:8089", "93.184.216.34:443", "[64:ff9b::5db8:d822]:443"} {
		if err := p.refuseAddress("tcp", address, nil); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// TestANameThatTurnsToAForbiddenAddressIsNotDialled uses the one name that
// every machine resolves without asking: what is refused is the address.
func TestANameThatTurnsToAForbiddenAddressIsNotDialled(t *testing.T) {
	reached := false
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	e := entry(t, Options{}, "http://localhost:"+port, nil)
	own := New(Options{OwnPorts: []string{port}})
	e.transport = own.newTransport(transportKey{connect: time.Second}, nil)
	if _, err := send(t, e); err == nil || !errors.Is(err, errOwnAddress) || reached {
		t.Errorf("the sidecar called itself: %v", err)
	}
}

func TestACredentialIsNeverPrinted(t *testing.T) {
	c := failover.NewCredentials("f00", "sk-canary")
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "c", c, "p", &c)
	text, _ := c.MarshalText()
	all := fmt.Sprintf("%v %+v %#v %s %q %d %x", c, c, c, c, c, c, []any{c}) + fmt.Sprint(&c, []failover.Credentials{c}, map[string]any{"c": c}) + log.String() + string(text)
	if strings.Contains(all, "sk-canary") || strings.Contains(all, fmt.Sprintf("%x", "sk-canary")) {
		t.Errorf("the value was printed: %s", all)
	}
}

// TestADeadKeptAliveConnectionIsReplacedUnseen uses a server that ends every
// connection at its second request, as one does that closes idle connections
// just as the next request is written.
func TestADeadKeptAliveConnectionIsReplacedUnseen(t *testing.T) {
	type count struct{ requests int }
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		c := r.Context().Value(count{}).(*count)
		if c.requests++; c.requests == 2 {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				conn.Close()
			}
		}
	}))
	server.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		return context.WithValue(ctx, count{}, &count{})
	}
	server.Start()
	defer server.Close()
	p := New(Options{Getenv: os.Getenv})
	defer p.CloseIdle()
	e, err := p.Endpoint(failover.ProviderConfig{Type: failover.OpenAICompatible, BaseURL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		resp, err := e.Send(t.Context(), failover.Call{Operation: failover.ChatCompletions, Body: failover.NewReplay([]byte(`{"model":"m"}`))})
		if err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}

func TestASecretThatIsNotMountedIsToldFromAMissingKey(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "llm-keys"), 0o755); err != nil {
		t.Fatal(err)
	}
	p := New(Options{SecretsDir: dir, Getenv: os.Getenv})
	for name, want := range map[string]bool{"llm-keys": false, "new-keys": true} {
		_, err := p.secret(failover.SecretRef{Secret: name, Key: "openai"}).credentials()
		if err == nil || errors.Is(err, failover.ErrSecretNotMounted) != want {
			t.Errorf("%s: %v, want not mounted: %v", name, err, want)
		}
	}
}
