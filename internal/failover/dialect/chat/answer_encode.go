package chat

import (
	"strings"
	"time"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
	"github.com/understudy-dev/understudy/internal/failover/dialect/wire"
)

const idPrefix = "chatcmpl-"

// idRule is what OpenAI demands of the ids of tool calls.
var idRule = neutral.IDRule{MaxLength: 40}

// EncodeAnswer writes a whole answer.
func EncodeAnswer(a *neutral.Answer) []byte {
	var w wire.Writer
	w.Open('{')
	w.Key("id").Text(neutral.AnswerID(idPrefix, a.ID))
	w.Key("object").Text("chat.completion")
	w.Key("created").Int(time.Now().Unix())
	w.Key("model").Text(a.Model)
	w.Key("choices").Open('[').Open('{')
	w.Key("index").Int(0)
	w.Key("message")
	writeMessage(&w, a)
	w.Key("logprobs").Null()
	w.Key("finish_reason").Text(reasonWord(a.Finish.Reason))
	w.Close('}').Close(']')
	if a.Usage.Known {
		w.Key("usage")
		writeUsage(&w, a.Usage)
	}
	w.Close('}')
	return w.Buf
}

func writeMessage(w *wire.Writer, a *neutral.Answer) {
	var text strings.Builder
	var calls []neutral.Call
	refusal := a.Finish.Explanation
	for _, b := range a.Blocks {
		switch b.Kind {
		case neutral.Text:
			text.WriteString(b.Text)
		case neutral.Refusal:
			refusal += b.Text
		case neutral.ToolCall:
			calls = append(calls, b.Call)
		}
	}
	w.Open('{')
	w.Key("role").Text("assistant")
	w.Key("content").TextOrNull(text.String())
	w.Key("refusal")
	if a.Finish.Reason == neutral.Filtered {
		w.Text(refusal)
	} else {
		w.TextOrNull(refusal)
	}
	if len(calls) > 0 {
		w.Key("tool_calls").Open('[')
		for i, c := range calls {
			arguments, _ := c.Object()
			c.ID, c.Arguments = callID(c.ID, a.ID, i), string(neutral.Compact(arguments))
			writeCall(w, c)
		}
		w.Close(']')
	}
	w.Close('}')
}

func writeCall(w *wire.Writer, c neutral.Call) {
	w.Open('{').Key("id").Text(c.ID).Key("type").Text("function")
	w.Key("function").Open('{').Key("name").Text(c.Name).Key("arguments").Text(c.Arguments).Close('}')
	writeSignature(w, c.Signature)
	w.Close('}')
}

// writeSignature writes a Gemini model's signature where Google's own Chat
// endpoint does. Apps that keep unknown members send it back.
func writeSignature(w *wire.Writer, signature string) {
	if signature == "" {
		return
	}
	w.Key("extra_content").Open('{').Key("google").Open('{')
	w.Key("thought_signature").Text(signature)
	w.Close('}').Close('}')
}

// signatureOf reads what writeSignature wrote.
func signatureOf(call failover.RawJSON) string {
	return call.Member("extra_content").Member("google").Member("thought_signature").Text()
}

func callID(id, answerID string, ordinal int) string {
	if id == "" {
		return neutral.CallID(answerID, ordinal)
	}
	return idRule.Sanitize(id)
}

func reasonWord(r neutral.Reason) string {
	switch r {
	case neutral.Length:
		return "length"
	case neutral.ToolCalls:
		return "tool_calls"
	case neutral.Filtered:
		return "content_filter"
	}
	return "stop"
}

func writeUsage(w *wire.Writer, u neutral.Usage) {
	w.Open('{')
	w.Key("prompt_tokens").Int(u.Input)
	w.Key("completion_tokens").Int(u.Output)
	w.Key("total_tokens").Int(u.Input + u.Output)
	w.Key("prompt_tokens_details").Open('{')
	w.Key("cached_tokens").Int(u.CacheRead)
	w.Key("cache_write_tokens").Int(u.CacheWrite)
	w.Close('}')
	w.Key("completion_tokens_details").Open('{')
	w.Key("reasoning_tokens").Int(u.Reasoning)
	w.Close('}')
	w.Close('}')
}
