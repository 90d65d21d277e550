package provider

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/understudy-dev/understudy/internal/failover"
)

// serviceAccount is the key file of a service account whose tokens are asked
// for at an address.
func serviceAccount(t *testing.T, tokenURL string) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file, err := json.MarshalIndent(map[string]string{
		"type": "service_account", "client_email": "sidecar@shop.iam.gserviceaccount.com", "token_uri": tokenURL,
		"private_key_id": "1", "private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(file)
}

// vertexServer is Google's token service and Vertex AI in one.
type vertexServer struct {
	*httptest.Server
	asked  atomic.Int32
	refuse atomic.Bool
	got    *http.Request
	body   string
}

func newVertexServer(t *testing.T) *vertexServer {
	s := &vertexServer{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path != "/token" {
			s.got, s.body = r, string(body)
			return
		}
		s.asked.Add(1)
		if s.refuse.Load() {
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, `{"error":"invalid_grant","error_description":"canary"}`)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"access_token":"ya29.token-%d","expires_in":3600,"token_type":"Bearer"}`, s.asked.Load())
	}))
	t.Cleanup(s.Close)
	return s
}

// TestVertexIsAskedAsAServiceAccount sends the calls of every dialect of Vertex
// AI to a real socket, with the key of a service account from a mounted Secret.
func TestVertexIsAskedAsAServiceAccount(t *testing.T) {
	s := newVertexServer(t)
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "llm-keys"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "llm-keys", "vertex.json"), []byte(serviceAccount(t, s.URL+"/token")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := New(Options{SecretsDir: dir, Getenv: os.Getenv})
	defer p.CloseIdle()
	const root = "/v1/projects/shop/locations/europe-west4"
	for _, c := range []struct {
		base     string
		dialects []failover.Dialect
		op       failover.Operation
		stream   bool
		want     string
		body     string
	}{
		{root, nil, failover.GenerateContent, false, root + "/publishers/google/models/m-1:generateContent", `{"model":"m-1"}`},
		{root + "/publishers/google", nil, failover.GenerateContent, true, root + "/publishers/google/models/m-1:streamGenerateContent?alt=sse", `{"model":"m-1"}`},
		{root, []failover.Dialect{failover.OpenAIChat}, failover.ChatCompletions, false, root + "/endpoints/openapi/chat/completions", `{"model":"m-1"}`},
		{root + "/endpoints/openapi/", nil, failover.ChatCompletions, true, root + "/endpoints/openapi/chat/completions", `{"model":"m-1"}`},
		{root + "/publishers/anthropic", nil, failover.Messages, false, root + "/publishers/anthropic/models/m-1:rawPredict", `{"anthropic_version":"vertex-2023-10-16"}`},
		{root + "/publishers/anthropic", nil, failover.Messages, true, root + "/publishers/anthropic/models/m-1:streamRawPredict", `{"anthropic_version":"vertex-2023-10-16"}`},
		{root + "/publishers/anthropic", nil, failover.CountTokens, false, root + "/publishers/anthropic/models/count-tokens:rawPredict", `{"model":"m-1","anthropic_version":"vertex-2023-10-16"}`},
	} {
		e, err := p.Endpoint(failover.ProviderConfig{
			Type: failover.GeminiAPI, BaseURL: s.URL + c.base, Dialects: c.dialects, Auth: failover.SecretRef{Secret: "llm-keys", Key: "vertex.json"},
		})
		if err != nil {
			t.Fatal(err)
		}
		cred, err := e.Credential()
		if err != nil {
			t.Fatal(err)
		}
		resp, err := e.Send(t.Context(), failover.Call{
			Operation: c.op, Model: "m-1", Stream: c.stream, Credentials: cred, Body: failover.NewReplay([]byte(`{"model":"m-1"}`)),
			Header: http.Header{"Authorization": {"Bearer sk-app"}, "X-Goog-Api-Key": {"sk-app"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if s.got.RequestURI != c.want || s.body != c.body || s.got.Header.Get("Authorization") != "Bearer ya29.token-1" || s.got.Header.Get("X-Goog-Api-Key") != "" || s.got.Header.Get("Anthropic-Version") != "" {
			t.Errorf("%s: got %s %s with %v", c.want, s.got.RequestURI, s.body, s.got.Header)
		}
	}
	if n := s.asked.Load(); n != 1 {
		t.Errorf("%d tokens were asked for", n)
	}
}

func TestATokenThatIsRefusedIsTheCredentialsFault(t *testing.T) {
	s := newVertexServer(t)
	s.refuse.Store(true)
	documents := map[string]string{
		"refused":          serviceAccount(t, s.URL+"/token"),
		"a file elsewhere": `{"type":"external_account","audience":"a","token_url":"` + s.URL + `/token","credential_source":{"file":"/etc/hostname"}}`,
		"no account":       `{"canary":true}`,
	}
	p := New(Options{Getenv: func(name string) string { return documents[name] }})
	defer p.CloseIdle()
	for name := range documents {
		e, err := p.Endpoint(failover.ProviderConfig{Type: failover.GeminiAPI, BaseURL: s.URL + "/v1/projects/p/locations/l", Auth: failover.SecretRef{Env: name}})
		if err != nil {
			t.Fatal(err)
		}
		cred, err := e.Credential()
		if err != nil {
			t.Fatal(err)
		}
		_, err = e.Send(t.Context(), failover.Call{Operation: failover.GenerateContent, Model: "m", Credentials: cred, Body: failover.NewReplay([]byte("{}"))})
		if !errors.Is(err, failover.ErrNoCredential) || strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "PRIVATE") {
			t.Errorf("%s: %v", name, err)
		}
		if v := failover.Classify(failover.Evidence{Err: err}); v.Blame != failover.Credential || v.Class != failover.NoCredential {
			t.Errorf("%s: %+v", name, v)
		}
	}
	if n := s.asked.Load(); n != 1 {
		t.Errorf("%d tokens were asked for; want one, by the service account", n)
	}
}

// TestTheProcesssOwnIdentity reads the identity where Google's libraries look
// for it.
func TestTheProcesssOwnIdentity(t *testing.T) {
	s := newVertexServer(t)
	file := filepath.Join(t.TempDir(), "adc.json")
	if err := os.WriteFile(file, []byte(serviceAccount(t, s.URL+"/token")), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", file)
	token, err := New(Options{}).google(failover.Credentials{}).get(t.Context())
	if err != nil || token != "ya29.token-1" {
		t.Errorf("the token is %q, %v", token, err)
	}
}

// TestTheSidecarsOwnIdentityGoesToGoogleOnly holds back whoever may edit a
// chain, and nothing else, from getting the pod's token.
func TestTheSidecarsOwnIdentityGoesToGoogleOnly(t *testing.T) {
	p := New(Options{Getenv: func(string) string { return "k" }})
	const path = "/v1/projects/p/locations/l"
	for base, part := range map[string]string{
		"https://europe-west4-aiplatform.googleapis.com" + path:         "",
		"https://aiplatform.eu.rep.googleapis.com" + path:               "",
		"https://example.com" + path:                                    "auth: the sidecar's own identity",
		"https://aiplatform.googleapis.com.example.com" + path:          "auth: the sidecar's own identity",
		"http://aiplatform.googleapis.com" + path:                       "auth: the sidecar's own identity",
		"https://aiplatform.googleapis.com":                             "baseURL: an address of Vertex AI",
		"https://aiplatform.googleapis.com" + path + "/models/m":        "baseURL: an address of Vertex AI",
		"https://generativelanguage.googleapis.com/v1beta":              "auth: a provider of type Gemini needs a key",
		"https://aiplatform.googleapis.com" + path + "/publishers/meta": "baseURL: an address of Vertex AI",
	} {
		_, err := p.Endpoint(failover.ProviderConfig{Type: failover.GeminiAPI, BaseURL: base})
		if (err == nil) != (part == "") || err != nil && !strings.HasPrefix(err.Error(), part) {
			t.Errorf("%s: %v, want %q", base, err, part)
		}
	}
}

// TestATokenIsRenewedByOneWhileTheOthersUseIt follows a token through its hour.
func TestATokenIsRenewedByOneWhileTheOthersUseIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, fail := 0, false
		source := &tokens{busy: make(chan struct{}, 1), fetch: func(ctx context.Context) (*oauth2.Token, error) {
			asked++
			n := asked
			select {
			case <-time.After(2 * time.Second):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			if fail {
				return nil, errors.New("down")
			}
			return &oauth2.Token{AccessToken: fmt.Sprint("token-", n), Expiry: time.Now().Add(time.Hour)}, nil
		}}
		all := func(want string, waits time.Duration) {
			t.Helper()
			var calls sync.WaitGroup
			for range 8 {
				calls.Go(func() {
					began := time.Now()
					if got, err := source.get(t.Context()); got != want && got != fmt.Sprint("token-", asked) || err != nil || time.Since(began) > waits {
						t.Errorf("got %q, %v after %s, want %q", got, err, time.Since(began), want)
					}
				})
			}
			calls.Wait()
		}
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		if _, err := source.get(impatient); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who cannot wait gets %v", err)
		}
		cancel()
		all("token-2", 2*time.Second) // all wait for one
		time.Sleep(56 * time.Minute)
		all("token-2", 2*time.Second) // one renews it
		if asked != 3 {
			t.Errorf("asked %d times, want 3", asked)
		}
		time.Sleep(56 * time.Minute)
		fail = true
		all("token-3", 2*time.Second) // what is still good is used
		time.Sleep(5 * time.Minute)
		if _, err := source.get(t.Context()); !errors.Is(err, failover.ErrNoCredential) {
			t.Errorf("without any token: %v", err)
		}
	})
}
