package provider

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/understudy-dev/understudy/internal/failover"
)

// environment is the sidecar's own, in a region.
func environment(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i+1 < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func body(text string) *failover.Replay { return failover.NewReplay([]byte(text)) }

func TestWhereACallOfBedrockGoes(t *testing.T) {
	const runtime, mantle = "https://bedrock-runtime.us-east-1.amazonaws.com", "https://bedrock-mantle.us-east-1.api.aws"
	const arn = "arn:aws:bedrock:us-east-1:111122223333:inference-profile/us.anthropic.claude-haiku-4-5-20251001-v1:0"
	for _, c := range []struct {
		base string
		call failover.Call
		want string
	}{
		{runtime, failover.Call{Operation: failover.Converse, Model: "amazon.nova-pro-v1:0"}, runtime + "/model/amazon.nova-pro-v1%3A0/converse"},
		{runtime, failover.Call{Operation: failover.Converse, Model: arn, Stream: true}, runtime + "/model/" + url.QueryEscape(arn) + "/converse-stream"},
		{runtime, failover.Call{Operation: failover.Messages, Model: "a/../b c"}, runtime + "/model/a%2F..%2Fb%20c/invoke"},
		{runtime, failover.Call{Operation: failover.Messages, Model: "é", Stream: true}, runtime + "/model/%C3%A9/invoke-with-response-stream"},
		{runtime, failover.Call{Operation: failover.Messages, Body: body(`{"model":"anthropic.claude-x"}`)}, runtime + "/model/anthropic.claude-x/invoke"},
		{runtime, failover.Call{Operation: failover.CountTokens, Model: "m"}, runtime + "/model/m/count-tokens"},
		{runtime, failover.Call{Operation: failover.ChatCompletions, Model: "m"}, runtime + "/openai/v1/chat/completions"},
		{runtime, failover.Call{Operation: failover.Responses, Model: "m"}, runtime + "/openai/v1/responses"},
		{runtime + "/openai/v1", failover.Call{Operation: failover.Responses, Model: "m"}, runtime + "/openai/v1/responses"},
		{runtime + "/openai/v1", failover.Call{Operation: failover.Converse, Model: "m"}, runtime + "/model/m/converse"},
		{mantle, failover.Call{Operation: failover.ChatCompletions, Model: "m"}, mantle + "/v1/chat/completions"},
		{mantle + "/openai/v1", failover.Call{Operation: failover.Responses, Model: "m"}, mantle + "/openai/v1/responses"},
		{mantle, failover.Call{Operation: failover.Messages, Model: "m"}, mantle + "/anthropic/v1/messages"},
		{mantle + "/v1", failover.Call{Operation: failover.CountTokens, Model: "m"}, mantle + "/anthropic/v1/messages/count_tokens"},
		{"https://llm.example.com/bedrock", failover.Call{Operation: failover.Converse, Model: "m"}, "https://llm.example.com/bedrock/model/m/converse"},
	} {
		if c.call.Body == nil {
			c.call.Body = body("{}")
		}
		p := New(Options{Getenv: environment()})
		e, err := p.Endpoint(failover.ProviderConfig{Type: failover.Bedrock, BaseURL: c.base, Auth: failover.SecretRef{Env: "KEY"}})
		if err != nil {
			t.Fatal(err)
		}
		req, err := e.(*endpoint).request(t.Context(), c.call)
		if err != nil {
			t.Fatal(err)
		}
		if got := req.URL.String(); got != c.want {
			t.Errorf("%s of %q at %s goes to\n%s, want\n%s", c.call.Operation.Path, c.call.Model, c.base, got, c.want)
		}
	}
}

func TestWhatAHostOfBedrockTells(t *testing.T) {
	for host, want := range map[string]bedrockHost{
		"bedrock-runtime.us-east-1.amazonaws.com":                    {false, "bedrock", "us-east-1"},
		"bedrock-runtime-fips.us-gov-west-1.amazonaws.com":           {false, "bedrock", "us-gov-west-1"},
		"bedrock-runtime.cn-north-1.amazonaws.com.cn":                {false, "bedrock", "cn-north-1"},
		"vpce-0a1-x.bedrock-runtime.eu-central-1.vpce.amazonaws.com": {false, "bedrock", "eu-central-1"},
		"Bedrock-Mantle.eu-west-1.api.aws":                           {true, "bedrock-mantle", "eu-west-1"},
		"llm.example.com":                                            {false, "bedrock", "ap-south-1"},
		"bedrock-runtime":                                            {false, "bedrock", "ap-south-1"},
		"127.0.0.1:4566":                                             {false, "bedrock", "ap-south-1"},
	} {
		if got := bedrockHostOf(&url.URL{Host: host}, environment("AWS_DEFAULT_REGION", "ap-south-1")); got != want {
			t.Errorf("%s tells %+v, want %+v", host, got, want)
		}
	}
}

func TestBedrockIsFoundInItsRegion(t *testing.T) {
	p := New(Options{Getenv: environment("AWS_REGION", "eu-west-1")})
	e, err := p.Endpoint(failover.ProviderConfig{Type: failover.Bedrock, Auth: failover.SecretRef{Env: "KEY"}})
	if err != nil || e.Host() != "https://bedrock-runtime.eu-west-1.amazonaws.com:443" {
		t.Errorf("%v, %v", e, err)
	}
	for field, cfg := range map[string]failover.ProviderConfig{
		"baseURL":   {},
		"baseURL: ": {BaseURL: "http://llm.example.com"},
		"dialects":  {BaseURL: "https://bedrock-mantle.us-east-1.api.aws", Dialects: []failover.Dialect{failover.BedrockConverse}},
	} {
		cfg.Type = failover.Bedrock
		if _, err := New(Options{Getenv: environment()}).Endpoint(cfg); err == nil || !strings.HasPrefix(err.Error(), field) {
			t.Errorf("%+v: %v, want an error about %s", cfg, err, field)
		}
	}
}

func TestAMessagesBodyBecomesOneOfInvokeModel(t *testing.T) {
	for _, c := range []struct {
		op         failover.Operation
		body, want string
		header     http.Header
	}{
		{
			failover.Messages, `{"model": "x", "messages" : [ {"role":"user","content":"<b>\u0041"} ],"stream":true, "max_tokens":1e2}`,
			`{"messages":[ {"role":"user","content":"<b>\u0041"} ],"max_tokens":1e2,"anthropic_version":"bedrock-2023-05-31"}`, nil,
		},
		{
			failover.Messages, `{"max_tokens":9,"messages":[]}`,
			`{"max_tokens":9,"messages":[],"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["context-1m-2025-08-07","a"],"user_profile_id":"u"}`,
			http.Header{
				"Anthropic-Beta": {"context-1m-2025-08-07, claude-code-20250219,a", "a"}, "Anthropic-User-Profile-Id": {"u"}, "Anthropic-Version": {"2026-10-21"},
			},
		},
		{failover.Messages, `{}`, `{"anthropic_version":"bedrock-2023-05-31"}`, nil},
		{failover.Messages, `{"anthropic_version":"y","anthropic_beta":[]}`, `{"anthropic_version":"y","anthropic_beta":[]}`, http.Header{"Anthropic-Beta": {"a"}}},
		{
			// {"messages":[],"anthropic_version":"bedrock-2023-05-31","max_tokens":1}
			failover.CountTokens, `{"model":"x","messages":[]}`,
			`{"input":{"invokeModel":{"body":"eyJtZXNzYWdlcyI6W10sImFudGhyb3BpY192ZXJzaW9uIjoiYmVkcm9jay0yMDIzLTA1LTMxIiwibWF4X3Rva2VucyI6MX0="}}}`, nil,
		},
	} {
		h := c.header.Clone()
		if h == nil {
			h = http.Header{}
		}
		edited, err := runtimeEdit(failover.Call{Operation: c.op, Body: body(c.body)}, h)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(edited.Bytes()); got != c.want {
			t.Errorf("%s becomes\n%s, want\n%s", c.body, got, c.want)
		}
		if len(h) > 0 {
			t.Errorf("these headers are left: %v", h)
		}
	}
}

func TestASetOfKeysMayStandOverSeveralLines(t *testing.T) {
	p := New(Options{Getenv: environment("KEY", "{\n  \"accessKeyId\": \"a b\",\n  \"secretAccessKey\": \"s\"\n}\n")})
	c, err := p.secret(failover.SecretRef{Env: "KEY"}).credentials()
	if err != nil || c.Reveal() != `{"accessKeyId":"a b","secretAccessKey":"s"}` {
		t.Errorf("%q, %v", c.Reveal(), err)
	}
}
