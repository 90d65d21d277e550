package provider

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-dev/understudy/internal/failover"
)

// TestWhereAndAsWhomATypeIsReached sends one call of each kind of address to a
// real socket.
func TestWhereAndAsWhomATypeIsReached(t *testing.T) {
	var got *http.Request
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		got = r
	}))
	defer server.Close()
	p := New(Options{Getenv: func(string) string { return "sk-own" }})
	defer p.CloseIdle()
	generate := failover.Operation{Dialect: failover.Gemini, Path: "/generateContent"}
	for _, c := range []struct {
		name   string
		typ    failover.ProviderType
		path   string // of the base URL
		op     failover.Operation
		stream bool
		want   string // path and query
		header string // where the key is
		prefix string
	}{
		{"Azure's current API", failover.AzureOpenAI, "", failover.ChatCompletions, false, "/openai/v1/chat/completions", "Api-Key", ""},
		{"Azure's current API in full", failover.AzureOpenAI, "/openai/v1/", failover.Responses, true, "/openai/v1/responses", "Api-Key", ""},
		{"Azure's dated API", failover.AzureOpenAI, "/openai?api-version=2024-10-21", failover.ChatCompletions, true, "/openai/deployments/the%20model/chat/completions?api-version=2024-10-21", "Api-Key", ""},
		{"Azure's dated vectors", failover.AzureOpenAI, "/openai?api-version=2024-10-21", failover.Embeddings, false, "/openai/deployments/the%20model/embeddings?api-version=2024-10-21", "Api-Key", ""},
		{"Azure's dated Responses", failover.AzureOpenAI, "/openai?api-version=2025-03-01-preview", failover.Responses, false, "/openai/responses?api-version=2025-03-01-preview", "Api-Key", ""},
		{"a deployment", failover.AzureOpenAI, "/openai/deployments/d?api-version=2024-10-21", failover.ChatCompletions, false, "/openai/deployments/d/chat/completions?api-version=2024-10-21", "Api-Key", ""},
		{"Azure's current API with a version", failover.AzureOpenAI, "/team/openai/v1?api-version=preview", failover.Responses, false, "/team/openai/v1/responses?api-version=preview", "Api-Key", ""},
		{"Azure's dated pictures", failover.AzureOpenAI, "/openai?api-version=2024-10-21", failover.Operation{Dialect: failover.OpenAIChat, Path: "/images/generations", Pass: true}, false, "/openai/deployments/the%20model/images/generations?api-version=2024-10-21", "Api-Key", ""},
		{"Azure's dated files", failover.AzureOpenAI, "/openai?api-version=2024-10-21", failover.Operation{Dialect: failover.OpenAIChat, Path: "/files", Pass: true}, false, "/openai/files?api-version=2024-10-21", "Api-Key", ""},
		{"Claude at Foundry", failover.AzureOpenAI, "/anthropic", failover.Messages, false, "/anthropic/v1/messages", "Api-Key", ""},
		{"Gemini", failover.GeminiAPI, "", generate, false, "/v1beta/models/the%20model:generateContent", "X-Goog-Api-Key", ""},
		{"Gemini, streamed", failover.GeminiAPI, "/v1beta", generate, true, "/v1beta/models/the%20model:streamGenerateContent?alt=sse", "X-Goog-Api-Key", ""},
		{"Gemini as OpenAI", failover.GeminiAPI, "/v1beta/openai", failover.ChatCompletions, true, "/v1beta/openai/chat/completions", "Authorization", "Bearer "},
		{"OpenAI", failover.OpenAI, "", failover.ChatCompletions, false, "/v1/chat/completions", "Authorization", "Bearer "},
		{"Anthropic", failover.Anthropic, "", failover.Messages, false, "/v1/messages", "X-Api-Key", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := p.Endpoint(failover.ProviderConfig{Type: c.typ, BaseURL: server.URL + c.path, Auth: failover.SecretRef{Env: "KEY"}})
			if err != nil {
				t.Fatal(err)
			}
			cred, err := e.Credential()
			if err != nil {
				t.Fatal(err)
			}
			resp, err := e.Send(t.Context(), failover.Call{
				Operation: c.op, Model: "the model", Stream: c.stream, Body: failover.NewReplay([]byte("{}")), Credentials: cred,
				Header: http.Header{"Authorization": {"Bearer sk-app"}, "X-Api-Key": {"sk-app"}, "Api-Key": {"sk-app"}, "X-Goog-Api-Key": {"sk-app"}},
			})
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if got.RequestURI != c.want {
				t.Errorf("the target is %s, want %s", got.RequestURI, c.want)
			}
			for _, name := range []string{"Authorization", "X-Api-Key", "Api-Key", "X-Goog-Api-Key"} {
				want := ""
				if name == c.header {
					want = c.prefix + "sk-own"
				}
				if v := got.Header.Get(name); v != want {
					t.Errorf("%s is %q, want %q", name, v, want)
				}
			}
		})
	}
}

