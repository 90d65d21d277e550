package provider

import (
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/understudy-dev/understudy/internal/failover"
)

// appHeaders are an app's that carries every credential there is, known by
// name or not, and what providers are meant to see.
func appHeaders() http.Header {
	h := http.Header{}
	for _, name := range []string{
		"Authorization", "X-Api-Key", "Api-Key", "X-Goog-Api-Key", "Cookie", "X-Amz-Security-Token", "Proxy-Authorization",
		"Openai-Organization", "Openai-Project", "Anthropic-Workspace-Id", "X-Forwarded-For", "X-Stainless-Private",
		"Helicone-Auth", "X-Portkey-Api-Key", "Cf-Aig-Authorization", "X-Auth-Token", "Ocp-Apim-Subscription-Key", "Baggage", "Origin",
	} {
		h.Set(name, "canary-of-the-app")
	}
	h.Set("Connection", "keep-alive, x-stainless-private")
	h.Set("Anthropic-Beta", "b1")
	h.Set("Openai-Beta", "b2")
	h.Set("X-Stainless-Lang", "go")
	h.Set("Traceparent", "00-1")
	return h
}

// TestNoKeyMeetsAnotherProvider sends the app's call through an entry of every
// kind, one after the other and in every order of two, over both versions of
// HTTP.
func TestNoKeyMeetsAnotherProvider(t *testing.T) {
	for _, version := range []int{1, 2} {
		var seen string
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			seen = fmt.Sprint(r.Proto, r.URL, r.Header, string(body))
		}))
		server.EnableHTTP2 = version == 2
		server.StartTLS()
		defer server.Close()
		pool := x509.NewCertPool()
		pool.AddCert(server.Certificate())
		app := appHeaders()
		for _, pair := range pairs() {
			for _, kind := range pair {
				for _, translated := range []bool{false, true} {
					call := failover.Call{
						Operation: failover.ChatCompletions, Query: "beta=true&api_key=canary-of-the-app", Header: app,
						Body: failover.NewReplay([]byte("{}")), Translated: translated,
					}
					sendWithKey(t, kind, server.URL, pool, call)
					if n := strings.Count(seen, "canary-of-"); n != 1 || !strings.Contains(seen, "canary-of-"+string(kind)) {
						t.Errorf("%s, translated %t: the provider saw %v", kind, translated, seen)
					}
					if !strings.HasPrefix(seen, fmt.Sprintf("HTTP/%d", version)) || strings.Contains(seen, "beta=true") == translated && !translated {
						t.Errorf("%s, translated %t: the call is %v", kind, translated, seen)
					}
				}
			}
		}
		if fmt.Sprint(app) != fmt.Sprint(appHeaders()) {
			t.Error("the app's headers were changed")
		}
	}
}

func pairs() (all [][2]failover.ProviderType) {
	types := []failover.ProviderType{failover.OpenAI, failover.Anthropic, failover.OpenAICompatible}
	for _, a := range types {
		for _, b := range types {
			all = append(all, [2]failover.ProviderType{a, b})
		}
	}
	return all
}

// sendWithKey sends a call through an entry whose key is named after its kind.
func sendWithKey(t *testing.T, kind failover.ProviderType, url string, roots *x509.CertPool, call failover.Call) {
	t.Helper()
	e := entry(t, Options{}, url, roots)
	e.surface = surfaceOf(t, kind, e.base)
	call.Credentials = failover.NewCredentials("f", "canary-of-"+string(kind))
	resp, err := e.Send(t.Context(), call)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	e.transport.CloseIdleConnections()
}

func TestADialectsHeadersGoWithItsOwnBodyOnly(t *testing.T) {
	e := &endpoint{}
	for _, c := range []struct {
		op         failover.Operation
		translated bool
		want, not  []string
	}{
		{failover.ChatCompletions, false, []string{"Openai-Beta", "X-Stainless-Lang", "Traceparent"}, []string{"Anthropic-Beta", "Anthropic-Version"}},
		{failover.Messages, false, []string{"Anthropic-Beta", "Anthropic-Version", "X-Stainless-Lang", "Traceparent"}, []string{"Openai-Beta"}},
		{failover.Messages, true, []string{"Anthropic-Version", "Traceparent"}, []string{"Anthropic-Beta", "Openai-Beta", "X-Stainless-Lang"}},
		{failover.ChatCompletions, true, []string{"Traceparent"}, []string{"Anthropic-Version", "Anthropic-Beta", "Openai-Beta"}},
	} {
		h := e.header(failover.Call{Operation: c.op, Header: appHeaders(), Translated: c.translated})
		for _, name := range c.want {
			if h.Get(name) == "" {
				t.Errorf("%s, translated %t: there is no %s", c.op.Path, c.translated, name)
			}
		}
		for _, name := range c.not {
			if h.Get(name) != "" {
				t.Errorf("%s, translated %t: there is %s", c.op.Path, c.translated, name)
			}
		}
	}
	h := e.header(failover.Call{Operation: failover.Messages, Header: http.Header{"Anthropic-Version": {"2026-01-01"}, "Idempotency-Key": {"i"}}})
	if h.Get("Anthropic-Version") != "2026-01-01" || h.Get("Idempotency-Key") != "i" {
		t.Errorf("the app's own choice is lost: %v", h)
	}
}

func TestAKeyInTheQueryStaysHere(t *testing.T) {
	for query, want := range map[string]string{
		"": "", "beta=true": "beta=true", "key=sk&beta=true": "beta=true", "a=1&API_KEY=sk&b=%20": "a=1&b=%20",
		"k%65y=sk": "", "%zz=sk": "", "api-version=2026-01-01": "api-version=2026-01-01",
	} {
		if got := withoutKeys(query); got != want {
			t.Errorf("%q becomes %q, want %q", query, got, want)
		}
	}
}

// surfaceOf is what a type offers at an address.
func surfaceOf(t *testing.T, kind failover.ProviderType, base *url.URL) surface {
	t.Helper()
	s, err := kinds[kind].surface(New(Options{}), base, failover.ProviderConfig{Type: kind})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
