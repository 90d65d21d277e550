package dialect_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect"
	"github.com/understudy-dev/understudy/internal/failover/dialect/chat"
	"github.com/understudy-dev/understudy/internal/failover/dialect/converse"
	"github.com/understudy-dev/understudy/internal/failover/dialect/gemini"
	"github.com/understudy-dev/understudy/internal/failover/dialect/messages"
	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
	"github.com/understudy-dev/understudy/internal/failover/dialect/responses"
)

// scribe makes random neutral things, the same for the same seed.
type scribe struct{ *rand.Rand }

var words = []string{"a", "Grüße", "<b>&", "\"", "\\", "\n\n", "\r", "data: [DONE]", "\u2028", "🜚", " ", "event: error", "\x00", "}{"}

func (s scribe) text(most int) string {
	var b strings.Builder
	for range s.IntN(most + 1) {
		b.WriteString(words[s.IntN(len(words))])
	}
	return b.String()
}

// stream makes a legal stream of text, a refusal and calls that overlap, with
// token counts anywhere, and what it amounts to.
func (s scribe) stream(prefix string) ([]neutral.Event, assembled) {
	events := []neutral.Event{{Kind: neutral.Start, ID: prefix + "1", Model: "m"}}
	want := assembled{ok: true}
	for range s.IntN(4) {
		kind := []neutral.EventKind{neutral.TextDelta, neutral.TextDelta, neutral.RefusalDelta}[s.IntN(3)]
		if text := s.text(5); text != "" {
			events = append(events, neutral.Event{Kind: kind, Text: text})
			want.text += text
		}
	}
	events = append(events, s.calls(&want)...)
	want.usage = neutral.Usage{Known: true, Input: 50 + s.Int64N(9), CacheRead: s.Int64N(9), CacheWrite: s.Int64N(9), Output: 9, Reasoning: s.Int64N(9)}
	at := 1 + s.IntN(len(events))
	early := neutral.Event{Kind: neutral.UsageKnown, Usage: neutral.Usage{Known: true, Input: 1}}
	events = slices.Insert(events, at, early)
	refused := slices.ContainsFunc(events, func(ev neutral.Event) bool { return ev.Kind == neutral.RefusalDelta })
	want.finish = neutral.Finish{
		Reason: []neutral.Reason{neutral.Stopped, neutral.Length, neutral.Filtered}[s.IntN(3)],
	}.Settle(len(want.calls) > 0, refused).Reason
	events = append(events, neutral.Event{Kind: neutral.UsageKnown, Usage: want.usage},
		neutral.Event{Kind: neutral.Done, Finish: neutral.Finish{Reason: want.finish}})
	return events, want
}

// calls makes up to three calls whose fragments are mixed as they come.
func (s scribe) calls(want *assembled) []neutral.Event {
	var queues [][]neutral.Event
	for i := range s.IntN(4) {
		name := fmt.Sprintf("tool_%d", i)
		arguments, _ := json.Marshal(map[string]string{"k": s.text(6)})
		if s.IntN(3) == 0 {
			arguments = nil
		}
		queues = append(queues, s.call(i, name, string(arguments)))
		if arguments == nil {
			arguments = []byte("{}")
		}
		want.calls = append(want.calls, name+" "+string(arguments))
	}
	var events []neutral.Event
	for begun := 0; ; {
		var open []int // calls begin in order
		for i, q := range queues {
			if len(q) > 0 && i <= begun {
				open = append(open, i)
			}
		}
		if len(open) == 0 {
			return events
		}
		i := open[s.IntN(len(open))]
		events, queues[i] = append(events, queues[i][0]), queues[i][1:]
		begun = max(begun, i+1)
	}
}

// call makes the events of one call.
func (s scribe) call(i int, name, arguments string) []neutral.Event {
	events := []neutral.Event{{Kind: neutral.CallStart, Call: i, ID: fmt.Sprintf("call_%d", i), Name: name}}
	for rest := arguments; rest != ""; {
		n := 1 + s.IntN(len(rest))
		for n < len(rest) && rest[n]&0xc0 == 0x80 {
			n++
		}
		events = append(events, neutral.Event{Kind: neutral.CallDelta, Call: i, Text: rest[:n]})
		rest = rest[n:]
	}
	return append(events, neutral.Event{Kind: neutral.CallEnd, Call: i})
}

type side struct {
	prefix  string
	encoder func() neutral.StreamEncoder
	decoder func() neutral.StreamDecoder
}