func TestAddressesOfAzureThatCannotBe(t *testing.T) {
	p := New(Options{Getenv: func(string) string { return "k" }})
	for base, part := range map[string]string{
		"":                                  "is required",
		"https://x.openai.azure.com/openai": "api-version=",
		"https://x.openai.azure.com/v1":     "ends in nothing, /openai/v1",
		"https://x.openai.azure.com/?api-version=1":                                      "ends in /openai",
		"https://x.openai.azure.com/openai/deployments/d/chat/completions?api-version=1": "ends in /openai",
		"https://x.services.ai.azure.com/anthropic?api-version=1":                        "ends in /openai",
		"https://x.openai.azure.com/openai?key=1":                                        "holds a query",
		"https://x.openai.azure.com/openai?api-version=":                                 "holds a query",
	} {
		_, err := p.Endpoint(failover.ProviderConfig{Type: failover.AzureOpenAI, BaseURL: base, Auth: failover.SecretRef{Env: "KEY"}})
		if err == nil || !strings.Contains(err.Error(), "baseURL: ") || !strings.Contains(err.Error(), part) {
			t.Errorf("%q: %v, want %q", base, err, part)
		}
	}
}

func TestTheAppsOwnKeyGoesWhereItIsSentAndNowhereElse(t *testing.T) {
	var got http.Header
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header }))
	defer server.Close()
	p := New(Options{Getenv: func(string) string { return "" }})
	defer p.CloseIdle()
	for _, own := range []bool{true, false} {
		cfg := failover.ProviderConfig{Type: failover.OpenAICompatible, BaseURL: server.URL, Auth: failover.SecretRef{App: own}}
		e, err := p.Endpoint(cfg)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := e.Send(t.Context(), failover.Call{
			Operation: failover.ChatCompletions, Body: failover.NewReplay([]byte("{}")), Header: http.Header{"Authorization": {"Bearer sk-app"}, "Cookie": {"a=b"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if sent := got.Get("Authorization") == "Bearer sk-app"; sent != own || got.Get("Cookie") != "" {
			t.Errorf("own %v: the headers are %v", own, got)
		}
	}
}

func TestPublicServersAreKnownByTheirHost(t *testing.T) {
	p := New(Options{Getenv: func(string) string { return "k" }})
	for base, want := range map[string]failover.Quirks{
		"https://api.mistral.ai/v1": {
			MaxTokensField: "max_tokens", ToolIDs: failover.Mistral9, StreamUsage: failover.UsageAlways,
			Refused: []string{"user", "reasoning_effort", "service_tier"},
		},
		"https://API.GROQ.com/openai/v1":      {MaxTokensField: "max_completion_tokens"},
		"https://llm.example.com/v1":          {MaxTokensField: "max_tokens"},
		"https://api.mistral.ai.evil.example": {MaxTokensField: "max_tokens"},
	} {
		e, err := p.Endpoint(failover.ProviderConfig{Type: failover.OpenAICompatible, BaseURL: base, Auth: failover.SecretRef{Env: "KEY"}})
		if err != nil {
			t.Fatal(err)
		}
		if got := e.Quirks(); got.MaxTokensField != want.MaxTokensField || got.ToolIDs != want.ToolIDs || got.StreamUsage != want.StreamUsage || len(got.Refused) != len(want.Refused) || got.OpenAI {
			t.Errorf("%s: %+v", base, got)
		}
	}
}

// TestAKeyIsShownAsItsFormDemands tells keys from tokens, and sends nothing that
// is neither.
func TestAKeyIsShownAsItsFormDemands(t *testing.T) {
	var got http.Header
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header }))
	defer server.Close()
	for _, c := range []struct {
		typ          failover.ProviderType
		path         string
		op           failover.Operation
		key          string
		header, want string // empty: it is not sent at all
	}{
		{failover.Anthropic, "", failover.Messages, "sk-ant-api03-x", "X-Api-Key", "sk-ant-api03-x"},
		{failover.Anthropic, "", failover.Messages, "sk-ant-oat01-x", "Authorization", "Bearer sk-ant-oat01-x"},
		{failover.AzureOpenAI, "", failover.ChatCompletions, "0123abc", "Api-Key", "0123abc"},
		{failover.AzureOpenAI, "", failover.ChatCompletions, "eyJ0eXAi.eyJhdWQi.c2ln", "Authorization", "Bearer eyJ0eXAi.eyJhdWQi.c2ln"},
		{failover.AzureOpenAI, "/anthropic", failover.Messages, "eyJ0eXAi.eyJhdWQi.c2ln", "Authorization", "Bearer eyJ0eXAi.eyJhdWQi.c2ln"},
		{failover.GeminiAPI, "", failover.GenerateContent, "AIza-x", "X-Goog-Api-Key", "AIza-x"},
		{failover.GeminiAPI, "/v1/projects/p/locations/l", failover.GenerateContent, "ya29.x", "Authorization", "Bearer ya29.x"},
		{failover.GeminiAPI, "/v1/projects/p/locations/l", failover.GenerateContent, "AIza-x", "X-Goog-Api-Key", "AIza-x"},
		{failover.GeminiAPI, "", failover.GenerateContent, `{"type": "service_account"}`, "", ""},
		{failover.OpenAI, "", failover.ChatCompletions, `{"accessKeyId": "x"}`, "", ""},
		{failover.Anthropic, "", failover.Messages, `{"private_key": "x"}`, "", ""},
	} {
		got = nil
		p := New(Options{Getenv: func(string) string { return c.key }})
		e, err := p.Endpoint(failover.ProviderConfig{Type: c.typ, BaseURL: server.URL + c.path, Auth: failover.SecretRef{Env: "KEY"}})
		if err != nil {
			t.Fatal(err)
		}
		cred, err := e.Credential()
		if err != nil {
			t.Fatal(err)
		}
		resp, err := e.Send(t.Context(), failover.Call{Operation: c.op, Model: "m", Credentials: cred, Body: failover.NewReplay([]byte("{}"))})
		if err == nil {
			resp.Body.Close()
		}
		p.CloseIdle()
		if c.header == "" {
			if !errors.Is(err, failover.ErrNoCredential) || got != nil {
				t.Errorf("%s: a document was sent as a key: %v, %v", c.typ, got, err)
			}
			continue
		}
		for _, name := range []string{"Authorization", "X-Api-Key", "Api-Key", "X-Goog-Api-Key"} {
			want := ""
			if name == c.header {
				want = c.want
			}
			if v := got.Get(name); v != want {
				t.Errorf("%s %s: %s is %q, want %q", c.typ, c.path, name, v, want)
			}
		}
	}
}

