package dialect_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect"
	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
)

// geminiWriter writes neutral events as a Gemini model streams them, for the
// properties that hold in every dialect: data alone, lines that end in CR LF,
// calls whole and in order, and no terminal event.
type geminiWriter struct {
	calls []geminiCall // those from the first that is not complete
	sent  int          // calls that were written
	usage neutral.Usage
}

type geminiCall struct {
	name, arguments string
	complete        bool
}

// Encode implements neutral.StreamEncoder.
func (w *geminiWriter) Encode(dst []byte, ev neutral.Event) ([]byte, bool) {
	switch ev.Kind {
	case neutral.TextDelta, neutral.RefusalDelta:
		return w.fragment(dst, `{"text":`+quoted(ev.Text)+`}`, ""), true
	case neutral.CallStart:
		w.calls = append(w.calls, geminiCall{name: ev.Name})
	case neutral.CallDelta:
		w.calls[ev.Call-w.sent].arguments += ev.Text
	case neutral.CallEnd:
		w.calls[ev.Call-w.sent].complete = true
		return w.flush(dst), true
	case neutral.UsageKnown:
		w.usage = ev.Usage
	case neutral.Done:
		reason := map[neutral.Reason]string{neutral.Length: "MAX_TOKENS", neutral.Filtered: "SAFETY"}[ev.Finish.Reason]
		if reason == "" {
			reason = "STOP"
		}
		return w.fragment(dst, `{"text":"","thoughtSignature":"c2ln"}`, reason), true
	}
	return dst, false
}

func (w *geminiWriter) flush(dst []byte) []byte {
	for len(w.calls) > 0 && w.calls[0].complete {
		arguments := w.calls[0].arguments
		if arguments == "" {
			arguments = "{}"
		}
		dst = w.fragment(dst, `{"functionCall":{"name":`+quoted(w.calls[0].name)+`,"args":`+arguments+`}}`, "")
		w.calls, w.sent = w.calls[1:], w.sent+1
	}
	return dst
}

func (w *geminiWriter) fragment(dst []byte, part, reason string) []byte {
	usage := ""
	if reason != "" {
		u := w.usage
		usage = fmt.Sprintf(`,"usageMetadata":{"promptTokenCount":%d,"cachedContentTokenCount":%d,"candidatesTokenCount":%d,"thoughtsTokenCount":%d}`,
			u.Input, u.CacheRead, u.Output-u.Reasoning, u.Reasoning)
		reason = `,"finishReason":"` + reason + `"`
	}
	return fmt.Appendf(dst, "data: {\"candidates\":[{\"content\":{\"parts\":[%s],\"role\":\"model\"},\"index\":0%s}]%s,\"responseId\":\"1\",\"modelVersion\":\"m\"}\r\n\r\n", part, reason, usage)
}

func quoted(text string) string {
	b, _ := json.Marshal(text)
	return string(b)
}