var sides = map[failover.Dialect]side{
	failover.OpenAIChat:        {"chatcmpl-", func() neutral.StreamEncoder { return chat.NewStreamEncoder("m", true) }, chat.NewStreamDecoder},
	failover.AnthropicMessages: {"msg_", func() neutral.StreamEncoder { return messages.NewStreamEncoder("m", true) }, messages.NewStreamDecoder},
	failover.OpenAIResponses:   {"resp_", func() neutral.StreamEncoder { return responses.NewStreamEncoder("m", true) }, newResponsesReader},
	failover.Gemini:            {"", func() neutral.StreamEncoder { return &geminiWriter{} }, gemini.NewStreamDecoder},
	failover.BedrockConverse:   {"", func() neutral.StreamEncoder { return &converseEncoder{} }, converse.NewStreamDecoder},
}

// recut feeds bytes in random pieces through a splitter and decodes them.
func (s scribe) recut(t *testing.T, d neutral.StreamDecoder, stream []byte) assembled {
	t.Helper()
	var cutter failover.Splitter
	var whole []byte
	for rest := stream; ; {
		for ev, ok := cutter.Next(); ok; ev, ok = cutter.Next() {
			whole = append(whole, ev.Raw...)
			if len(ev.Data) == 0 {
				t.Fatalf("an event without data: %q", ev.Raw)
			}
		}
		if len(rest) == 0 {
			break
		}
		n := 1 + s.IntN(min(len(rest), 40))
		if _, err := cutter.Write(rest[:n]); err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
	if string(whole)+string(stream[len(whole):]) != string(stream) {
		t.Fatal("the splitter changed bytes")
	}
	if len(whole) == len(stream) {
		return assemble(t, d, whole)
	}
	// As in the walk, what is left when the body ends is read as a last event,
	// which may be none that anybody can read.
	var a assembled
	events := split(stream)
	for _, ev := range events {
		_, _ = d.Decode(nil, ev)
	}
	_, a.ok = d.End(nil)
	return a
}

func TestAStreamSurvivesEncodingCuttingAndDecoding(t *testing.T) {
	for d, side := range sides {
		for seed := range uint64(300) {
			s := scribe{rand.New(rand.NewPCG(seed, 1))}
			events, want := s.stream(side.prefix)
			encoder := side.encoder()
			var stream []byte
			for _, ev := range events {
				stream, _ = encoder.Encode(stream, ev)
			}
			got := s.recut(t, side.decoder(), stream)
			switch d {
			case failover.Gemini:
				want.usage.CacheWrite = 0 // it counts no writes
			case failover.BedrockConverse:
				want.usage.Reasoning = 0 // is not counted there
			}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(assembled{})); diff != "" {
				t.Fatalf("%s, seed %d (-want +got):\n%s\n%s", d, seed, diff, stream)
			}
		}
	}
}

// terminal returns where the data of the event ends without which a stream
// counts as cut: the one with the finish reason for Chat, Gemini and Converse,
// and the terminal event for the others.
func terminal(t *testing.T, d failover.Dialect, stream string) int {
	t.Helper()
	at := -1
	words := []string{`"finish_reason":"stop"`, `"finish_reason":"length"`, `"finish_reason":"tool_calls"`, `"finish_reason":"content_filter"`}
	end := "\n\n"
	switch d {
	case failover.AnthropicMessages:
		words = []string{"event: message_stop"}
	case failover.Gemini:
		words, end = []string{`"finishReason"`}, "\r\n\r\n"
	case failover.OpenAIResponses:
		words = []string{"event: response.completed", "event: response.incomplete"}
	case failover.BedrockConverse:
		words = []string{"event: messageStop"}
	}
	for _, word := range words {
		at = max(at, strings.LastIndex(stream, word))
	}
	if at < 0 {
		t.Fatalf("no end in %s", stream)
	}
	return at + strings.Index(stream[at:], end)
}

// stride is how far apart the cuts of a stream lie: the longest ones, each of
// which is read from its start, would take minutes at every byte.
func stride(length int) int { return 1 + length/4000 }

func TestNoTruncatedStreamLooksComplete(t *testing.T) {
	for d, side := range sides {
		for seed := range uint64(6) {
			s := scribe{rand.New(rand.NewPCG(seed, 2))}
			events, _ := s.stream(side.prefix)
			encoder := side.encoder()
			var stream []byte
			for _, ev := range events {
				stream, _ = encoder.Encode(stream, ev)
			}
			last := terminal(t, d, string(stream))
			for cut := int(seed); cut < last; cut += stride(last) {
				if got := s.recut(t, side.decoder(), stream[:cut]); got.ok {
					t.Fatalf("%s, seed %d: cut at %d of %d it decodes as complete:\n%s", d, seed, cut, len(stream), stream[:cut])
				}
			}
		}
	}
}

