// Package simulator is a set of LLM providers on loopback that speak the wire formats of OpenAI (Chat Completions,
// Responses, Embeddings, Models), Anthropic (Messages, count_tokens, Models), Gemini (generateContent,
// streamGenerateContent, countTokens, models) and Amazon Bedrock (Converse, InvokeModel), and that fail on command.
//
// A request goes through one path: [Simulator.Handler] finds the provider, the provider records the request, picks the
// active [Fault] (if one matches), checks the request by the provider's published rules, builds the whole answer (one
// JSON body, or a list of server-sent events), and plays it to the client with the fault's effect. What is answered is
// decided by the request alone (see [Script]), so that equal requests get equal answers.
//
// The package uses the standard library only and shares no code with the sidecar: it is what the sidecar is tested
// against. Every wait ends when the client leaves, the server stops or the simulator is closed, and uses timers alone,
// so that the handlers run inside a testing/synctest bubble as well as on real sockets.
package simulator

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Kind is a provider's wire format.
type Kind string

// The kinds of provider that can be simulated.
const (
	OpenAI    Kind = "openai"
	Anthropic Kind = "anthropic"
	Gemini    Kind = "gemini"
)

// errClosed is the cause of a request's context when the simulator itself ends it, so that it is not taken for a
// client that left.
var errClosed = errors.New("simulator closed")

// ProviderConfig describes one simulated provider.
type ProviderConfig struct {
	// Name is the first path segment under which the provider is reachable (/NAME/v1/...), and its name in faults and
	// records. Required and unique.
	Name string
	// Kind is the wire format. Required.
	Kind Kind
	// Keys are the valid API keys, known in faults and records as key-1, key-2 and so on, in this order. Empty: any
	// non-empty key is valid and known as key-1.
	Keys []string
	// Models are the names that the provider knows; others get a 404. Empty: every name but those of the other
	// kind's family (an OpenAI provider knows no claude-..., an Anthropic one only claude-..., a Gemini one only
	// gemini-...).
	Models []string
	// ReasoningContent makes Chat answers show their thinking as reasoning_content, as many OpenAI-compatible servers
	// do and OpenAI itself does not.
	ReasoningContent bool
}

// Options configure a [Simulator]. The zero value is usable.
type Options struct {
	// Providers to simulate. Empty: one of each kind, named "openai", "anthropic", "gemini" and "bedrock", taking any key.
	Providers []ProviderConfig
	// TokenDelay is the pause before each content event of a stream; a unary answer takes as long as its stream
	// would. Default none.
	TokenDelay time.Duration
	// KeepAlive is the interval of the [KeepAlives] effect. Default 1 s.
	KeepAlive time.Duration
	// Keep is how many requests each provider remembers, the newest. Default 1000.
	Keep int
}

// Simulator is several simulated providers in one process. Its methods are safe for concurrent use.
type Simulator struct {
	opts      Options
	providers []*Provider
	ctx       context.Context // Ends with Close, never with a request.
	cancel    context.CancelCauseFunc
}

// New returns a simulator of the given providers. It fails on a missing or doubled name and on an unknown kind.
func New(opts Options) (*Simulator, error) {
	if len(opts.Providers) == 0 {
		opts.Providers = []ProviderConfig{{Name: "openai", Kind: OpenAI}, {Name: "anthropic", Kind: Anthropic}, {Name: "gemini", Kind: Gemini}, {Name: "bedrock", Kind: Bedrock}}
	}
	if opts.KeepAlive <= 0 {
		opts.KeepAlive = time.Second
	}
	if opts.Keep <= 0 {
		opts.Keep = 1000
	}
	s := &Simulator{opts: opts}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	for _, c := range opts.Providers {
		switch {
		case c.Name == "" || c.Name == "-" || c.Name == "v1" || c.Name == "v1beta" || strings.Contains(c.Name, "/"):
			return nil, fmt.Errorf("provider name %q: use one path segment other than %q, %q and %q", c.Name, "-", "v1", "v1beta")
		case !slices.Contains([]Kind{OpenAI, Anthropic, Gemini, Bedrock}, c.Kind):
			return nil, fmt.Errorf("provider %s: kind %q is unknown, use %q, %q, %q or %q", c.Name, c.Kind, OpenAI, Anthropic, Gemini, Bedrock)
		case s.Provider(c.Name) != nil:
			return nil, fmt.Errorf("provider %s is named twice, give each its own name", c.Name)
		}
		c.Keys, c.Models = slices.Clone(c.Keys), slices.Clone(c.Models)
		s.providers = append(s.providers, &Provider{config: c, sim: s, counts: map[countKey]int{}})
	}
	return s, nil
}

// Provider returns the provider of that name, or nil.
func (s *Simulator) Provider(name string) *Provider {
	for _, p := range s.providers {
		if p.config.Name == name {
			return p
		}
	}
	return nil
}

// Providers returns all providers in the order of the options.
func (s *Simulator) Providers() []*Provider { return slices.Clone(s.providers) }

// Close ends every request that is still being answered, by cutting its connection. Requests that come later are cut
// at once. It does not wait for the handlers; a [Server]'s Stop does.
func (s *Simulator) Close() { s.cancel(errClosed) }

// Handler serves all providers and the admin paths under /-/. /NAME/v1/... goes to the provider of that name. A plain
// /v1/... goes to the first provider of the kind that the request speaks: Anthropic for paths under /v1/messages and
// requests with an anthropic-version header, Gemini for paths under /v1beta/ and Vertex AI's under /v1/projects/,
// Bedrock for those under /model/, else OpenAI.
func (s *Simulator) Handler() http.Handler {
	return s.withAdmin(func(w http.ResponseWriter, r *http.Request) {
		p, path := s.route(r)
		if p == nil {
			http.NotFound(w, r)
			return
		}
		p.serve(w, r, path)
	})
}

// withAdmin puts the admin paths in front of next.
func (s *Simulator) withAdmin(next http.HandlerFunc) http.Handler {
	admin := s.admin()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/-/") {
			admin.ServeHTTP(w, r)
			return
		}
		next(w, r)
	})
}

// route returns the provider that a request is for and the path as that provider sees it.
func (s *Simulator) route(r *http.Request) (*Provider, string) {
	name, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if p := s.Provider(name); p != nil {
		return p, "/" + rest
	}
	kind := OpenAI
	if r.Header.Get("Anthropic-Version") != "" || strings.HasPrefix(r.URL.Path, "/v1/messages") {
		kind = Anthropic
	}
	if strings.HasPrefix(r.URL.Path, "/v1beta/") || strings.HasPrefix(r.URL.Path, vertexPrefix) {
		kind = Gemini
	}
	if strings.HasPrefix(r.URL.Path, "/model/") {
		kind = Bedrock
	}
	for _, p := range s.providers {
		if p.config.Kind == kind {
			return p, r.URL.Path
		}
	}
	// With providers of one kind only, the wrong kind of request gets that kind's own 404.
	return s.providers[0], r.URL.Path
}
