package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/responses"

	"github.com/understudy-dev/understudy/internal/simulator"
)

// anthropicAlone is a chain without any entry that speaks Responses.
func (w *world) anthropicAlone() string {
	return fmt.Sprintf(`apiVersion: understudy.dev/v1alpha1
kind: ProviderChain
metadata: {name: support-bot}
spec:
  providers:
  - name: anthropic
    type: Anthropic
    model: claude-haiku-4-5
    baseURL: %s
    auth: {secretKeyRef: {name: llm-keys, key: anthropic}}
`, w.servers["anthropic"].URL())
}

func textInput(text string) responses.ResponseNewParamsInputUnion {
	return responses.ResponseNewParamsInputUnion{OfString: openai.String(text)}
}

// respond asks in the Responses dialect. A streamed answer is what the events
// add up to, which must be what the last of them holds.
func respond(ctx context.Context, url string, params responses.ResponseNewParams, stream bool) (*responses.Response, error) {
	client := openAIClient(url, new(*http.Response))
	params.Model = "gpt-4o"
	if !stream {
		return client.Responses.New(ctx, params)
	}
	s := client.Responses.NewStreaming(ctx, params)
	defer s.Close()
	sum := responseSum{text: map[string]string{}}
	for s.Next() {
		if err := sum.add(s.Current()); err != nil {
			return nil, fmt.Errorf("%w: %s", err, s.Current().RawJSON())
		}
	}
	if s.Err() != nil {
		return nil, s.Err()
	}
	return sum.whole()
}

// responseSum adds up the events of a stream.
type responseSum struct {
	next  int64
	id    string
	items []responses.ResponseOutputItemUnion
	text  map[string]string // of messages and arguments of calls, by item
	last  *responses.Response
}

func (s *responseSum) add(ev responses.ResponseStreamEventUnion) error {
	if ev.SequenceNumber != s.next {
		return errors.New("the number is not the next one")
	}
	s.next++
	switch e := ev.AsAny().(type) {
	case responses.ResponseCreatedEvent:
		s.id = e.Response.ID
	case responses.ResponseInProgressEvent, responses.ResponseContentPartAddedEvent, responses.ResponseContentPartDoneEvent:
	case responses.ResponseOutputItemAddedEvent:
		if e.OutputIndex != int64(len(s.items)) || e.Item.ID == "" {
			return errors.New("the item is out of order")
		}
		s.items = append(s.items, e.Item)
	case responses.ResponseTextDeltaEvent:
		s.text[e.ItemID] += e.Delta
	case responses.ResponseFunctionCallArgumentsDeltaEvent:
		s.text[e.ItemID] += e.Delta
	case responses.ResponseTextDoneEvent:
		return s.same(e.ItemID, e.Text)
	case responses.ResponseFunctionCallArgumentsDoneEvent:
		return s.same(e.ItemID, e.Arguments)
	case responses.ResponseOutputItemDoneEvent:
		if e.Item.ID != s.items[len(s.items)-1].ID || e.Item.CallID != s.items[len(s.items)-1].CallID {
			return errors.New("another item is done")
		}
	case responses.ResponseCompletedEvent:
		s.last = &e.Response
	case responses.ResponseIncompleteEvent:
		s.last = &e.Response
	case responses.ResponseFailedEvent:
		return errors.New(e.Response.Error.Message)
	default:
		return fmt.Errorf("unexpected %s", ev.Type)
	}
	return nil
}

func (s *responseSum) same(item, whole string) error {
	if s.text[item] != whole {
		return fmt.Errorf("the deltas make %q", s.text[item])
	}
	return nil
}

func (s *responseSum) whole() (*responses.Response, error) {
	if s.last == nil || s.last.ID != s.id || len(s.last.Output) != len(s.items) {
		return nil, fmt.Errorf("the stream of %s with %d items ends with %+v", s.id, len(s.items), s.last)
	}
	for i, it := range s.last.Output {
		if it.ID != s.items[i].ID {
			return nil, fmt.Errorf("item %d is called %s and %s", i, s.items[i].ID, it.ID)
		}
	}
	return s.last, nil
}