// request makes a random request of Chat, legal or nearly so.
func (s scribe) request() []byte {
	var list []string
	quote := func(text string) string {
		b, _ := json.Marshal(text)
		return string(b)
	}
	for range 1 + s.IntN(6) {
		switch s.IntN(6) {
		case 0:
			list = append(list, `{"role":"system","content":`+quote(s.text(2))+`}`)
		case 1, 2:
			list = append(list, `{"role":"user","content":`+quote(s.text(3))+`}`)
		case 3:
			list = append(list, `{"role":"assistant","content":`+quote(s.text(2))+`}`)
		default:
			id, other := quote(s.text(3)), quote("call_"+fmt.Sprint(s.IntN(3)))
			list = append(list,
				`{"role":"assistant","content":`+quote(s.text(1))+`,"tool_calls":[{"id":`+id+`,"type":"function","function":{"name":"f","arguments":`+quote(s.text(2))+`}},{"id":`+other+`,"type":"function","function":{"name":"g","arguments":"{}"}}]}`,
				`{"role":"tool","tool_call_id":`+other+`,"content":`+quote(s.text(1))+`}`,
				`{"role":"tool","tool_call_id":`+id+`,"content":""}`)
		}
	}
	body := `{"model":"m","messages":[` + strings.Join(list, ",") + `]`
	if s.IntN(2) == 0 {
		body += `,"tools":[{"type":"function","function":{"name":"f","parameters":{}}}],"tool_choice":"required"`
	}
	if s.IntN(2) == 0 {
		body += `,"tool_choice":"auto","parallel_tool_calls":false`
	}
	return []byte(body + "}")
}

func TestNoBodyIsSentThatTheProviderForbids(t *testing.T) {
	sent, carried := 0, 0
	for seed := range uint64(1000) {
		s := scribe{rand.New(rand.NewPCG(seed, 3))}
		body := s.request()
		tr, err := dialect.New().Translate(failover.OpenAIChat, failover.AnthropicMessages, body, failover.TranslateOptions{Model: "m"})
		if err != nil {
			continue
		}
		sent++
		if problem := forbidden(failover.AnthropicMessages, "m", tr.Body()); problem != "" {
			t.Fatalf("seed %d: %s\nfrom %s\nto   %s", seed, problem, body, tr.Body())
		}
		back, err := dialect.New().Translate(failover.AnthropicMessages, failover.OpenAIChat, tr.Body(), failover.TranslateOptions{Model: "m"})
		if err != nil {
			t.Fatalf("seed %d: it does not translate back: %v\n%s", seed, err, tr.Body())
		}
		if problem := forbidden(failover.OpenAIChat, "m", back.Body()); problem != "" {
			t.Fatalf("seed %d: %s\nfrom %s\nto   %s", seed, problem, tr.Body(), back.Body())
		}
		other, err := dialect.New().Translate(failover.OpenAIChat, failover.BedrockConverse, body, failover.TranslateOptions{Model: "m"})
		if err != nil {
			continue
		}
		carried++
		if problem := forbidden(failover.BedrockConverse, "m", other.Body()); problem != "" {
			t.Fatalf("seed %d: %s\nfrom %s\nto   %s", seed, problem, body, other.Body())
		}
	}
	if sent < 100 || carried < 50 {
		t.Errorf("only %d and %d of 1000 requests were eligible; the test proves too little", sent, carried)
	}
}

func TestTokenCountsReachTheAppOnlyIfItAsked(t *testing.T) {
	d := directions["chat-to-messages"]
	in := []byte("event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"usage\":{\"input_tokens\":3}}}\n\n" +
		"event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":2}}\n\n" +
		"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n")
	for _, asked := range []bool{false, true} {
		out, usage, _, _ := run(begin(t, d, true, asked).Stream(), in)
		if got := strings.Contains(string(out), `"usage"`); got != asked {
			t.Errorf("asked %v, but usage on the stream is %v", asked, got)
		}
		if usage != (failover.Usage{Input: 3, Output: 2}) {
			t.Errorf("accounted %+v", usage)
		}
	}
}

func TestFeedTellsContentOnlyWhenThePayloadWasWritten(t *testing.T) {
	for name, d := range directions {
		side := sides[d.entry]
		for seed := range uint64(100) {
			events, _ := scribe{rand.New(rand.NewPCG(seed, 4))}.stream(side.prefix)
			encoder := side.encoder()
			var stream []byte
			for _, ev := range events {
				stream, _ = encoder.Encode(stream, ev)
			}
			s := begin(t, d, true, false).Stream()
			for _, ev := range split(stream) {
				out, p := s.Feed(nil, ev)
				most := failover.Lifecycle
				for _, emitted := range split(out) {
					most = max(most, dialect.New().Format(d.app).Progress(emitted).Kind)
				}
				if most == failover.Ending {
					most = failover.Content
				}
				if p.Kind != most {
					t.Fatalf("%s, seed %d: Feed says %d, the app's format %d, of %q", name, seed, p.Kind, most, out)
				}
			}
		}
	}
}
