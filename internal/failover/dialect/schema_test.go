package dialect_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
)

// forbidden tells why the provider of a dialect would refuse a body, by its
// published rules; "" where it would not.
func forbidden(d failover.Dialect, model string, body []byte) string {
	switch d {
	case failover.OpenAIChat:
		return forbiddenInChat(body)
	case failover.OpenAIResponses:
		return forbiddenInResponses(body)
	case failover.Gemini:
		return forbiddenInGemini(model, body)
	case failover.BedrockConverse:
		return forbiddenInConverse(body)
	}
	return forbiddenInMessages(body)
}

func elements(v failover.RawJSON) []failover.RawJSON {
	var all []failover.RawJSON
	_ = failover.EachElement(v, func(e failover.RawJSON) bool { all = append(all, e); return true })
	return all
}

func names(v failover.RawJSON) []string {
	var all []string
	_ = failover.EachMember(v, func(n []byte, _ failover.RawJSON) bool { all = append(all, string(n)); return true })
	return all
}

func unknown(v failover.RawJSON, known ...string) string {
	seen := map[string]bool{}
	for _, n := range names(v) {
		if !slices.Contains(known, n) {
			return "unknown member " + n
		}
		if seen[n] {
			return "member twice: " + n
		}
		seen[n] = true
	}
	return ""
}

func forbiddenInMessages(body []byte) string {
	v := failover.RawJSON(body)
	if p := unknown(v, "model", "max_tokens", "system", "messages", "tools", "tool_choice", "stop_sequences",
		"thinking", "output_config", "metadata", "service_tier", "stream"); p != "" {
		return p
	}
	limit, ok := v.Member("max_tokens").Int()
	if !ok || limit < 1 {
		return "max_tokens"
	}
	prefilled := strings.HasPrefix(v.Member("model").Text(), "claude-haiku-4")
	if p := forbiddenThinking(v, limit); p != "" {
		return p
	}
	hasTools := len(elements(v.Member("tools"))) > 0
	if !hasTools && (v.Member("tools") != nil || v.Member("tool_choice") != nil) {
		return "tool_choice without tools, or no tools"
	}
	for _, t := range elements(v.Member("tools")) {
		if t.Member("input_schema").Member("type").Text() != "object" || !neutral.IsWord(t.Member("name").Text()) {
			return "tool " + string(t)
		}
	}
	for _, b := range elements(v.Member("system")) {
		if strings.TrimSpace(b.Member("text").Text()) == "" {
			return "blank system text"
		}
	}
	turns := elements(v.Member("messages"))
	if len(turns) == 0 {
		return "no turn"
	}
	pending := map[string]bool{}
	for i, t := range turns {
		if want := []string{"user", "assistant"}[i%2]; t.Member("role").Text() != want {
			return fmt.Sprintf("turn %d is not the %s's", i, want)
		}
		if p := forbiddenBlocks(elements(t.Member("content")), pending, hasTools); p != "" {
			return fmt.Sprintf("turn %d: %s", i, p)
		}
	}
	if len(turns)%2 == 0 && !prefilled {
		return "the last turn is the assistant's"
	}
	return ""
}

// forbiddenThinking checks the settings of thinking against each other.
func forbiddenThinking(v failover.RawJSON, limit int64) string {
	thinking := v.Member("thinking")
	switch budget, _ := thinking.Member("budget_tokens").Int(); thinking.Member("type").Text() {
	case "enabled":
		if choice := v.Member("tool_choice").Member("type").Text(); budget < 1024 || budget >= limit || choice == "any" || choice == "tool" {
			return "thinking " + string(thinking)
		}
	case "", "disabled", "adaptive":
		if thinking.Member("budget_tokens") != nil {
			return "thinking " + string(thinking)
		}
	default:
		return "thinking " + string(thinking)
	}
	switch v.Member("output_config").Member("effort").Text() {
	case "", "low", "medium", "high", "xhigh", "max":
		return ""
	}
	return "effort"
}

