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
	"testing/synctest"
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
		`type: "Gemini" is not known`:     {Type: "Gemini"},
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
		k := kinds[c.kind]
		u, err := parseBaseURL(k, c.base, true)
		if err != nil {
			t.Fatal(err)
		}
		if got := u.Scheme + "://" + u.Host + pathOf(k, u, c.op); got != c.want {
			t.Errorf("%s %s%s goes to %s, want %s", c.kind, c.base, c.op.Path, got, c.want)
		}
	}
}

// TestNoKeyMeetsAnotherProvider sends a call that carries every credential an
// app may send, and an entry's own, through each kind of entry.
func TestNoKeyMeetsAnotherProvider(t *testing.T) {
	var got http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { got = r.Header.Clone() }))
	defer server.Close()
	p := New(Options{Getenv: func(name string) string { return "canary-of-" + name }})
	defer p.CloseIdle()
	app := http.Header{}
	for _, name := range []string{
		"Authorization", "X-Api-Key", "Api-Key", "X-Goog-Api-Key", "Cookie", "X-Amz-Security-Token", "Proxy-Authorization",
		"Openai-Organization", "Openai-Project", "Anthropic-Workspace-Id", "X-Forwarded-For", "X-Private",
	} {
		app.Set(name, "canary-of-the-app")
	}
	app.Set("Connection", "X-Private")
	app.Set("Anthropic-Beta", "b1")
	app.Set("Traceparent", "00-1")
	for _, kind := range []failover.ProviderType{failover.OpenAI, failover.Anthropic, failover.OpenAICompatible} {
		for _, translated := range []bool{false, true} {
			e, err := p.Endpoint(failover.ProviderConfig{Name: "x", Type: kind, BaseURL: server.URL, Auth: failover.SecretRef{Env: string(kind)}})
			if err != nil {
				t.Fatal(err)
			}
			cred, err := e.Credential()
			if err != nil {
				t.Fatal(err)
			}
			resp, err := e.Send(t.Context(), failover.Call{Operation: failover.Messages, Header: app, Body: failover.NewReplay([]byte("{}")), Credentials: cred, Translated: translated})
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			all := fmt.Sprint(got)
			if n := strings.Count(all, "canary-of-"); n != 1 || !strings.Contains(all, "canary-of-"+string(kind)) {
				t.Errorf("%s, translated %t: the provider saw %v", kind, translated, got)
			}
			if (got.Get("Anthropic-Beta") == "") != translated || got.Get("Traceparent") == "" {
				t.Errorf("%s, translated %t: the dialect's headers are wrong: %v", kind, translated, got)
			}
			if kind == failover.Anthropic && got.Get("Anthropic-Version") == "" {
				t.Error("there is no anthropic-version")
			}
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
	p := New(Options{OwnPorts: []string{"8089"}})
	for _, address := range []string{"169.254.169.254:80", "[fe80::1]:443", "[fd00:ec2::254]:80", "127.0.0.1:8089", "[::1]:8089", "[::ffff:169.254.169.254]:80"} {
		if p.refuseAddress("tcp", address, nil) == nil {
			t.Errorf("%s may be dialled", address)
		}
	}
	for _, address := range []string{"127.0.0.1:9101", "10.0.0.1:8089", "93.184.216.34:443"} {
		if err := p.refuseAddress("tcp", address, nil); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestARotatedKeyIsUsedWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		secret := filepath.Join(dir, "llm-keys")
		if err := os.Mkdir(secret, 0o755); err != nil {
			t.Fatal(err)
		}
		put := func(value string) {
			t.Helper()
			path := filepath.Join(secret, "openai")
			if err := os.WriteFile(path+".new", []byte(value), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(path+".new", path); err != nil {
				t.Fatal(err)
			}
		}
		p := New(Options{SecretsDir: dir, Getenv: os.Getenv})
		ref := failover.SecretRef{Secret: "llm-keys", Key: "openai"}
		expect := func(want, part string) {
			t.Helper()
			c, err := p.secret(ref).credentials()
			if c.Reveal() != want || (err == nil) != (part == "") || err != nil && !strings.Contains(err.Error(), part) {
				t.Errorf("got %q, %v", c.Reveal(), err)
			}
		}
		expect("", `key "openai" of Secret "llm-keys": is not there`)
		put("sk-one\n")
		time.Sleep(time.Second)
		expect("sk-one", "")
		first, _ := p.secret(ref).credentials()
		put("sk-two")
		expect("sk-one", "")
		time.Sleep(time.Second)
		expect("sk-two", "")
		if second, _ := p.secret(ref).credentials(); second.Fingerprint == first.Fingerprint {
			t.Error("another key has the same fingerprint")
		}
		put("")
		time.Sleep(time.Second)
		expect("", "is empty")
		put("two\nlines")
		time.Sleep(time.Second)
		expect("", "control character")
	})
}

func TestNamesOfSecretsAreNoPaths(t *testing.T) {
	p := New(Options{SecretsDir: t.TempDir(), Getenv: os.Getenv})
	for _, ref := range []failover.SecretRef{{Secret: "..", Key: "x"}, {Secret: "a/b", Key: "x"}, {Secret: "a", Key: "../../etc/passwd"}} {
		if _, err := p.Secret(ref); err == nil || !strings.Contains(err.Error(), "not a name") {
			t.Errorf("%+v: %v", ref, err)
		}
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
