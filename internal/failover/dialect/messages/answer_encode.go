package messages

import (
	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
	"github.com/understudy-dev/understudy/internal/failover/dialect/wire"
)

const idPrefix = "msg_"

// EncodeAnswer writes a whole message.
func EncodeAnswer(a *neutral.Answer) []byte {
	var w wire.Writer
	openMessage(&w, a.ID, a.Model)
	w.Key("content").Open('[')
	calls := 0
	for _, b := range a.Blocks {
		switch b.Kind {
		case neutral.ToolCall:
			input, _ := b.Call.Object()
			writeCall(&w, callID(b.Call.ID, a.ID, calls), b.Call.Name, input)
			calls++
		case neutral.Text, neutral.Refusal:
			if b.Text != "" {
				w.Open('{').Key("type").Text("text").Key("text").Text(b.Text).Key("citations").Null().Close('}')
			}
		}
	}
	w.Close(']')
	writeStop(&w, a.Finish)
	w.Key("diagnostics").Null()
	w.Key("usage")
	writeUsage(&w, a.Usage)
	w.Close('}')
	return w.Buf
}

// openMessage begins a message object up to its content.
func openMessage(w *wire.Writer, id, model string) {
	w.Open('{')
	w.Key("id").Text(neutral.AnswerID(idPrefix, id))
	w.Key("type").Text("message")
	w.Key("role").Text("assistant")
	w.Key("model").Text(model)
}

// writeCall writes a tool_use block.
func writeCall(w *wire.Writer, id, name string, input []byte) {
	w.Open('{').Key("type").Text("tool_use").Key("id").Text(id).Key("name").Text(name)
	w.Key("input").Raw(input)
	w.Key("caller").Open('{').Key("type").Text("direct").Close('}')
	w.Close('}')
}

func callID(id, answerID string, ordinal int) string {
	if id == "" {
		return neutral.CallID(answerID, ordinal)
	}
	return idRule.Sanitize(id)
}

// writeStop writes the members that tell why the answer ended. Which stop
// sequence matched is not known.
func writeStop(w *wire.Writer, f neutral.Finish) {
	w.Key("stop_reason").Text(stopWord(f.Reason))
	w.Key("stop_sequence").Null()
	w.Key("stop_details")
	if f.Reason == neutral.Filtered {
		w.Open('{').Key("type").Text("refusal").Key("category").Null()
		w.Key("explanation").TextOrNull(f.Explanation).Close('}')
	} else {
		w.Null()
	}
	w.Key("container").Null()
}

func stopWord(r neutral.Reason) string {
	switch r {
	case neutral.Length:
		return "max_tokens"
	case neutral.ToolCalls:
		return "tool_use"
	case neutral.Filtered:
		return "refusal"
	}
	return "end_turn"
}

// writeUsage writes a usage object, in which cached tokens are counted apart
// from the input. It is required, so unknown counts are zeros.
func writeUsage(w *wire.Writer, u neutral.Usage) {
	w.Open('{')
	writeCounts(w, u)
	w.Key("cache_creation").Null()
	w.Key("inference_geo").Null()
	w.Key("service_tier").Null()
	w.Close('}')
}

func writeCounts(w *wire.Writer, u neutral.Usage) {
	w.Key("input_tokens").Int(max(u.Input-u.CacheRead-u.CacheWrite, 0))
	w.Key("cache_creation_input_tokens").Int(u.CacheWrite)
	w.Key("cache_read_input_tokens").Int(u.CacheRead)
	w.Key("output_tokens").Int(u.Output)
	if u.Reasoning > 0 {
		w.Key("output_tokens_details").Open('{').Key("thinking_tokens").Int(u.Reasoning).Close('}')
	} else {
		w.Key("output_tokens_details").Null()
	}
	w.Key("server_tool_use").Null()
}
