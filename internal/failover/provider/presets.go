package provider

import (
	"net/url"
	"slices"
	"strings"

	"github.com/understudy-dev/understudy/internal/failover"
)

// preset is what is known of a public server that imitates OpenAI's: facts, so
// that an entry needs no more than its address.
type preset struct {
	hosts    []string
	dialects []failover.Dialect
	quirks   failover.Quirks
}

var (
	chatOnly      = []failover.Dialect{failover.OpenAIChat}
	chatAndVector = []failover.Dialect{failover.OpenAIChat, failover.OpenAIEmbeddings}
)

// presets are looked through in order. A server that is not listed is taken to
// know what OpenAI's first version knew.
var presets = []preset{
	{
		// Answers 422 to every member that it does not know, and counts tokens
		// on every stream.
		hosts: []string{"api.mistral.ai", "codestral.mistral.ai"}, dialects: chatAndVector,
		quirks: failover.Quirks{
			MaxTokensField: "max_tokens", ToolIDs: failover.Mistral9, StreamUsage: failover.UsageAlways,
			Refused: []string{"user", "reasoning_effort", "service_tier"},
		},
	},
	{
		hosts: []string{"api.groq.com"}, dialects: chatOnly,
		quirks: failover.Quirks{MaxTokensField: "max_completion_tokens"},
	},
	{hosts: []string{"api.deepseek.com"}, dialects: chatOnly, quirks: failover.Quirks{MaxTokensField: "max_tokens", Refused: []string{"user", "parallel_tool_calls", "reasoning_effort"}}},
	{hosts: []string{"openrouter.ai"}, dialects: chatAndVector, quirks: failover.Quirks{MaxTokensField: "max_tokens"}},
	{hosts: []string{"api.x.ai"}, dialects: chatAndVector, quirks: failover.Quirks{MaxTokensField: "max_completion_tokens"}},
	{hosts: []string{"api.together.xyz", "api.together.ai"}, dialects: chatAndVector, quirks: failover.Quirks{MaxTokensField: "max_tokens", Refused: []string{"user", "parallel_tool_calls"}}},
}

// openAICompatible finds the preset of a server, or takes the careful reading.
func openAICompatible(_ *Provider, base *url.URL, _ failover.ProviderConfig) (surface, error) {
	s := surface{
		dialects: chatAndVector, quirks: failover.Quirks{MaxTokensField: "max_tokens"},
		keyless: true, target: belowBase, authorize: bearer,
	}
	host := strings.ToLower(base.Hostname())
	for _, p := range presets {
		if slices.Contains(p.hosts, host) {
			s.dialects, s.quirks = p.dialects, p.quirks
			break
		}
	}
	return s, nil
}
