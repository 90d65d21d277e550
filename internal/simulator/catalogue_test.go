package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestTheCatalogueAnswersInTheDialectOfTheProvider(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range Catalogue() {
		if seen[s.Name] || s.Description == "" || len(s.Kinds) == 0 {
			t.Errorf("%+v: doubled or incomplete", s)
		}
		seen[s.Name] = true
		for _, kind := range s.Kinds {
			if kind == Bedrock {
				continue // See TestTheCatalogueOfBedrock.
			}
			f, err := Lookup(kind, s.Name)
			if err != nil {
				t.Fatal(err)
			}
			if f.Effect != Respond || f.NoBody || f.Header["Content-Type"] != "" || f.Body != "" {
				continue
			}
			sim := newSimulator(t, Options{})
			sim.Provider(string(kind)).Fail(f)
			path, body, idHeader := "/v1/chat/completions", chatHello, "X-Request-Id"
			switch kind {
			case Anthropic:
				path, body, idHeader = "/v1/messages", messageHello, "Request-Id"
			case Gemini:
				path, body, idHeader = geminiPath, geminiHello, ""
			}
			res, got := ask(t, sim.Handler(), request("POST", path, body))
			var e struct {
				Type  string `json:"type"`
				Error struct{ Type, Status, Message string }
			}
			if err := json.Unmarshal([]byte(got), &e); err != nil || res.StatusCode != f.Status || e.Error.Message == "" ||
				e.Error.Type == "" != (kind == Gemini) || e.Error.Status == "" != (kind != Gemini) || (e.Type == "error") != (kind == Anthropic) || strings.Contains(got, "{{") {
				t.Errorf("%s at %s: %d %s", s.Name, kind, res.StatusCode, got)
			}
			if idHeader != "" && res.Header.Get(idHeader) == "" {
				t.Errorf("%s at %s: no %s", s.Name, kind, idHeader)
			}
		}
	}
	var list bytes.Buffer
	if err := Run(t.Context(), []string{"--list"}, &list); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(list.String(), "\n"); n != len(seen)+1 {
		t.Errorf("the list has %d lines for %d faults", n, len(seen))
	}
	if _, err := Lookup(OpenAI, "credit-balance"); err == nil {
		t.Error("an Anthropic fault was found for OpenAI")
	}
}

func TestFaultsAreSetAndHealedOverHTTP(t *testing.T) {
	sim := newSimulator(t, Options{})
	h := sim.Handler()
	tests := []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"POST", "/-/faults", `{"provider":"openai","fault":"rate-limit","headers":{"retry-after":"7"},"model":"gpt-4o","times":1}`, 200, `"fault":"rate-limit","model":"gpt-4o"`},
		{"POST", "/v1/chat/completions", chatHello, 429, "rate_limit_exceeded"},
		{"POST", "/v1/chat/completions", chatHello, 200, "stop"},
		{"POST", "/-/faults", `{"provider":"openai","fault":"respond","status":418,"body":"teapot"}`, 200, "respond"},
		{"POST", "/v1/chat/completions", chatHello, 418, "teapot"},
		{"DELETE", "/-/faults?provider=openai", "", 200, `"active":[]`},
		{"POST", "/v1/chat/completions", chatHello, 200, "stop"},
		{"POST", "/-/faults", `{"provider":"nobody","fault":"hang"}`, 404, "nobody"},
		{"POST", "/-/faults", `{"provider":"openai","fault":"nothing"}`, 400, "not in the catalogue"},
		{"POST", "/-/faults", `{"provider":"openai","fault":"hang","delay":"soon"}`, 400, "delay"},
		{"POST", "/-/faults", `{"provider":"openai","fault":"hang","typo":1}`, 400, "typo"},
		{"GET", "/-/faults", "", 200, `"name":"credit-balance"`},
		{"GET", "/-/requests", "", 200, `{"provider":"openai","model":"gpt-4o","status":200,"cancelled":false,"count":2}`},
	}
	for i, tt := range tests {
		t.Run(fmt.Sprint(i, " ", tt.method, " ", tt.path), func(t *testing.T) {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, request(tt.method, tt.path, tt.body))
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) {
				t.Errorf("got %d %s, want %d with %s", w.Code, w.Body, tt.status, tt.want)
			}
			if tt.status == 429 && w.Header().Get("Retry-After") != "7" {
				t.Errorf("Retry-After %q, want 7", w.Header().Get("Retry-After"))
			}
		})
	}
}

func TestRecordsShowWhichKeyWasUsedAndNotTheKey(t *testing.T) {
	const canary = "sk-canary-0123456789"
	sim := newSimulator(t, Options{Providers: []ProviderConfig{{Name: "p", Kind: OpenAI, Keys: []string{"other", canary}}}})
	r := request("POST", "/v1/chat/completions", chatHello)
	r.Header.Set("Authorization", "Bearer "+canary)
	ask(t, sim.Handler(), r)
	got := sim.Provider("p").Requests()[0]
	if got.Key != "key-2" || got.Status != 200 || got.Model != "gpt-4o" || string(got.Body) != chatHello {
		t.Errorf("record %+v", got)
	}
	if printed := fmt.Sprintf("%v %+v %#v", got, got, got); strings.Contains(printed, canary) {
		t.Errorf("the key is printed: %s", printed)
	}
	if raw := got.RawHeader().Get("Authorization"); raw != "Bearer "+canary {
		t.Errorf("raw header %q", raw)
	}
}
