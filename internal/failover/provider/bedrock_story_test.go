package provider_test

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/circuit"
	"github.com/understudy-dev/understudy/internal/failover/dialect"
	"github.com/understudy-dev/understudy/internal/failover/provider"
	"github.com/understudy-dev/understudy/internal/simulator"
)

const (
	apiKey  = "bedrock-api-key-1"
	awsKeys = `{"accessKeyId": "AKIDSIMULATED", "secretAccessKey": "a/secret+key", "sessionToken": "a/token="}`
	haiku   = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
	nova    = "arn:aws:bedrock:us-east-1:111122223333:inference-profile/us.amazon.nova-pro-v1:0"
)

// region is Bedrock and OpenAI on sockets, and a sidecar's core before them.
type region struct {
	bedrock, openai *simulator.Provider
	url             map[string]string
	engine          *failover.Engine
	store           *failover.Store
	seen            *seen
}

// seen remembers the classes of all attempts.
type seen struct {
	failover.Observers // does nothing with the rest
	mu                 sync.Mutex
	classes            []string
}

func (s *seen) Attempted(a failover.Attempt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.classes = append(s.classes, a.Provider+" "+string(a.Class))
}

func (s *seen) all() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.classes, ", ")
}

func newRegion(t *testing.T) *region {
	t.Helper()
	sim, err := simulator.New(simulator.Options{Providers: []simulator.ProviderConfig{
		{Name: "bedrock", Kind: simulator.Bedrock, Keys: []string{apiKey, "AKIDSIMULATED:a/secret+key:a/token=", "AKIDAMBIENT:secret"}},
		{Name: "openai", Kind: simulator.OpenAI},
	}})
	if err != nil {
		t.Fatal(err)
	}
	r := &region{bedrock: sim.Provider("bedrock"), openai: sim.Provider("openai"), url: map[string]string{}, seen: &seen{}}
	for _, p := range sim.Providers() {
		server, err := simulator.NewServer(p.Handler(), simulator.ServerOptions{})
		if err == nil {
			err = server.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(server.Stop)
		r.url[p.Name()] = server.URL()
	}
	t.Cleanup(sim.Close)
	env := map[string]string{"BEARER": apiKey, "KEYS": awsKeys, "WRONG": "other", "HALF": `{"accessKeyId":"A"}`, "AWS_REGION": "us-east-1", "OPENAI": "sk-1"}
	endpoints := provider.New(provider.Options{Getenv: func(name string) string { return env[name] }})
	t.Cleanup(endpoints.CloseIdle)
	dialects := dialect.New()
	r.store = failover.NewStore(failover.Deps{Circuits: circuit.NewRegistry(), Dialects: dialects, Endpoints: endpoints}, failover.Observers{})
	r.engine = failover.NewEngine(r.store, dialects, r.seen)
	return r
}

// use makes a chain of a Bedrock entry and, where it is wanted, OpenAI.
func (r *region) use(t *testing.T, p failover.ProviderConfig, backup bool) {
	t.Helper()
	p.Name, p.Type, p.BaseURL = "bedrock", failover.Bedrock, r.url["bedrock"]
	chain := failover.ChainConfig{Name: "c", Retry: failover.Retry{Attempts: new(0)}, Providers: []failover.ProviderConfig{p}}
	if backup {
		chain.Providers = append(chain.Providers, failover.ProviderConfig{
			Name: "openai", Type: failover.OpenAI, Model: "gpt-4o-mini", BaseURL: r.url["openai"] + "/v1", Auth: failover.SecretRef{Env: "OPENAI"},
		})
	}
	if err := r.store.Apply(failover.Config{Chains: []failover.ChainConfig{chain}}); err != nil {
		t.Fatal(err)
	}
}

// ask sends a request and reads its answer.
func (r *region) ask(t *testing.T, op failover.Operation, body string, header ...string) (*failover.Answer, string, error) {
	t.Helper()
	h := map[string][]string{}
	for i := 0; i+1 < len(header); i += 2 {
		h[header[i]] = []string{header[i+1]}
	}
	a := r.engine.Serve(t.Context(), &failover.Request{Operation: op, Body: failover.NewReplay([]byte(body)), Header: h, Query: "beta=true", Received: time.Now()})
	defer a.Close()
	var out strings.Builder
	for {
		b, err := a.Next()
		out.Write(b)
		if errors.Is(err, io.EOF) {
			return a, out.String(), nil
		}
		if err != nil {
			return a, out.String(), err
		}
	}
}

const (
	toolsOfChat = `"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]`
	chatTool    = `{"model":"m",` + toolsOfChat + `,"messages":[{"role":"user","content":"tool f {\"a\": 1}"}]`
	chatResult  = `{"model":"m",` + toolsOfChat + `,"messages":[{"role":"user","content":"x"},{"role":"assistant","content":null,"tool_calls":[{"id":"functions.f:0","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"functions.f:0","content":"21"}]`
	chatSay     = `{"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":"say one two three four five six"}]`
	messagesSay = `{"model":"m","max_tokens":50,"messages":[{"role":"user","content":"say one two three four five six"}]`
)

func TestEveryWayToShowWhoOneIsReachesBedrock(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDAMBIENT")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_SESSION_TOKEN", "")
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
	r := newRegion(t)
	for key, want := range map[string]string{"BEARER": "key-1", "KEYS": "key-2", "": "key-3"} {
		for _, model := range []string{haiku, nova} {
			r.use(t, failover.ProviderConfig{Model: model, Auth: failover.SecretRef{Env: key}}, false)
			for body, says := range map[string][2]string{
				chatSay + `}`:                  {`"content":"one two three four five six"`, `"finish_reason":"stop"`},
				chatSay + `,"stream":true}`:    {`"content":" two"`, "data: [DONE]\n\n"},
				chatTool + `}`:                 {`"arguments":"{\"a\":1}"`, `"finish_reason":"tool_calls"`},
				chatTool + `,"stream":true}`:   {`"name":"f"`, `"finish_reason":"tool_calls"`},
				chatResult + `}`:               {`"content":"The tool answered: 21"`, `"finish_reason":"stop"`},
				chatResult + `,"stream":true}`: {`"content":" 21"`, `"finish_reason":"stop"`},
			} {
				a, got, err := r.ask(t, failover.ChatCompletions, body)
				if err != nil || a.Status != 200 || !strings.Contains(got, says[0]) || !strings.Contains(got, says[1]) {
					t.Errorf("%q %s %s:\n%d %s %v", key, model, body, a.Status, got, err)
				}
			}
		}
		for _, q := range r.bedrock.Requests() {
			if q.Key != want || q.Status != 200 || !strings.HasPrefix(q.Model, "us.") && !strings.HasPrefix(q.Model, "arn:") {
				t.Errorf("%q: the request came as %s for %q, status %d", key, q.Key, q.Model, q.Status)
			}
			if strings.Contains(strings.Join(q.RawHeader()["Via"], ""), "AWS") {
				t.Error("the header Via changed")
			}
		}
		r.bedrock.Reset()
	}
}

