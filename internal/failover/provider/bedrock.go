package provider

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/understudy-dev/understudy/internal/failover"
)

// Amazon Bedrock has two kinds of hosts. The runtime serves every model by its
// own Converse and InvokeModel, where the model stands in the path and a stream
// comes in frames, and some models by OpenAI's dialects below /openai. Mantle
// serves newer models by OpenAI's and Anthropic's dialects alone, as their
// inventors do.

// bedrock finds what Bedrock offers at an address.
func bedrock(p *Provider, base *url.URL, cfg failover.ProviderConfig) (surface, error) {
	host := bedrockHostOf(base, p.opts.Getenv)
	sign := &signer{service: host.service, region: host.region}
	if cfg.Auth.IsZero() {
		if base.Scheme == "http" && !private(base.Hostname()) {
			return surface{}, errors.New("baseURL: would send the sidecar's own AWS session in the clear; write https://")
		}
		chain, err := p.identity()
		if err != nil {
			return surface{}, fmt.Errorf("auth: the sidecar's own AWS configuration cannot be read: %w; correct it, or add auth.secretKeyRef", err)
		}
		sign.chain = chain
	}
	s := surface{
		dialects: []failover.Dialect{failover.BedrockConverse}, quirks: failover.Quirks{MaxTokensField: "max_completion_tokens"},
		keyless: true, noQuery: true, target: runtimeTarget, authorize: sign.authorize, edit: runtimeEdit, receive: runtimeReceive,
	}
	if host.mantle {
		s.dialects = []failover.Dialect{failover.OpenAIChat, failover.OpenAIResponses}
		s.noQuery, s.target, s.edit, s.receive = false, mantleTarget, nil, nameRequest
	}
	for _, d := range cfg.Dialects {
		if host.mantle && d == failover.BedrockConverse {
			return surface{}, errors.New("dialects: bedrock-mantle does not speak BedrockConverse; name a bedrock-runtime host in baseURL, or another dialect")
		}
	}
	return s, nil
}

// bedrockHome is the runtime of the region that the sidecar runs in.
func bedrockHome(getenv func(string) string) (string, error) {
	region := regionOf(getenv)
	if region == "" {
		return "", errors.New("baseURL: the region is not known; write https://bedrock-runtime.REGION.amazonaws.com, or give AWS_REGION to the sidecar")
	}
	return "https://bedrock-runtime." + region + ".amazonaws.com", nil
}

// regionOf is the region that the environment names.
func regionOf(getenv func(string) string) string {
	if region := getenv("AWS_REGION"); region != "" {
		return region
	}
	return getenv("AWS_DEFAULT_REGION")
}

// bedrockHost is what the name of a host tells.
type bedrockHost struct {
	mantle  bool
	service string // as signatures name it
	region  string // empty: not known
}

// bedrockHostOf reads names such as bedrock-runtime.us-east-1.amazonaws.com,
// bedrock-runtime-fips.us-east-1.amazonaws.com, bedrock-mantle.eu-west-1.api.aws
// and vpce-0a1-x.bedrock-runtime.us-east-1.vpce.amazonaws.com. The region of
// any other host is the one that the sidecar runs in.
func bedrockHostOf(base *url.URL, getenv func(string) string) bedrockHost {
	h := bedrockHost{service: "bedrock"}
	labels := strings.Split(strings.ToLower(base.Hostname()), ".")
	for i, label := range labels[:len(labels)-1] {
		service := strings.TrimSuffix(label, "-fips")
		if service != "bedrock-runtime" && service != "bedrock-mantle" {
			continue
		}
		h.region = labels[i+1]
		if h.mantle = service == "bedrock-mantle"; h.mantle {
			h.service = service
		}
		return h
	}
	h.region = regionOf(getenv)
	return h
}

// runtimeTarget is where a call goes at a runtime host.
func runtimeTarget(base *url.URL, call failover.Call) (path, query string) {
	path = strings.TrimSuffix(base.EscapedPath(), "/openai/v1")
	action := ""
	switch call.Operation {
	case failover.Converse:
		action = "/converse"
		if call.Stream {
			action = "/converse-stream"
		}
	case failover.Messages:
		action = "/invoke"
		if call.Stream {
			action = "/invoke-with-response-stream"
		}
	case failover.CountTokens:
		action = "/count-tokens"
	default:
		return path + "/openai/v1" + call.Operation.Path, ""
	}
	return path + "/model/" + segment(modelOf(call)) + action, ""
}

// modelOf is the model that a call asks for: the entry's, or the app's own.
func modelOf(call failover.Call) string {
	if call.Model != "" {
		return call.Model
	}
	return failover.RawJSON(call.Body.Bytes()).Member("model").Text()
}

// segment escapes a model's id as one segment of a path: ARNs hold slashes and
// colons.
func segment(id string) string {
	const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
	var b strings.Builder
	for i := range len(id) {
		if strings.IndexByte(plain, id[i]) >= 0 {
			b.WriteByte(id[i])
		} else {
			fmt.Fprintf(&b, "%%%02X", id[i])
		}
	}
	return b.String()
}

// mantleTarget is where a call goes at a mantle host. Some models are found
// below /openai/v1 there, which baseURL then says.
func mantleTarget(base *url.URL, call failover.Call) (path, query string) {
	path = base.EscapedPath()
	if call.Operation.Dialect == failover.AnthropicMessages {
		for _, end := range []string{"/openai/v1", "/v1", "/anthropic"} {
			path = strings.TrimSuffix(path, end)
		}
		return path + "/anthropic/v1" + call.Operation.Path, ""
	}
	if !strings.HasSuffix(path, "/v1") {
		path += "/v1"
	}
	return path + call.Operation.Path, ""
}

const frameType = "application/vnd.amazon.eventstream"

// runtimeEdit makes the body of InvokeModel of a Messages one, and asks for
// frames where they will come.
func runtimeEdit(call failover.Call, h http.Header) (*failover.Replay, error) {
	switch call.Operation {
	case failover.Converse:
		if call.Stream {
			h["Accept"] = []string{frameType}
		}
		return call.Body, nil
	case failover.Messages, failover.CountTokens:
		if call.Stream {
			h["Accept"] = []string{frameType}
		}
		return invokeBody(call, h)
	}
	return call.Body, nil
}

// runtimeReceive makes of frames the events that everybody else reads.
func runtimeReceive(resp *http.Response, call failover.Call) {
	nameRequest(resp, call)
	if resp.StatusCode != http.StatusOK {
		return
	}
	switch {
	case call.Operation == failover.CountTokens:
		resp.Body = &countBody{from: resp.Body}
	case strings.HasPrefix(strings.ToLower(resp.Header.Get("Content-Type")), frameType):
		resp.Body = newFrameBody(resp.Body, call.Operation == failover.Messages)
		resp.Header["Content-Type"] = streamType
	default:
		return
	}
	resp.ContentLength = -1
	delete(resp.Header, "Content-Length")
}

// nameRequest gives the request's id the name that everybody else uses.
func nameRequest(resp *http.Response, _ failover.Call) {
	if id := resp.Header["X-Amzn-Requestid"]; id != nil && resp.Header["X-Request-Id"] == nil {
		resp.Header["X-Request-Id"] = id
	}
}
