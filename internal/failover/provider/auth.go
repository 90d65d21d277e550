package provider

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/understudy-dev/understudy/internal/failover"
)

// authorizer adds a credential to a request that is ready otherwise. It may
// wait for a token as long as ctx allows.
type authorizer func(ctx context.Context, req *http.Request, call failover.Call) error

// keyOf is the key that a call is sent with; empty: none is configured. What is
// no key at all, because it is a document of several, is not sent to anybody.
func keyOf(call failover.Call) (string, error) {
	key := call.Credentials.Reveal()
	if strings.HasPrefix(key, "{") {
		return "", fmt.Errorf("%w: it is a JSON document where this address takes a plain key", failover.ErrNoCredential)
	}
	return key, nil
}

// bearer sends the key as a bearer token.
func bearer(_ context.Context, req *http.Request, call failover.Call) error {
	key, err := keyOf(call)
	if key != "" {
		req.Header["Authorization"] = []string{"Bearer " + key}
	}
	return err
}

// keyIn sends the key in a header of its own; a key for which isToken holds is
// sent as a bearer token.
func keyIn(header string, isToken func(key string) bool) authorizer {
	return func(ctx context.Context, req *http.Request, call failover.Call) error {
		key, err := keyOf(call)
		switch {
		case key == "":
		case isToken(key):
			return bearer(ctx, req, call)
		default:
			req.Header[header] = []string{key}
		}
		return err
	}
}

// isJWT recognises the tokens of Microsoft Entra.
func isJWT(key string) bool { return strings.HasPrefix(key, "eyJ") && strings.Count(key, ".") == 2 }

// isClaudeToken recognises the OAuth tokens of Anthropic, which are no API keys.
func isClaudeToken(key string) bool { return strings.HasPrefix(key, "sk-ant-oat") }

// isGoogleToken recognises access tokens, which are no API keys.
func isGoogleToken(key string) bool { return strings.HasPrefix(key, "ya29.") }

// appsKeys are the headers in which the SDKs of a dialect send their key, and
// name the account that it belongs to.
func appsKeys(d failover.Dialect) []string {
	if d == failover.AnthropicMessages {
		return append([]string{"X-Api-Key", "Authorization"}, anthropicHeaders.identity...)
	}
	return append([]string{"Authorization", "Api-Key"}, openAIHeaders.identity...)
}

// appsOwn sends the key that the app sent, as it was sent.
func appsOwn(_ context.Context, req *http.Request, call failover.Call) error {
	take(req.Header, call.Header, appsKeys(call.Operation.Dialect))
	return nil
}
