package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/anthropics/anthropic-sdk-go/v2"
	anthropicoption "github.com/anthropics/anthropic-sdk-go/v2/option"
	"github.com/openai/openai-go/v3"
	openaioption "github.com/openai/openai-go/v3/option"
)

// reply is what an app got.
type reply struct {
	text   string // of the answer, or the error's body
	finish string
	header http.Header
	err    error
}

// app is one way in which an unchanged official SDK calls its provider.
type app struct {
	name string
	ask  func(ctx context.Context, url, prompt string) reply
}

// apps are the four of them. Their retries are off, so that a test counts what
// the sidecar does.
func apps() []app {
	return []app{
		{"openai unary", askOpenAI},
		{"openai stream", streamOpenAI},
		{"anthropic unary", askAnthropic},
		{"anthropic stream", streamAnthropic},
	}
}

func openAIClient(url string, resp **http.Response) openai.Client {
	return openai.NewClient(openaioption.WithBaseURL(url+"/v1"), openaioption.WithAPIKey("the-app-has-none"),
		openaioption.WithMaxRetries(0), openaioption.WithRequestTimeout(60*time.Second), openaioption.WithResponseInto(resp))
}

func openAIParams(prompt string) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{Model: "gpt-4o", Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(prompt)}}
}

func askOpenAI(ctx context.Context, url, prompt string) reply {
	var resp *http.Response
	client := openAIClient(url, &resp)
	c, err := client.Chat.Completions.New(ctx, openAIParams(prompt))
	r := reply{err: err, header: headerOf(resp), text: errorBody(err)}
	if err == nil && len(c.Choices) > 0 {
		r.text, r.finish = c.Choices[0].Message.Content, string(c.Choices[0].FinishReason)
	}
	return r
}

func streamOpenAI(ctx context.Context, url, prompt string) reply {
	var resp *http.Response
	client := openAIClient(url, &resp)
	s := client.Chat.Completions.NewStreaming(ctx, openAIParams(prompt))
	defer s.Close()
	var acc openai.ChatCompletionAccumulator
	for s.Next() {
		if !acc.AddChunk(s.Current()) {
			return reply{err: fmt.Errorf("the accumulator refused %s", s.Current().RawJSON())}
		}
	}
	r := reply{err: s.Err(), header: headerOf(resp), text: errorBody(s.Err())}
	if r.err == nil && len(acc.Choices) > 0 {
		r.text, r.finish = acc.Choices[0].Message.Content, string(acc.Choices[0].FinishReason)
	}
	return r
}

func anthropicClient(url string, resp **http.Response) anthropic.Client {
	return anthropic.NewClient(anthropicoption.WithBaseURL(url), anthropicoption.WithAPIKey("the-app-has-none"),
		anthropicoption.WithMaxRetries(0), anthropicoption.WithRequestTimeout(60*time.Second), anthropicoption.WithResponseInto(resp))
}

func anthropicParams(prompt string) anthropic.MessageNewParams {
	return anthropic.MessageNewParams{
		Model: "claude-sonnet-4-5", MaxTokens: 512,
		Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(prompt))},
	}
}

func askAnthropic(ctx context.Context, url, prompt string) reply {
	var resp *http.Response
	client := anthropicClient(url, &resp)
	m, err := client.Messages.New(ctx, anthropicParams(prompt))
	r := reply{err: err, header: headerOf(resp), text: errorBody(err)}
	if err == nil {
		r.text, r.finish = textOf(m), string(m.StopReason)
	}
	return r
}

func streamAnthropic(ctx context.Context, url, prompt string) reply {
	var resp *http.Response
	client := anthropicClient(url, &resp)
	s := client.Messages.NewStreaming(ctx, anthropicParams(prompt))
	defer s.Close()
	var m anthropic.Message
	for s.Next() {
		if err := m.Accumulate(s.Current()); err != nil {
			return reply{err: err}
		}
	}
	r := reply{err: s.Err(), header: headerOf(resp), text: errorBody(s.Err())}
	if r.err == nil {
		r.text, r.finish = textOf(&m), string(m.StopReason)
	}
	return r
}

// errorBody is what the SDK kept of an error's body.
func errorBody(err error) string {
	if e, ok := errors.AsType[*openai.Error](err); ok {
		return e.RawJSON()
	}
	if e, ok := errors.AsType[*anthropic.Error](err); ok {
		return e.RawJSON()
	}
	return ""
}

func textOf(m *anthropic.Message) string {
	text := ""
	for _, b := range m.Content {
		text += b.Text
	}
	return text
}

func headerOf(resp *http.Response) http.Header {
	if resp == nil {
		return http.Header{}
	}
	return resp.Header
}

// provider asserts that an app got its whole answer, and from whom.
func (r reply) provider(t *testing.T, want, failover, text string) {
	t.Helper()
	if r.err != nil {
		t.Fatalf("the app got an error: %v", r.err)
	}
	if r.text != text {
		t.Errorf("the app read %q, want %q", r.text, text)
	}
	if r.finish != "stop" && r.finish != "end_turn" {
		t.Errorf("the answer ended with %q", r.finish)
	}
	if got := r.header.Get("X-Understudy-Provider"); got != want {
		t.Errorf("%q answered, want %q", got, want)
	}
	if got := r.header.Get("X-Understudy-Failover"); got != failover {
		t.Errorf("x-understudy-failover is %q, want %q", got, failover)
	}
}
