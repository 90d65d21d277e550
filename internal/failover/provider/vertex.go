package provider

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/understudy-dev/understudy/internal/failover"
)

// Vertex AI serves several publishers' models below one project and location:
// Google's by the methods of Gemini, Anthropic's by methods that take a
// Messages body, and many by an imitation of OpenAI's Chat.

const (
	publisherGoogle    = "/publishers/google"
	publisherAnthropic = "/publishers/anthropic"
	openAPI            = "/endpoints/openapi"
)

var vertexPath = regexp.MustCompile(`^/v[^/]+/projects/[^/]+/locations/[^/]+(/publishers/(google|anthropic)|/endpoints/openapi)?$`)

// isVertex recognises an address of Vertex AI by its path, which names a
// project and a location, or by its host.
func isVertex(base *url.URL) bool {
	return vertexPath.MatchString(base.Path) || strings.Contains(strings.ToLower(base.Hostname()), "aiplatform.")
}

// vertex finds what an address of Vertex AI offers.
func vertex(p *Provider, base *url.URL, cfg failover.ProviderConfig) (surface, error) {
	if !vertexPath.MatchString(base.Path) {
		return surface{}, errors.New("baseURL: an address of Vertex AI names project and location; write https://LOCATION-aiplatform.googleapis.com/v1/projects/PROJECT/locations/LOCATION")
	}
	// The identity of the sidecar is Google's to see, and nobody else's.
	host := strings.ToLower(base.Hostname())
	if cfg.Auth.IsZero() && (base.Scheme != "https" || !strings.HasSuffix(host, ".googleapis.com")) {
		return surface{}, errors.New("auth: the sidecar's own identity is sent to https://*.googleapis.com only; add auth.secretKeyRef with the JSON key of a service account")
	}
	s := surface{keyless: true, authorize: p.asGoogle, able: []failover.Dialect{failover.Gemini, failover.OpenAIChat}}
	root := strings.TrimSuffix(strings.TrimSuffix(base.EscapedPath(), publisherGoogle), openAPI)
	s.target = func(_ *url.URL, call failover.Call) (path, query string) {
		if call.Operation.Dialect == failover.Gemini {
			return generateContent(root+publisherGoogle, call)
		}
		return root + openAPI + call.Operation.Path, ""
	}
	switch {
	case strings.HasSuffix(base.Path, publisherAnthropic):
		s.dialects, s.able = []failover.Dialect{failover.AnthropicMessages}, nil
		s.quirks.ModelInPath = true
		s.target, s.edit = rawPredict, vertexBody
	case strings.HasSuffix(base.Path, openAPI):
		s.dialects = []failover.Dialect{failover.OpenAIChat}
		s.quirks.MaxTokensField = "max_tokens"
	default:
		s.dialects = []failover.Dialect{failover.Gemini}
		s.quirks.ModelInPath = true
	}
	return s, nil
}

// rawPredict is where a Messages call goes.
func rawPredict(base *url.URL, call failover.Call) (path, query string) {
	model, method := call.Model, ":rawPredict"
	switch {
	case call.Operation == failover.CountTokens:
		model = "count-tokens" // the model stays in the body
	case call.Stream:
		method = ":streamRawPredict"
	}
	return base.EscapedPath() + "/models/" + url.PathEscape(model) + method, ""
}

// vertexVersion is the version of Messages that Vertex AI wants in the body.
var vertexVersion = failover.Member{Name: "anthropic_version", Value: failover.RawJSON(`"vertex-2023-10-16"`)}

// vertexBody moves what stands in headers and in the body elsewhere.
func vertexBody(call failover.Call, h http.Header) (*failover.Replay, error) {
	delete(h, "Anthropic-Version")
	edit := failover.Knobs{Set: []failover.Member{vertexVersion}}
	if call.Operation != failover.CountTokens {
		edit.Drop = []string{"model"}
	}
	body := call.Body.Whole()
	if body == nil {
		return nil, fmt.Errorf("editing the body: %w", failover.ErrReleased)
	}
	return failover.NewReplay(edit.Apply(body)), nil
}