func TestMessagesGoToInvokeModelAsTheyAre(t *testing.T) {
	r := newRegion(t)
	r.use(t, failover.ProviderConfig{Model: haiku, Auth: failover.SecretRef{Env: "KEYS"}, Dialects: []failover.Dialect{failover.AnthropicMessages}}, false)
	header := []string{"Anthropic-Version", "2023-06-01", "Anthropic-Beta", "context-1m-2025-08-07"}
	for body, says := range map[string][2]string{
		messagesSay + `}`:               {`"text":"one two three four five six"`, `"stop_reason":"end_turn"`},
		messagesSay + `,"stream":true}`: {`"text":" two"`, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"},
	} {
		a, got, err := r.ask(t, failover.Messages, body, header...)
		if err != nil || a.Status != 200 || !strings.Contains(got, says[0]) || !strings.Contains(got, says[1]) || a.Header.Get("X-Understudy-Degraded") != "" {
			t.Errorf("%s:\n%d %s %v", body, a.Status, got, err)
		}
	}
	sent := string(r.bedrock.Requests()[0].Body)
	if want := `{"max_tokens":50,"messages":[{"role":"user","content":"say one two three four five six"}],"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["context-1m-2025-08-07"]}`; sent != want {
		t.Errorf("sent %s, want %s", sent, want)
	}
	a, got, err := r.ask(t, failover.CountTokens, `{"model":"m","messages":[{"role":"user","content":"say one"}]}`, header...)
	if err != nil || a.Status != 200 || got != `{"input_tokens":3}` {
		t.Errorf("%d %s %v", a.Status, got, err)
	}
	// A Chat request is translated, and takes the same way.
	a, got, err = r.ask(t, failover.ChatCompletions, chatSay+`,"stream":true}`)
	if err != nil || a.Status != 200 || !strings.Contains(got, `"content":" two"`) || !strings.HasSuffix(got, "data: [DONE]\n\n") {
		t.Errorf("%d %s %v", a.Status, got, err)
	}
	a, got, err = r.ask(t, failover.Responses, `{"model":"m","input":"say one two","stream":true}`)
	if err != nil || a.Status != 200 || !strings.Contains(got, `"delta":" two"`) || !strings.Contains(got, "event: response.completed\n") {
		t.Errorf("%d %s %v", a.Status, got, err)
	}
	for _, q := range r.bedrock.Requests() {
		if q.Query != "" {
			t.Errorf("the query %q came along", q.Query)
		}
	}
	// The caller's own mistake comes back in the app's dialect.
	a, got, err = r.ask(t, failover.Messages, `{"model":"m","max_tokens":5,"messages":[{"role":"user","content":""}]}`, header...)
	var e struct {
		Type  string
		Error struct{ Type, Message string }
	}
	if json.Unmarshal([]byte(got), &e) != nil || err != nil || a.Status != 400 || e.Type != "error" || e.Error.Type != "invalid_request_error" ||
		!strings.Contains(e.Error.Message, "non-empty content") {
		t.Errorf("%d %s %v", a.Status, got, err)
	}
}

func TestBedrocksFaultsAreSeenAndPassedOver(t *testing.T) {
	named := func(name string) simulator.Fault {
		f, err := simulator.Lookup(simulator.Bedrock, name)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	const unary, stream, native = 1, 2, 4 // native: a stream of InvokeModel
	for _, c := range []struct {
		fault simulator.Fault
		ways  int
		class string
	}{
		{named("server-error"), unary | stream | native, "ServerError"},
		{named("unavailable"), unary | stream | native, "ServiceUnavailable"},
		{named("expired-token"), unary | stream, "Unauthorized"},
		{named("tokens-per-day"), unary | stream, "QuotaExceeded"},
		{named("rate-limit-no-hint"), unary | stream, "RateLimited"},
		{named("model-not-ready"), unary | stream, "ServiceUnavailable"},
		{named("on-demand"), unary | stream | native, "ModelNotFound"},
		{named("model-error"), unary | stream, "ServerError"},
		{named("html-200"), unary | stream, "UnexpectedContent"},
		{named("empty-answer"), unary, "EmptyAnswer"},
		{named("empty-answer"), stream, "Truncated"},
		{named("model-error-in-stream"), stream | native, "ServerError"},
		{named("error-event"), stream, "ServiceUnavailable"},
		{named("error-event"), native, "Overloaded"},
		{simulator.Fault{Effect: simulator.ErrorEvent, Status: 429}, stream | native, "RateLimited"},
		{named("cut-early"), stream | native, "Truncated"},
		{simulator.Fault{Effect: simulator.CutMidEvent}, stream | native, "ConnectionReset"},
		{simulator.Fault{Effect: simulator.BadChecksum}, stream | native, "UnexpectedContent"},
	} {
		for _, way := range []int{unary, stream, native} {
			if c.ways&way == 0 {
				continue
			}
			op, body := failover.ChatCompletions, chatSay+`}`
			p := failover.ProviderConfig{Model: haiku, Auth: failover.SecretRef{Env: "BEARER"}}
			switch way {
			case stream:
				body = chatSay + `,"stream":true}`
			case native:
				op, body = failover.Messages, messagesSay+`,"stream":true}`
				p.Dialects = []failover.Dialect{failover.AnthropicMessages}
			}
			r := newRegion(t) // so that no circuit is inherited
			r.bedrock.Fail(c.fault)
			r.use(t, p, true)
			a, got, err := r.ask(t, op, body)
			if err != nil || a.Status != 200 || a.Header.Get("X-Understudy-Provider") != "openai" || !strings.Contains(got, "two") {
				t.Errorf("%+v, way %d: %d %s %v", c.fault, way, a.Status, got, err)
			}
			if classes := r.seen.all(); !strings.HasPrefix(classes, "bedrock "+c.class) {
				t.Errorf("%+v, way %d: %s, want %s", c.fault, way, classes, c.class)
			}
		}
	}
}

func TestAnAnswerOfBedrockThatBreaksOffNeverLooksComplete(t *testing.T) {
	for _, native := range []bool{false, true} {
		for _, name := range []string{"throttled-in-stream", "error-event-late", "cut", "cut-mid-event", "bad-checksum"} {
			r := newRegion(t)
			if err := r.bedrock.FailNamed(name); err != nil {
				t.Fatal(err)
			}
			p := failover.ProviderConfig{Model: haiku, Auth: failover.SecretRef{Env: "BEARER"}}
			op, body, failed, done := failover.ChatCompletions, chatSay, `data: {"error":`, "[DONE]"
			if native {
				p.Dialects = []failover.Dialect{failover.AnthropicMessages}
				op, body, failed, done = failover.Messages, messagesSay, "event: error\n", "message_stop"
			}
			r.use(t, p, false)
			a, got, err := r.ask(t, op, body+`,"stream":true}`)
			if !errors.Is(err, failover.ErrAborted) || !strings.Contains(got, "two") || strings.Count(got, failed) != 1 || strings.Contains(got, done) {
				t.Errorf("%s, native %t: %d %v\n%s", name, native, a.Status, err, got)
			}
		}
	}
}

func TestAnAnswerWithoutItsCountsIsComplete(t *testing.T) {
	r := newRegion(t)
	if err := r.bedrock.FailNamed("no-terminal"); err != nil {
		t.Fatal(err)
	}
	r.use(t, failover.ProviderConfig{Model: haiku, Auth: failover.SecretRef{Env: "BEARER"}}, false)
	_, got, err := r.ask(t, failover.ChatCompletions, chatSay+`,"stream":true}`)
	if err != nil || !strings.HasSuffix(got, "data: [DONE]\n\n") || strings.Contains(got, `"usage":{`) {
		t.Errorf("%v %s", err, got)
	}
}

func TestWhoHasNoKeyForBedrockIsPassedOver(t *testing.T) {
	for key, class := range map[string]string{"WRONG": "Unauthorized", "HALF": "NoCredential"} {
		r := newRegion(t)
		r.use(t, failover.ProviderConfig{Model: haiku, Auth: failover.SecretRef{Env: key}}, true)
		a, got, err := r.ask(t, failover.ChatCompletions, chatSay+`}`)
		if err != nil || a.Status != 200 || a.Header.Get("X-Understudy-Provider") != "openai" || r.seen.all() != "bedrock "+class+", openai OK" {
			t.Errorf("%s: %d %s %v, %s", key, a.Status, got, err, r.seen.all())
		}
	}
}

func TestAMistakeIsToldInTheDialectOfTheApp(t *testing.T) {
	r := newRegion(t)
	r.use(t, failover.ProviderConfig{Model: haiku, Auth: failover.SecretRef{Env: "BEARER"}}, false)
	body := `{"model":"m",` + toolsOfChat + `,"messages":[{"role":"user","content":"x"},{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"user","content":"y"}]}`
	a, got, err := r.ask(t, failover.ChatCompletions, body)
	if want := "Expected toolResult blocks at messages.2.content for the following Ids: c1"; err != nil || a.Status != 400 || !strings.Contains(got, want) || !strings.HasPrefix(got, `{"error":{"message":`) {
		t.Errorf("%d %s %v", a.Status, got, err)
	}
}