// TestTheAppsOwnKeyIsThatOfItsDialect lets an app send every key there is.
func TestTheAppsOwnKeyIsThatOfItsDialect(t *testing.T) {
	var got http.Header
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header }))
	defer server.Close()
	p := New(Options{Getenv: func(string) string { return "" }})
	defer p.CloseIdle()
	for _, c := range []struct {
		typ  failover.ProviderType
		path string
		op   failover.Operation
		want string
	}{
		{failover.OpenAI, "", failover.Responses, "Api-Key Authorization Openai-Organization Openai-Project"},
		{failover.AzureOpenAI, "", failover.ChatCompletions, "Api-Key Authorization Openai-Organization Openai-Project"},
		{failover.Anthropic, "", failover.CountTokens, "Anthropic-Workspace-Id Authorization X-Api-Key"},
		{failover.AzureOpenAI, "/anthropic", failover.Messages, "Anthropic-Workspace-Id Authorization X-Api-Key"},
	} {
		e, err := p.Endpoint(failover.ProviderConfig{Type: c.typ, BaseURL: server.URL + c.path, Auth: failover.SecretRef{App: true}})
		if err != nil {
			t.Fatal(err)
		}
		if cred, err := e.Credential(); err != nil || cred.Reveal() != "" {
			t.Fatal(err)
		}
		resp, err := e.Send(t.Context(), failover.Call{Operation: c.op, Header: appHeaders(), Body: failover.NewReplay([]byte("{}"))})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		var seen []string
		for name, values := range got {
			if strings.Contains(values[0], "canary-of-the-app") {
				seen = append(seen, name)
			}
		}
		slices.Sort(seen)
		if got := strings.Join(seen, " "); got != c.want {
			t.Errorf("%s%s: %s were sent, want %s", c.typ, c.path, got, c.want)
		}
	}
	for _, typ := range []failover.ProviderType{failover.GeminiAPI, failover.Bedrock} {
		_, err := p.Endpoint(failover.ProviderConfig{Type: typ, BaseURL: server.URL, Auth: failover.SecretRef{App: true}})
		if err == nil || !strings.HasPrefix(err.Error(), "auth.passthrough: no app speaks") {
			t.Errorf("%s: %v", typ, err)
		}
	}
}

