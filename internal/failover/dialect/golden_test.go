package dialect_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/cryptotest"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect"
	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
)

// update rewrites the bytes of output files. It never touches expect.json,
// which is written by hand.
var update = flag.Bool("update", false, "rewrite the golden output files")

// expectation is what a case's expect.json says, beside its golden bytes.
type expectation struct {
	// Requests.
	Model                 string // of the entry; empty: one that nothing is known of
	MaxTokensField        string // of the entry; empty: max_completion_tokens, and OpenAI's own server
	Refused               []string
	ToolIDs               failover.ToolIDs
	StreamUsage           failover.StreamUsage
	Ineligible            string // field of the refusal
	Dropped, Approximated []string
	// Members of the output, by path ("choices.0.finish_reason").
	Members map[string]json.RawMessage
	// Absent are paths of members that the output must not have.
	Absent []string

	// Streams: what the app makes of the output.
	Cut    bool // Finish reports truncation
	Failed bool // the stream ends in the provider's error
	Text   string
	Calls  []string // name and arguments
	Finish neutral.Reason
	Usage  failover.Usage // what was accounted for
}

func (e expectation) quirks() failover.Quirks {
	return failover.Quirks{
		MaxTokensField: e.MaxTokensField, OpenAI: e.MaxTokensField == "max_completion_tokens",
		Refused: e.Refused, ToolIDs: e.ToolIDs, StreamUsage: e.StreamUsage,
	}
}

type direction struct{ app, entry failover.Dialect }

var directions = map[string]direction{
	"chat-to-messages": {failover.OpenAIChat, failover.AnthropicMessages},
	"messages-to-chat": {failover.AnthropicMessages, failover.OpenAIChat},

	"chat-to-gemini":        {failover.OpenAIChat, failover.Gemini},
	"messages-to-gemini":    {failover.AnthropicMessages, failover.Gemini},
	"chat-to-converse":      {failover.OpenAIChat, failover.BedrockConverse},
	"messages-to-converse":  {failover.AnthropicMessages, failover.BedrockConverse},
	"chat-to-responses":     {failover.OpenAIChat, failover.OpenAIResponses},
	"messages-to-responses": {failover.AnthropicMessages, failover.OpenAIResponses},
	"responses-to-chat":     {failover.OpenAIResponses, failover.OpenAIChat},
	"responses-to-gemini":   {failover.OpenAIResponses, failover.Gemini},
	"responses-to-messages": {failover.OpenAIResponses, failover.AnthropicMessages},
	"responses-to-converse": {failover.OpenAIResponses, failover.BedrockConverse},
}

