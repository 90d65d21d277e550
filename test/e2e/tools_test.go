package e2e

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/anthropics/anthropic-sdk-go/v2"
	"github.com/openai/openai-go/v3"
)

const (
	toolPrompt = "say Grüße \U0001f600\ntool weather {\"city\":\"Zürich <&>\",\"id\":12345678901234567890}\ntool now\ncached 3"
	arguments  = `{"city":"Zürich <&>","id":12345678901234567890}`
)

// turn is what an app makes of an answer that calls tools, and of the one that
// follows when it sends the results, in the wrong order.
type turn struct {
	text, finish string
	calls        []string
	cached       int64 // tokens
	after        string
	err          error
}

func (got turn) check(t *testing.T, finish string) {
	t.Helper()
	if got.err != nil {
		t.Fatal(got.err)
	}
	want := []string{"weather " + arguments, "now {}"}
	if got.text != "Grüße \U0001f600" || !slices.Equal(got.calls, want) || got.finish != finish {
		t.Errorf("the app read %q, calls %q and the end %q; want %q and %q", got.text, got.calls, got.finish, want, finish)
	}
	if got.cached != 3 {
		t.Errorf("the app counts %d cached tokens, want 3", got.cached)
	}
	if want := "The tool answered: sunny\nnoon"; got.after != want {
		t.Errorf("the results were answered with %q, want %q", got.after, want)
	}
}

func TestToolCallsReachAppsOfTheOtherDialect(t *testing.T) {
	w := newWorld(t)
	w.start(w.chainOfThree("2s"))
	for name, stream := range map[string]bool{"unary": false, "stream": true} {
		t.Run("openai "+name, func(t *testing.T) {
			openAITurn(t.Context(), w.url, stream).check(t, "tool_calls")
		})
	}
	w.servers["anthropic"].Stop()
	for name, stream := range map[string]bool{"unary": false, "stream": true} {
		t.Run("anthropic "+name, func(t *testing.T) {
			anthropicTurn(t.Context(), w.url, stream).check(t, "tool_use")
		})
	}
	if n := asked(w.anthropic, "claude-haiku-4-5"); n != 4 {
		t.Errorf("the Anthropic provider answered %d calls of OpenAI apps, want 4", n)
	}
	if n := asked(w.openai, "gpt-4o-mini"); n != 4 {
		t.Errorf("the OpenAI provider answered %d calls of Anthropic apps, want 4", n)
	}
}

func openAITurn(ctx context.Context, url string, stream bool) (got turn) {
	params := openAIParams(toolPrompt)
	for _, name := range []string{"weather", "now"} {
		params.Tools = append(params.Tools, openai.ChatCompletionFunctionTool(openai.FunctionDefinitionParam{Name: name}))
	}
	answer, err := completeOpenAI(ctx, url, params, stream)
	if err != nil || len(answer.Choices) != 1 {
		return turn{err: errors.Join(errors.New("no choice"), err)}
	}
	message := answer.Choices[0].Message
	got = turn{text: message.Content, finish: answer.Choices[0].FinishReason, cached: answer.Usage.PromptTokensDetails.CachedTokens}
	params.Messages = append(params.Messages, message.ToParam())
	results := map[string]string{"weather": "sunny", "now": "noon"}
	for _, c := range slices.Backward(message.ToolCalls) {
		params.Messages = append(params.Messages, openai.ToolMessage(results[c.Function.Name], c.ID))
	}
	for _, c := range message.ToolCalls {
		got.calls = append(got.calls, c.Function.Name+" "+c.Function.Arguments)
	}
	if answer, err = completeOpenAI(ctx, url, params, stream); err != nil {
		return turn{err: err}
	}
	got.after = answer.Choices[0].Message.Content
	return got
}

func completeOpenAI(ctx context.Context, url string, params openai.ChatCompletionNewParams, stream bool) (*openai.ChatCompletion, error) {
	client := openAIClient(url, nil)
	if !stream {
		return client.Chat.Completions.New(ctx, params)
	}
	params.StreamOptions.IncludeUsage = openai.Bool(true)
	s := client.Chat.Completions.NewStreaming(ctx, params)
	defer s.Close()
	var acc openai.ChatCompletionAccumulator
	for s.Next() {
		if !acc.AddChunk(s.Current()) {
			return nil, errors.New("the accumulator refused " + s.Current().RawJSON())
		}
	}
	return &acc.ChatCompletion, s.Err()
}

func anthropicTurn(ctx context.Context, url string, stream bool) (got turn) {
	params := anthropicParams(toolPrompt)
	for _, name := range []string{"weather", "now"} {
		params.Tools = append(params.Tools, anthropic.ToolUnionParam{OfTool: &anthropic.ToolParam{Name: name}})
	}
	m, err := completeAnthropic(ctx, url, params, stream)
	if err != nil {
		return turn{err: err}
	}
	got = turn{text: textOf(m), finish: string(m.StopReason), cached: m.Usage.CacheReadInputTokens}
	results := map[string]string{"weather": "sunny", "now": "noon"}
	var blocks []anthropic.ContentBlockParamUnion
	for _, b := range m.Content {
		if b.Type != "tool_use" {
			continue
		}
		got.calls = append(got.calls, b.Name+" "+string(b.Input))
		blocks = append(blocks, anthropic.NewToolResultBlock(b.ID, results[b.Name], false))
	}
	params.Messages = append(params.Messages, m.ToParam(), anthropic.NewUserMessage(blocks...))
	if m, err = completeAnthropic(ctx, url, params, stream); err != nil {
		return turn{err: err}
	}
	got.after = textOf(m)
	return got
}

func completeAnthropic(ctx context.Context, url string, params anthropic.MessageNewParams, stream bool) (*anthropic.Message, error) {
	client := anthropicClient(url, nil)
	if !stream {
		return client.Messages.New(ctx, params)
	}
	s := client.Messages.NewStreaming(ctx, params)
	defer s.Close()
	var m anthropic.Message
	for s.Next() {
		if err := m.Accumulate(s.Current()); err != nil {
			return nil, err
		}
	}
	return &m, s.Err()
}