func TestADialectThatAnAddressDoesNotHaveIsRefused(t *testing.T) {
	p := New(Options{Getenv: func(string) string { return "k" }})
	for _, c := range []struct {
		typ  failover.ProviderType
		base string
		d    failover.Dialect
		ok   bool
	}{
		{failover.OpenAI, "", failover.Gemini, false},
		{failover.OpenAICompatible, "https://openrouter.ai/api/v1", failover.AnthropicMessages, true},
		{failover.GeminiAPI, "", failover.AnthropicMessages, false},
		{failover.GeminiAPI, "", failover.OpenAIChat, true},
		{failover.GeminiAPI, "https://aiplatform.googleapis.com/v1/projects/p/locations/global", failover.OpenAIResponses, false},
		{failover.GeminiAPI, "https://aiplatform.googleapis.com/v1/projects/p/locations/global", failover.OpenAIChat, true},
		{failover.GeminiAPI, "https://generativelanguage.googleapis.com/v1beta/openai", failover.Gemini, false},
		{failover.Anthropic, "", failover.BedrockConverse, false},
	} {
		_, err := p.Endpoint(failover.ProviderConfig{Type: c.typ, BaseURL: c.base, Dialects: []failover.Dialect{c.d}, Auth: failover.SecretRef{Env: "KEY"}})
		if (err == nil) != c.ok || err != nil && !strings.HasPrefix(err.Error(), "dialects: "+string(c.d)+" is not spoken at this address; ") {
			t.Errorf("%s %s %s: %v", c.typ, c.base, c.d, err)
		}
	}
}

func TestServersOfOnesOwnAreKnownByTheirName(t *testing.T) {
	for base, name := range map[string]string{
		"http://vllm.ml.svc:8000/v1": "vllm", "http://llama-vllm.ml.svc:8000/v1": "vllm", "http://vllm-70b.ml.svc/v1": "vllm",
		"http://localhost:11434/v1": "ollama", "http://ollama.ml.svc/v1": "ollama",
		"http://myvllm.ml.svc/v1": "", "http://localhost:8000/v1": "", "https://ollamas.example/v1": "",
	} {
		u, err := url.Parse(base)
		if err != nil {
			t.Fatal(err)
		}
		at := slices.IndexFunc(presets, func(p preset) bool { return p.of(u) })
		got := ""
		if at >= 0 {
			got = presets[at].names[0]
		}
		if got != name {
			t.Errorf("%s is %q, want %q", base, got, name)
		}
	}
}
