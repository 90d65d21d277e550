package provider

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/understudy-dev/understudy/internal/failover"
)

// gemini finds what a base URL of Google's offers: Vertex AI, or the Gemini
// API. The latter speaks its own dialect, and under a path that ends in /openai
// the one that imitates OpenAI's.
func gemini(p *Provider, base *url.URL, cfg failover.ProviderConfig) (surface, error) {
	if isVertex(base) {
		return vertex(p, base, cfg)
	}
	if strings.HasSuffix(base.Path, "/openai") {
		return surface{
			dialects:  []failover.Dialect{failover.OpenAIChat, failover.OpenAIEmbeddings},
			quirks:    failover.Quirks{MaxTokensField: "max_tokens"},
			authorize: bearer, target: belowBase,
		}, nil
	}
	return surface{
		dialects:  []failover.Dialect{failover.Gemini},
		able:      []failover.Dialect{failover.Gemini, failover.OpenAIChat, failover.OpenAIEmbeddings},
		quirks:    failover.Quirks{MaxTokensField: "max_tokens", ModelInPath: true},
		authorize: geminiKey, target: geminiTarget,
	}, nil
}

// geminiTarget is where a call goes at an address of the native API, where the
// imitation of OpenAI's is found a level below.
func geminiTarget(base *url.URL, call failover.Call) (path, query string) {
	if call.Operation.Dialect == failover.Gemini {
		return generateContent(base.EscapedPath(), call)
	}
	return base.EscapedPath() + "/openai" + call.Operation.Path, ""
}

// geminiKey shows a key as the dialect of the call does.
func geminiKey(ctx context.Context, req *http.Request, call failover.Call) error {
	if call.Operation.Dialect == failover.Gemini {
		return keyIn("X-Goog-Api-Key", isGoogleToken)(ctx, req, call)
	}
	return bearer(ctx, req, call)
}

// generateContent names the model and the method in the path.
func generateContent(root string, call failover.Call) (path, query string) {
	path = root + "/models/" + url.PathEscape(strings.TrimPrefix(call.Model, "models/"))
	if call.Stream {
		return path + ":streamGenerateContent", "alt=sse"
	}
	return path + ":generateContent", ""
}

// asGoogle shows an access token: of the service account whose key is
// configured, or of the process's own identity where none is. A plain key is an
// API key, or a token that somebody else keeps fresh.
func (p *Provider) asGoogle(ctx context.Context, req *http.Request, call failover.Call) error {
	if key := call.Credentials.Reveal(); key != "" && !strings.HasPrefix(key, "{") {
		return keyIn("X-Goog-Api-Key", isGoogleToken)(ctx, req, call)
	}
	token, err := p.google(call.Credentials).get(ctx)
	if err != nil {
		return err
	}
	req.Header["Authorization"] = []string{"Bearer " + token}
	return nil
}