// forbiddenBlocks checks one turn. used holds the ids of all calls so far.
func forbiddenBlocks(blocks []failover.RawJSON, used map[string]bool, hasTools bool) string {
	if len(blocks) == 0 {
		return "empty turn"
	}
	blank, resultsOver := true, false
	for _, b := range blocks {
		kind := b.Member("type").Text()
		switch kind {
		case "text":
			if b.Member("text").Text() == "" {
				return "empty text block"
			}
			blank = blank && strings.TrimSpace(b.Member("text").Text()) == ""
		case "tool_use":
			id := b.Member("id").Text()
			if !neutral.IsWord(id) || used[id] || !b.Member("input").IsObject() || !hasTools {
				return "tool_use " + string(b)
			}
			used[id] = true
		case "tool_result":
			if resultsOver || !neutral.IsWord(b.Member("tool_use_id").Text()) || !hasTools && used[b.Member("tool_use_id").Text()] {
				return "tool_result " + string(b)
			}
		case "image", "document":
			source := b.Member("source").Member("type").Text()
			if source != "base64" && source != "url" && source != "text" {
				return "source " + source
			}
		default:
			return "block " + kind
		}
		blank = blank && kind == "text"
		resultsOver = resultsOver || kind != "tool_result"
	}
	if blank {
		return "turn of white space"
	}
	return ""
}

func forbiddenInChat(body []byte) string {
	v := failover.RawJSON(body)
	if p := unknown(v, "model", "max_completion_tokens", "max_tokens", "messages", "tools", "tool_choice", "parallel_tool_calls",
		"stop", "verbosity", "response_format", "temperature", "top_p", "reasoning_effort", "user", "safety_identifier", "service_tier", "stream", "stream_options"); p != "" {
		return p
	}
	if v.Member("tools") == nil && (v.Member("tool_choice") != nil || v.Member("parallel_tool_calls") != nil) {
		return "tool_choice without tools"
	}
	if v.Member("tools") != nil && len(elements(v.Member("tools"))) == 0 || len(elements(v.Member("stop"))) > 4 {
		return "empty tools, or too many stops"
	}
	used := map[string]bool{}
	for i, m := range elements(v.Member("messages")) {
		role := m.Member("role").Text()
		content := m.Member("content")
		switch role {
		case "system", "user":
			if !content.IsString() && len(elements(content)) == 0 {
				return fmt.Sprintf("message %d has no content", i)
			}
		case "tool":
			if id := m.Member("tool_call_id").Text(); id == "" || len(id) > 40 || !content.IsString() {
				return fmt.Sprintf("message %d: tool", i)
			}
		case "assistant":
			calls := elements(m.Member("tool_calls"))
			if len(calls) == 0 && !content.Present() {
				return fmt.Sprintf("message %d has neither content nor calls", i)
			}
			for _, c := range calls {
				id := c.Member("id").Text()
				if id == "" || len(id) > 40 || used[id] || !c.Member("function").Member("arguments").IsString() {
					return fmt.Sprintf("message %d: call %s", i, c)
				}
				used[id] = true
			}
		default:
			return "role " + role
		}
	}
	return ""
}

// forbiddenInResponses says what OpenAI would refuse in a request.
func forbiddenInResponses(body []byte) string {
	v := failover.RawJSON(body)
	if p := unknown(v, "model", "input", "max_output_tokens", "tools", "tool_choice", "parallel_tool_calls", "temperature", "top_p",
		"reasoning", "text", "user", "safety_identifier", "service_tier", "store", "stream"); p != "" {
		return p
	}
	if v.Member("tools") == nil && (v.Member("tool_choice") != nil || v.Member("parallel_tool_calls") != nil) {
		return "tool_choice without tools"
	}
	if n, ok := v.Member("max_output_tokens").Int(); ok && n < 16 {
		return "max_output_tokens below 16"
	}
	called := map[string]bool{}
	for i, it := range elements(v.Member("input")) {
		id := it.Member("call_id").Text()
		switch it.Member("type").Text() {
		case "message":
			parts := map[string]string{
				"system": "input_text", "user": "input_text input_image input_file", "assistant": "output_text refusal",
			}[it.Member("role").Text()]
			content := elements(it.Member("content"))
			for _, p := range content {
				if !strings.Contains(parts, p.Member("type").Text()) {
					return fmt.Sprintf("item %d: part %s", i, p)
				}
			}
			if parts == "" || len(content) == 0 {
				return fmt.Sprintf("item %d: %s", i, it)
			}
		case "function_call":
			if id == "" || len(id) > 64 || called[id] || !it.Member("arguments").IsString() {
				return fmt.Sprintf("item %d: call %s", i, it)
			}
			called[id] = true
		case "function_call_output":
			if output := it.Member("output"); id == "" || len(id) > 64 || !output.IsString() && len(elements(output)) == 0 {
				return fmt.Sprintf("item %d: output %s", i, it)
			}
		default:
			return fmt.Sprintf("item %d: %s", i, it)
		}
	}
	return ""
}
