package provider

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/understudy-dev/understudy/internal/failover"
)

// kind is what the entries of one type have in common. A new type is a row in
// kinds.
type kind struct {
	baseURL string // default; empty: the entry must name it
	path    string // of a base URL that has none
	query   string // the one query parameter that a base URL may have; empty: none
	// home is a default that depends on where the sidecar runs. The error says
	// that this is not known. nil: there is none.
	home func(getenv func(string) string) (string, error)
	// surface finds what the provider offers at an address. The error names
	// the field and the fix.
	surface func(p *Provider, base *url.URL, cfg failover.ProviderConfig) (surface, error)
}

// surface is what a provider offers at one kind of address: which dialects,
// under which paths, and how a call shows who it is from.
type surface struct {
	dialects []failover.Dialect
	quirks   failover.Quirks
	// able are the dialects that an entry may be told to speak at the address;
	// nil: all that apps speak.
	able    []failover.Dialect
	keyless bool // an entry may do without a configured key

	// noQuery tells that the app's query means nothing below target's path.
	noQuery bool

	// target gives the path, percent-encoded, and the query of a call.
	target target
	// authorize adds the credential to a request, its body included. nil: none
	// is added.
	authorize authorizer
	// edit makes the body that is sent of the call's own, and may change the
	// headers accordingly. nil: the body is sent as it is.
	edit func(call failover.Call, h http.Header) (*failover.Replay, error)
	// receive changes an answer whose head has arrived, before anybody reads
	// it. nil: it stays as it is.
	receive func(resp *http.Response, call failover.Call)
}

// ofApps are the dialects that apps speak.
var ofApps = []failover.Dialect{failover.OpenAIChat, failover.OpenAIResponses, failover.OpenAIEmbeddings, failover.AnthropicMessages}

var kinds = map[failover.ProviderType]kind{
	failover.OpenAI:           {baseURL: "https://api.openai.com/v1", path: "/v1", surface: openAI},
	failover.Anthropic:        {baseURL: "https://api.anthropic.com", surface: anthropic},
	failover.Bedrock:          {home: bedrockHome, surface: bedrock},
	failover.OpenAICompatible: {path: "/v1", surface: openAICompatible},
	failover.AzureOpenAI:      {surface: azure, query: apiVersion},
	failover.GeminiAPI:        {baseURL: "https://generativelanguage.googleapis.com/v1beta", path: "/v1beta", surface: gemini},
}

func typeNames() []string {
	var names []string
	for name := range kinds {
		names = append(names, string(name))
	}
	slices.Sort(names)
	return names
}

func openAI(*Provider, *url.URL, failover.ProviderConfig) (surface, error) {
	return surface{
		dialects: []failover.Dialect{failover.OpenAIChat, failover.OpenAIResponses, failover.OpenAIEmbeddings},
		quirks:   failover.Quirks{MaxTokensField: "max_completion_tokens", OpenAI: true},
		target:   belowBase, authorize: bearer,
	}, nil
}

func anthropic(*Provider, *url.URL, failover.ProviderConfig) (surface, error) {
	return surface{
		dialects: []failover.Dialect{failover.AnthropicMessages},
		quirks:   failover.Quirks{MaxTokensField: "max_tokens"},
		target:   belowVersion, authorize: keyIn("X-Api-Key", isClaudeToken),
	}, nil
}

// belowBase is for base URLs that hold the version.
func belowBase(base *url.URL, call failover.Call) (path, query string) {
	return base.EscapedPath() + call.Operation.Path, ""
}

// belowVersion is for base URLs without the version; one that has it is taken
// as it is.
func belowVersion(base *url.URL, call failover.Call) (path, query string) {
	path = base.EscapedPath()
	if !strings.HasSuffix(path, "/v1") {
		path += "/v1"
	}
	return path + call.Operation.Path, ""
}
