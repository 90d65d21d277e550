package provider

import (
	"errors"
	"net/url"
	"strings"

	"github.com/understudy-dev/understudy/internal/failover"
)

// apiVersion is the query parameter of Azure's dated addresses.
const apiVersion = "api-version"

// azure finds what a base URL of Azure OpenAI or Microsoft Foundry offers:
//
//	https://NAME.openai.azure.com                             the current API, as OpenAI's own
//	https://NAME.openai.azure.com/openai/v1                   the same, in full
//	https://NAME.openai.azure.com/openai?api-version=DATE     dated, the deployment is the model
//	https://NAME.openai.azure.com/openai/deployments/D?api-version=DATE
//	https://NAME.services.ai.azure.com/anthropic              Claude, as Anthropic's own
func azure(_ *Provider, base *url.URL, _ failover.ProviderConfig) (surface, error) {
	date := base.Query().Get(apiVersion)
	s := surface{
		dialects:  []failover.Dialect{failover.OpenAIChat, failover.OpenAIResponses, failover.OpenAIEmbeddings},
		quirks:    failover.Quirks{MaxTokensField: "max_completion_tokens", OpenAI: true},
		authorize: keyIn("Api-Key"), target: belowBase,
	}
	switch {
	case strings.HasSuffix(base.Path, "/anthropic"):
		return surface{
			dialects:  []failover.Dialect{failover.AnthropicMessages},
			authorize: keyIn("X-Api-Key"), target: belowVersion,
		}, nil
	case date == "" && base.Path == "":
		base.Path = "/openai/v1"
	case date == "" && !strings.HasSuffix(base.Path, "/v1"):
		return s, errors.New("baseURL: this path needs a date; write ?api-version=2024-10-21 behind it, or end it in /openai/v1")
	case date != "" && !strings.Contains(base.Path, "/openai"):
		return s, errors.New("baseURL: an address with api-version ends in /openai or /openai/deployments/NAME")
	case date != "":
		s.target = datedTarget(date)
		if strings.Contains(base.Path, "/deployments/") {
			// A deployment is of one model, and has no Responses.
			s.dialects = []failover.Dialect{failover.OpenAIChat, failover.OpenAIEmbeddings}
		}
	}
	return s, nil
}

// datedTarget puts the deployment, which is the model, into the path of those
// operations that have one there.
func datedTarget(date string) func(base *url.URL, call failover.Call) (path, query string) {
	query := apiVersion + "=" + url.QueryEscape(date)
	return func(base *url.URL, call failover.Call) (string, string) {
		path := base.EscapedPath()
		perDeployment := call.Operation == failover.ChatCompletions || call.Operation == failover.Embeddings
		if perDeployment && !strings.Contains(path, "/deployments/") {
			path += "/deployments/" + url.PathEscape(call.Model)
		}
		return path + call.Operation.Path, query
	}
}
