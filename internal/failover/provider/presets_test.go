package provider

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect"
)

var update = flag.Bool("update", false, "rewrite the golden files of the presets")

// TestWhatServersAreSent carries one request that has everything to each server
// that is known, and to one that is not. The members that a server refuses are
// written by hand here; the golden bytes show the rest.
func TestWhatServersAreSent(t *testing.T) {
	request, err := os.ReadFile("testdata/presets/request.json")
	if err != nil {
		t.Fatal(err)
	}
	p := New(Options{Getenv: func(string) string { return "k" }})
	for name, c := range map[string]struct {
		base   string
		has    string
		hasNot string
	}{
		"unknown":    {"https://llm.example.com/v1", "max_tokens user parallel_tool_calls stream_options", "max_completion_tokens service_tier safety_identifier"},
		"mistral":    {"https://api.mistral.ai/v1", "max_tokens parallel_tool_calls", "max_completion_tokens user service_tier stream_options reasoning_effort"},
		"groq":       {"https://api.groq.com/openai/v1", "max_completion_tokens user stream_options", "max_tokens service_tier"},
		"deepseek":   {"https://api.deepseek.com/v1", "max_tokens stream_options", "user parallel_tool_calls reasoning_effort"},
		"openrouter": {"https://openrouter.ai/api/v1", "max_tokens user stream_options", "service_tier safety_identifier"},
		"xai":        {"https://api.x.ai/v1", "max_completion_tokens user stream_options", "max_tokens"},
		"together":   {"https://api.together.xyz/v1", "max_tokens stream_options", "user parallel_tool_calls"},
		"ollama":     {"http://localhost:11434/v1", "max_tokens stream_options", "user parallel_tool_calls"},
		"vllm":       {"http://vllm.ml.svc:8000/v1", "max_tokens parallel_tool_calls stream_options", "user"},
	} {
		e, err := p.Endpoint(failover.ProviderConfig{Type: failover.OpenAICompatible, BaseURL: c.base, Auth: failover.SecretRef{Env: "KEY"}})
		if err != nil {
			t.Fatal(err)
		}
		tr, err := dialect.New().Translate(failover.AnthropicMessages, failover.OpenAIChat, request, failover.TranslateOptions{Model: "m", Quirks: e.Quirks()})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var sent struct {
			Messages []struct {
				Role      string
				ToolCalls []struct{ ID string } `json:"tool_calls"`
			}
		}
		var members map[string]json.RawMessage
		if json.Unmarshal(tr.Body(), &sent) != nil || json.Unmarshal(tr.Body(), &members) != nil || sent.Messages[0].Role != "system" {
			t.Fatalf("%s: %s", name, tr.Body())
		}
		for _, m := range strings.Fields(c.has) {
			if members[m] == nil {
				t.Errorf("%s: %s is missing", name, m)
			}
		}
		for _, m := range strings.Fields(c.hasNot) {
			if members[m] != nil {
				t.Errorf("%s: %s is refused there", name, m)
			}
		}
		if id := sent.Messages[2].ToolCalls[0].ID; (len(id) == 9) != (name == "mistral") {
			t.Errorf("%s: a call has the id %s", name, id)
		}
		file := filepath.Join("testdata/presets", name+".json")
		if *update {
			if err := os.WriteFile(file, append(tr.Body(), '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		golden, err := os.ReadFile(file)
		if err != nil || string(golden) != string(tr.Body())+"\n" {
			t.Errorf("%s: %v\n got %s\nwant %s", name, err, tr.Body(), golden)
		}
	}
}
