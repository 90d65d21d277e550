package provider

import (
	"net/url"
	"strings"

	"github.com/understudy-dev/understudy/internal/failover"
)

// gemini finds what a base URL of the Gemini API offers: the native API, or
// under a path that ends in /openai the one that imitates OpenAI's.
func gemini(_ *Provider, base *url.URL, _ failover.ProviderConfig) (surface, error) {
	if strings.HasSuffix(base.Path, "/openai") {
		return surface{
			dialects:  []failover.Dialect{failover.OpenAIChat, failover.OpenAIEmbeddings},
			quirks:    failover.Quirks{MaxTokensField: "max_tokens"},
			authorize: bearer, target: belowBase,
		}, nil
	}
	return surface{
		dialects:  []failover.Dialect{failover.Gemini},
		authorize: keyIn("X-Goog-Api-Key"), target: geminiTarget,
	}, nil
}

// geminiTarget names the model and the method in the path.
func geminiTarget(base *url.URL, call failover.Call) (path, query string) {
	path = base.EscapedPath() + "/models/" + url.PathEscape(strings.TrimPrefix(call.Model, "models/"))
	if call.Stream {
		return path + ":streamGenerateContent", "alt=sse"
	}
	return path + ":generateContent", ""
}
