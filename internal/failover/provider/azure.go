package provider

import (
	"errors"
	"net/url"
	"strings"

	"github.com/understudy-dev/understudy/internal/failover"
)

// apiVersion is the query parameter of Azure's dated addresses.
const apiVersion = "api-version"

// deployments stands in front of the name of one, which is what Azure calls a
// model.
const deployments = "/deployments/"

// azure finds what a base URL of Azure OpenAI or Microsoft Foundry offers:
//
//	https://NAME.openai.azure.com                             the current API, as OpenAI's own
//	https://NAME.openai.azure.com/openai/v1                   the same, in full
//	https://NAME.openai.azure.com/openai?api-version=DATE     dated, the deployment is the model
//	https://NAME.openai.azure.com/openai/deployments/D?api-version=DATE
//	https://NAME.services.ai.azure.com/anthropic              Claude, as Anthropic's own
//
// What stands in front of these paths is kept, for gateways that publish them.
func azure(_ *Provider, base *url.URL, _ failover.ProviderConfig) (surface, error) {
	date := base.Query().Get(apiVersion)
	s := surface{
		dialects:  []failover.Dialect{failover.OpenAIChat, failover.OpenAIResponses, failover.OpenAIEmbeddings},
		quirks:    failover.Quirks{MaxTokensField: "max_completion_tokens", OpenAI: true},
		authorize: keyIn("Api-Key", isJWT), target: belowBase,
	}
	if date != "" {
		s.target = dated(belowBase, date)
	}
	switch path := base.Path; {
	case strings.HasSuffix(path, "/anthropic") && date == "":
		return surface{
			dialects: []failover.Dialect{failover.AnthropicMessages}, quirks: failover.Quirks{MaxTokensField: "max_tokens"},
			authorize: s.authorize, target: belowVersion,
		}, nil
	case path == "" && date == "":
		base.Path = "/openai/v1"
	case strings.HasSuffix(path, "/openai/v1"):
	case date == "":
		return s, errors.New("baseURL: for Azure it ends in nothing, /openai/v1 or /anthropic, or in /openai?api-version=2024-10-21, the date being the one that you use")
	case strings.HasSuffix(path, "/openai"):
		s.target = dated(perDeployment, date)
		s.quirks.ModelInPath = true
	case deploymentOf(path) != "":
		// A deployment is of one model, and has no Responses.
		s.dialects = []failover.Dialect{failover.OpenAIChat, failover.OpenAIEmbeddings}
	default:
		return s, errors.New("baseURL: for Azure an address with api-version ends in /openai or in /openai/deployments/NAME")
	}
	return s, nil
}

// deploymentOf is the deployment that a path ends in.
func deploymentOf(path string) string {
	_, name, _ := strings.Cut(path, "/openai"+deployments)
	if strings.Contains(name, "/") {
		return ""
	}
	return name
}

// target is where a call goes below a base URL.
type target func(base *url.URL, call failover.Call) (path, query string)

func dated(t target, date string) target {
	query := apiVersion + "=" + url.QueryEscape(date)
	return func(base *url.URL, call failover.Call) (string, string) {
		path, _ := t(base, call)
		return path, query
	}
}

// perDeployment puts the deployment, which is the model, into the path of those
// operations that a model answers. Responses, files and batches stand beside
// the deployments.
func perDeployment(base *url.URL, call failover.Call) (path, query string) {
	path = base.EscapedPath()
	op := call.Operation
	ofModel := op == failover.ChatCompletions || op == failover.Embeddings ||
		call.Model != "" && (strings.HasPrefix(op.Path, "/images/") || strings.HasPrefix(op.Path, "/audio/"))
	if ofModel {
		path += deployments + url.PathEscape(call.Model)
	}
	return path + op.Path, ""
}