func responsesTurn(ctx context.Context, url string, stream bool) (got turn) {
	params := responses.ResponseNewParams{Input: textInput(toolPrompt)}
	for _, name := range []string{"weather", "now"} {
		params.Tools = append(params.Tools, responses.ToolParamOfFunction(name, map[string]any{"type": "object"}, false))
	}
	answer, err := respond(ctx, url, params, stream)
	if err != nil {
		return turn{err: err}
	}
	got = turn{text: answer.OutputText(), finish: string(answer.Status), cached: answer.Usage.InputTokensDetails.CachedTokens}
	items := responses.ResponseInputParam{responses.ResponseInputItemParamOfMessage(toolPrompt, responses.EasyInputMessageRoleUser)}
	var results responses.ResponseInputParam
	for _, it := range answer.Output {
		// What an app sends back is the item as it came.
		items = append(items, param.Override[responses.ResponseInputItemUnionParam](rawJSON(it.RawJSON())))
		if it.Type != "function_call" {
			continue
		}
		got.calls = append(got.calls, it.Name+" "+it.Arguments.OfString)
		result := map[string]string{"weather": "sunny", "now": "noon"}[it.Name]
		output := responses.ResponseInputItemParamOfFunctionCallOutput(result)
		output.OfFunctionCallOutput.CallID = openai.String(it.CallID)
		results = append(results, output)
	}
	slices.Reverse(results)
	params.Input = responses.ResponseNewParamsInputUnion{OfInputItemList: append(items, results...)}
	if answer, err = respond(ctx, url, params, stream); err != nil {
		return turn{err: err}
	}
	got.after = answer.OutputText()
	return got
}

// rawJSON is a value that is JSON already.
type rawJSON string

// MarshalJSON implements json.Marshaler.
func (r rawJSON) MarshalJSON() ([]byte, error) { return []byte(r), nil }

func TestResponsesAppsAreAnsweredByAnotherDialect(t *testing.T) {
	w := newWorld(t)
	w.start(w.anthropicAlone())
	for name, stream := range map[string]bool{"unary": false, "stream": true} {
		t.Run("text "+name, func(t *testing.T) {
			r, err := respond(t.Context(), w.url, responses.ResponseNewParams{
				Input: textInput("say Grüße"), Instructions: openai.String("Be kind."), Metadata: map[string]string{"k": "v"},
			}, stream)
			if err != nil {
				t.Fatal(err)
			}
			if r.OutputText() != "Grüße" || r.Status != "completed" || !strings.HasPrefix(r.ID, "resp_us_") || r.Usage.TotalTokens == 0 {
				t.Errorf("the app reads %s", r.RawJSON())
			}
			if r.Metadata["k"] != "v" || r.Instructions.OfString != "Be kind." {
				t.Errorf("the request is not repeated in %s", r.RawJSON())
			}
		})
		t.Run("tools "+name, func(t *testing.T) {
			responsesTurn(t.Context(), w.url, stream).check(t, "completed")
		})
		t.Run("limit "+name, func(t *testing.T) {
			r, err := respond(t.Context(), w.url, responses.ResponseNewParams{
				Input: textInput("say " + strings.Repeat("word ", 60)), MaxOutputTokens: openai.Int(16),
			}, stream)
			if err != nil {
				t.Fatal(err)
			}
			if r.Status != "incomplete" || r.IncompleteDetails.Reason != "max_output_tokens" || r.OutputText() == "" {
				t.Errorf("the app reads %s", r.RawJSON())
			}
		})
	}
}

func TestErrorsReachResponsesAppsInTheirDialect(t *testing.T) {
	w := newWorld(t)
	w.start(w.anthropicAlone())
	if err := w.anthropic.FailNamed("bad-request"); err != nil {
		t.Fatal(err)
	}
	for _, stream := range []bool{false, true} {
		_, err := respond(t.Context(), w.url, responses.ResponseNewParams{Input: textInput("hi")}, stream)
		if e, ok := errors.AsType[*openai.Error](err); !ok || e.StatusCode != http.StatusBadRequest || e.Type != "invalid_request_error" {
			t.Errorf("stream %v: the app reads %v", stream, err)
		}
		_, err = respond(t.Context(), w.url, responses.ResponseNewParams{
			Input: textInput("hi"), PreviousResponseID: openai.String("resp_us_1"),
		}, stream)
		if e, ok := errors.AsType[*openai.Error](err); !ok || e.Code != "previous_response_not_found" || e.Param != "previous_response_id" {
			t.Errorf("stream %v: the app reads %v", stream, err)
		}
	}
	w.anthropic.Heal()
	// So late that the beginning has reached the app: until then it would be
	// a failure like any other.
	w.anthropic.Fail(simulator.Fault{Effect: simulator.Cut, After: 200})
	_, err := respond(t.Context(), w.url, responses.ResponseNewParams{Input: textInput("say " + strings.Repeat("word ", 300))}, true)
	if err == nil || !strings.Contains(err.Error(), "The provider anthropic broke off its answer") {
		t.Errorf("the app reads %v from a stream that broke off", err)
	}
}