var geminiName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_.-]{0,63}$`)

// forbiddenInGemini is forbidden for Gemini, whose models differ: those of the
// third generation want their calls signed, and the later ones of it their ids.
func forbiddenInGemini(model string, body []byte) string {
	v := failover.RawJSON(body)
	if p := unknown(v, "contents", "systemInstruction", "tools", "toolConfig", "generationConfig"); p != "" {
		return p
	}
	if system := v.Member("systemInstruction"); system != nil {
		for _, part := range elements(system.Member("parts")) {
			if part.Member("text").Text() == "" {
				return "empty instruction"
			}
		}
	}
	for _, problem := range []string{
		forbiddenGeminiTools(v), forbiddenConfig(v, strings.HasPrefix(model, "gemini-2")), forbiddenContents(model, elements(v.Member("contents"))),
	} {
		if problem != "" {
			return problem
		}
	}
	return ""
}

func forbiddenGeminiTools(v failover.RawJSON) string {
	tools := elements(v.Member("tools").Member("functionDeclarations"))
	for _, t := range elements(v.Member("tools")) {
		tools = append(tools, elements(t.Member("functionDeclarations"))...)
	}
	if v.Member("tools") == nil != (len(tools) == 0) || v.Member("toolConfig") != nil && len(tools) == 0 {
		return "tools, or a choice without them"
	}
	for _, t := range tools {
		if p := unknown(t, "name", "description", "parametersJsonSchema"); p != "" || !geminiName.MatchString(t.Member("name").Text()) {
			return "tool " + string(t) + p
		}
		if t.Member("parametersJsonSchema").Member("$schema") != nil {
			return "$schema"
		}
	}
	choice := v.Member("toolConfig").Member("functionCallingConfig")
	if choice.Member("allowedFunctionNames") != nil && choice.Member("mode").Text() != "ANY" {
		return "allowedFunctionNames without ANY"
	}
	return ""
}

func forbiddenConfig(v failover.RawJSON, second bool) string {
	c := v.Member("generationConfig")
	if c == nil {
		return ""
	}
	if p := unknown(c, "temperature", "topP", "topK", "presencePenalty", "frequencyPenalty", "seed", "maxOutputTokens",
		"stopSequences", "responseMimeType", "responseJsonSchema", "thinkingConfig"); p != "" {
		return p
	}
	stops := elements(c.Member("stopSequences"))
	thinking := c.Member("thinkingConfig")
	switch {
	case len(names(c)) == 0:
		return "empty generationConfig"
	case len(stops) > 5, slices.ContainsFunc(stops, failover.RawJSON.IsEmptyString):
		return "stopSequences"
	case c.Member("responseJsonSchema") != nil && c.Member("responseMimeType").Text() != "application/json":
		return "schema without a media type"
	case second && c.Member("responseMimeType") != nil && v.Member("tools") != nil:
		return "JSON with tools"
	case thinking != nil && len(names(thinking)) != 1, second && thinking.Member("thinkingLevel") != nil:
		return "thinking " + string(thinking)
	}
	return ""
}

// forbiddenContents checks roles, parts, and calls against their results.
func forbiddenContents(model string, contents []failover.RawJSON) string {
	if len(contents) == 0 {
		return "no contents"
	}
	checked := strings.HasPrefix(model, "gemini-3")
	withIDs := strings.HasPrefix(model, "gemini-3.5") || strings.HasPrefix(model, "gemini-3.8")
	current := 0
	for i, c := range contents {
		if i%2 == 0 && !slices.ContainsFunc(elements(c.Member("parts")), func(p failover.RawJSON) bool { return p.Member("functionResponse") != nil }) {
			current = i
		}
	}
	var called []string
	for i, c := range contents {
		if c.Member("role").Text() != []string{"user", "model"}[i%2] || len(elements(c.Member("parts"))) == 0 {
			return fmt.Sprintf("content %d: role or parts", i)
		}
		var calls, results []string
		for _, p := range elements(c.Member("parts")) {
			call, result := p.Member("functionCall"), p.Member("functionResponse")
			switch {
			case call != nil:
				if i%2 == 0 || !geminiName.MatchString(call.Member("name").Text()) || !call.Member("args").IsObject() || withIDs != (call.Member("id") != nil) {
					return "call " + string(p)
				}
				if signed := p.Member("thoughtSignature") != nil; checked && i > current && len(calls) == 0 && !signed || !checked && signed {
					return fmt.Sprintf("content %d: signature of %s", i, p)
				}
				calls = append(calls, call.Member("name").Text()+string(call.Member("id")))
			case result != nil:
				if !result.Member("response").IsObject() {
					return "result " + string(p)
				}
				results = append(results, result.Member("name").Text()+string(result.Member("id")))
			case p.Member("text") != nil:
				if p.Member("text").Text() == "" {
					return "empty text"
				}
			case p.Member("inlineData").Member("mimeType").Text() == "":
				return "part " + string(p)
			}
		}
		if !slices.Equal(results, called) {
			return fmt.Sprintf("content %d answers %q, called were %q", i, results, called)
		}
		called = calls
	}
	if len(called) > 0 {
		return "calls without results"
	}
	return ""
}

func TestNoBodyIsSentThatGeminiForbids(t *testing.T) {
	for _, model := range []string{"gemini-2.5-flash", "gemini-3-pro-preview", "gemini-3.5-flash"} {
		sent := 0
		for seed := range uint64(1000) {
			body := scribe{rand.New(rand.NewPCG(seed, 5))}.request()
			tr, err := dialect.New().Translate(failover.OpenAIChat, failover.Gemini, body, failover.TranslateOptions{Model: model})
			if err != nil {
				continue
			}
			sent++
			if problem := forbidden(failover.Gemini, model, tr.Body()); problem != "" {
				t.Fatalf("%s, seed %d: %s\nfrom %s\nto   %s", model, seed, problem, body, tr.Body())
			}
		}
		if sent < 100 {
			t.Errorf("%s: only %d of 1000 requests were eligible; the test proves too little", model, sent)
		}
	}
}

// A kept signature comes back in the request that follows, by way of an app
// that keeps unknown members.
func TestASignatureGoesThroughTheAppAndBack(t *testing.T) {
	const signature = "c2lnbmF0dXJl"
	d := direction{failover.OpenAIChat, failover.Gemini}
	answer, err := begin(t, d, false, false).Answer([]byte(`{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{}},"thoughtSignature":"` +
		signature + `"}]},"finishReason":"STOP"}],"responseId":"r"}`))
	if err != nil {
		t.Fatal(err)
	}
	message := at(answer, "choices.0.message")
	id := at(message, "tool_calls.0.id").Text()
	body := `{"messages":[{"role":"user","content":"x"},` + string(message) + `,{"role":"tool","tool_call_id":"` + id + `","content":"y"}]}`
	tr, err := dialect.New().Translate(d.app, d.entry, []byte(body), failover.TranslateOptions{Model: "gemini-3-pro"})
	if err != nil {
		t.Fatal(err)
	}
	if got := at(tr.Body(), "contents.1.parts.0.thoughtSignature").Text(); got != signature {
		t.Errorf("the signature %q comes back, want %q", got, signature)
	}
}