// cases runs f for every case of one kind (request, answer, stream) in a
// bubble, in which the clock stands still.
func cases(t *testing.T, kind string, f func(t *testing.T, d direction, dir string, want expectation)) {
	for name, d := range directions {
		folders, err := filepath.Glob(filepath.Join("testdata", name, kind, "*"))
		if err != nil || len(folders) == 0 {
			t.Fatalf("no cases of %s/%s: %v", name, kind, err)
		}
		for _, dir := range folders {
			t.Run(name+"/"+filepath.Base(dir), func(t *testing.T) {
				var want expectation
				dec := json.NewDecoder(bytes.NewReader(read(t, dir, "expect.json")))
				dec.DisallowUnknownFields()
				if err := dec.Decode(&want); err != nil {
					t.Fatalf("expect.json: %v", err)
				}
				cryptotest.SetGlobalRandom(t, 1) // ids that are minted
				synctest.Test(t, func(t *testing.T) { f(t, d, dir, want) })
			})
		}
	}
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func golden(t *testing.T, dir, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(filepath.Join(dir, name), got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(read(t, dir, name)), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func goldenJSON(t *testing.T, dir string, got []byte) {
	t.Helper()
	var indented bytes.Buffer
	if err := json.Indent(&indented, got, "", "  "); err != nil {
		t.Fatalf("the output is not JSON: %v\n%s", err, got)
	}
	indented.WriteByte('\n')
	golden(t, dir, "output.json", indented.Bytes())
}

func checkMembers(t *testing.T, body []byte, want expectation) {
	t.Helper()
	for path, value := range want.Members {
		if got := string(neutral.Compact(at(body, path))); got != string(neutral.Compact(value)) {
			t.Errorf("%s = %s, want %s", path, got, value)
		}
	}
	for _, path := range want.Absent {
		if got := at(body, path); got != nil {
			t.Errorf("%s = %s, want none", path, got)
		}
	}
}

// at finds a member by its path.
func at(v failover.RawJSON, path string) failover.RawJSON {
	for step := range strings.SplitSeq(path, ".") {
		v = child(v, step)
	}
	return v
}

func child(v failover.RawJSON, step string) failover.RawJSON {
	index, err := strconv.Atoi(step)
	if err != nil {
		return v.Member(step)
	}
	var found failover.RawJSON
	_ = failover.EachElement(v, func(e failover.RawJSON) bool {
		found = e
		index--
		return index >= 0
	})
	if index >= 0 {
		return nil
	}
	return found
}

func TestRequestsAreCarriedAsTheTablesSay(t *testing.T) {
	cases(t, "request", func(t *testing.T, d direction, dir string, want expectation) {
		if want.Model == "" {
			want.Model = "entry-model"
		}
		if want.MaxTokensField == "" {
			want.MaxTokensField = "max_completion_tokens"
		}
		tr, err := dialect.New().Translate(d.app, d.entry, read(t, dir, "input.json"), failover.TranslateOptions{
			Model: want.Model, Quirks: want.quirks(),
		})
		if want.Ineligible != "" {
			refusal, ok := errors.AsType[*failover.IneligibleError](err)
			if !ok || refusal.Field != want.Ineligible || refusal.Reason == "" {
				t.Errorf("error = %v, want a refusal of %s", err, want.Ineligible)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(failover.Degraded{Dropped: want.Dropped, Approximated: want.Approximated}, tr.Degraded()); diff != "" {
			t.Errorf("degraded (-want +got):\n%s", diff)
		}
		checkMembers(t, tr.Body(), want)
		if problem := forbidden(d.entry, want.Model, tr.Body()); problem != "" {
			t.Errorf("the provider would refuse the body: %s", problem)
		}
		goldenJSON(t, dir, tr.Body())
	})
}

// begin translates the smallest request of a dialect.
func begin(t testing.TB, d direction, stream, usage bool) failover.Translation {
	t.Helper()
	body := `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]`
	if d.app == failover.OpenAIResponses {
		body = `{"model":"m","input":"hi"`
	}
	if stream {
		body += `,"stream":true`
	}
	if usage && d.app == failover.OpenAIChat {
		body += `,"stream_options":{"include_usage":true}`
	}
	tr, err := dialect.New().Translate(d.app, d.entry, []byte(body+"}"), failover.TranslateOptions{
		Model: "entry-model", Quirks: failover.Quirks{MaxTokensField: "max_tokens"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func TestAnswersAreCarriedAsTheTablesSay(t *testing.T) {
	cases(t, "answer", func(t *testing.T, d direction, dir string, want expectation) {
		body := read(t, dir, "input.json")
		if usage, ok := dialect.New().Format(d.entry).CheckAnswer(body); !ok || usage != want.Usage {
			t.Errorf("CheckAnswer = %+v, %v, want %+v, true", usage, ok, want.Usage)
		}
		got, err := begin(t, d, false, false).Answer(body)
		if err != nil {
			t.Fatal(err)
		}
		checkMembers(t, got, want)
		if _, ok := dialect.New().Format(d.app).CheckAnswer(got); !ok {
			t.Error("the app's own format does not take the answer for one")
		}
		goldenJSON(t, dir, got)
	})
}

func TestStreamsAreCarriedAsTheTablesSay(t *testing.T) {
	cases(t, "stream", func(t *testing.T, d direction, dir string, want expectation) {
		out, usage, failed, cut := run(begin(t, d, true, true).Stream(), read(t, dir, "input.sse"))
		if failed != want.Failed || cut != want.Cut {
			t.Errorf("failed %v, cut %v; want %v, %v", failed, cut, want.Failed, want.Cut)
		}
		if usage != want.Usage {
			t.Errorf("usage = %+v, want %+v", usage, want.Usage)
		}
		got := assemble(t, decoderOf(d.app), out)
		if got.text != want.Text || !cmp.Equal(got.calls, want.Calls) || got.finish != want.Finish {
			t.Errorf("the app reads text %q, calls %q, finish %d;\nwant %q, %q, %d",
				got.text, got.calls, got.finish, want.Text, want.Calls, want.Finish)
		}
		golden(t, dir, "output.sse", out)
	})
}

func decoderOf(d failover.Dialect) neutral.StreamDecoder {
	return sides[d].decoder()
}

// run feeds a whole stream, as the walk does.
func run(s failover.StreamTranslation, in []byte) (out []byte, usage failover.Usage, failed, cut bool) {
	for _, ev := range split(in) {
		var p failover.Progress
		out, p = s.Feed(out, ev)
		if p.Usage != (failover.Usage{}) {
			usage = p.Usage
		}
		if p.Kind == failover.Failed {
			return out, usage, true, false
		}
	}
	out, ok := s.Finish(out)
	return out, usage, false, !ok
}

// split returns copies of all events.
func split(in []byte) []failover.Event {
	var s failover.Splitter
	_, _ = s.Write(in)
	s.Close()
	var events []failover.Event
	for {
		ev, ok := s.Next()
		if !ok {
			return events
		}
		events = append(events, failover.Event{Name: bytes.Clone(ev.Name), Data: bytes.Clone(ev.Data), Raw: bytes.Clone(ev.Raw)})
	}
}

// assembled is an answer put together from a stream.
type assembled struct {
	text   string
	calls  []string
	finish neutral.Reason
	usage  neutral.Usage
	ok     bool
}

func assemble(t testing.TB, d neutral.StreamDecoder, stream []byte) assembled {
	var a assembled
	var events []neutral.Event
	for _, ev := range split(stream) {
		var kind failover.ProgressKind
		if events, kind = d.Decode(events, ev); kind != failover.Lifecycle {
			t.Errorf("the app cannot read the event %q", ev.Raw)
		}
	}
	events, a.ok = d.End(events)
	var arguments []string
	for _, ev := range events {
		switch ev.Kind {
		case neutral.TextDelta, neutral.RefusalDelta:
			a.text += ev.Text
		case neutral.CallStart:
			a.calls = append(a.calls, ev.Name+" ")
			arguments = append(arguments, "")
		case neutral.CallDelta:
			arguments[ev.Call] += ev.Text
		case neutral.UsageKnown:
			a.usage = ev.Usage
		case neutral.Done:
			a.finish = ev.Finish.Reason
		}
	}
	for i := range a.calls {
		if arguments[i] == "" {
			arguments[i] = "{}"
		}
		a.calls[i] += arguments[i]
	}
	return a
}
