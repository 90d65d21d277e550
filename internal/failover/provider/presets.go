package provider

import (
	"net/url"
	"slices"
	"strings"

	"github.com/understudy-dev/understudy/internal/failover"
)

// preset is what is known of a server that imitates OpenAI's: facts, so that an
// entry needs no more than its address.
type preset struct {
	hosts    []string // of a public server
	names    []string // of one that people run themselves, a label of its host
	port     string   // that such a one listens on by default
	dialects []failover.Dialect
	quirks   failover.Quirks
}

var (
	chatOnly      = []failover.Dialect{failover.OpenAIChat}
	chatAndVector = []failover.Dialect{failover.OpenAIChat, failover.OpenAIEmbeddings}
)

// presets are looked through in order. A server that is not listed is taken to
// know what OpenAI's first version knew. All of them get instructions in the
// role "system", since many do not know "developer". What their answers do to
// the dialect (ids, indexes, token counts) the decoder copes with anyway.
var presets = []preset{
	{
		// Mistral answers 422 to every member that it does not know, and counts
		// tokens on every stream.
		hosts: []string{"api.mistral.ai", "codestral.mistral.ai"}, dialects: chatAndVector,
		quirks: failover.Quirks{
			MaxTokensField: "max_tokens", ToolIDs: failover.Mistral9, StreamUsage: failover.UsageAlways,
			Refused: []string{"user", "reasoning_effort", "service_tier"},
		},
	},
	{
		// Groq
		hosts: []string{"api.groq.com"}, dialects: chatOnly,
		quirks: failover.Quirks{MaxTokensField: "max_completion_tokens"},
	},
	{
		// DeepSeek
		hosts: []string{"api.deepseek.com"}, dialects: chatOnly,
		quirks: failover.Quirks{MaxTokensField: "max_tokens", Refused: []string{"user", "parallel_tool_calls", "reasoning_effort"}},
	},
	{
		// OpenRouter
		hosts: []string{"openrouter.ai"}, dialects: chatAndVector,
		quirks: failover.Quirks{MaxTokensField: "max_tokens"},
	},
	{
		// xAI
		hosts: []string{"api.x.ai"}, dialects: chatAndVector,
		quirks: failover.Quirks{MaxTokensField: "max_completion_tokens"},
	},
	{
		// Together
		hosts: []string{"api.together.xyz", "api.together.ai"}, dialects: chatAndVector,
		quirks: failover.Quirks{MaxTokensField: "max_tokens", Refused: []string{"user", "parallel_tool_calls"}},
	},
	{
		// Ollama's tool calls come whole and know no choice about them.
		names: []string{"ollama"}, port: "11434", dialects: chatAndVector,
		quirks: failover.Quirks{MaxTokensField: "max_tokens", Refused: []string{"user", "parallel_tool_calls"}},
	},
	{
		// vLLM takes what OpenAI's own takes, and ignores whose request it is.
		names: []string{"vllm"}, dialects: chatAndVector,
		quirks: failover.Quirks{MaxTokensField: "max_tokens", Refused: []string{"user"}},
	},
}

// of reports whether the preset is the one of a server.
func (p *preset) of(base *url.URL) bool {
	host := strings.ToLower(base.Hostname())
	if slices.Contains(p.hosts, host) || p.port != "" && p.port == base.Port() {
		return true
	}
	for label := range strings.SplitSeq(host, ".") {
		for _, name := range p.names {
			if label == name || strings.HasPrefix(label, name+"-") || strings.HasSuffix(label, "-"+name) {
				return true
			}
		}
	}
	return false
}

// openAICompatible finds the preset of a server, or takes the careful reading.
func openAICompatible(_ *Provider, base *url.URL, _ failover.ProviderConfig) (surface, error) {
	s := surface{
		dialects: chatAndVector, quirks: failover.Quirks{MaxTokensField: "max_tokens"},
		keyless: true, target: belowBase, authorize: bearer,
	}
	for i := range presets {
		if presets[i].of(base) {
			s.dialects, s.quirks = presets[i].dialects, presets[i].quirks
			break
		}
	}
	return s, nil
}
