package responses

import (
	"time"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
	"github.com/understudy-dev/understudy/internal/failover/dialect/wire"
)

// idRule is what OpenAI demands of the ids of tool calls in Responses.
var idRule = neutral.IDRule{MaxLength: 64}

// The words of a status.
const (
	inProgress = "in_progress"
	completed  = "completed"
	incomplete = "incomplete"
	failed     = "failed"
)

// response is the response object as far as it is known.
type response struct {
	id, model string
	sourceID  string // the provider's id, from which ids of calls are minted
	created   int64
	echo      []neutral.Param
	items     []*item
	usage     neutral.Usage
}

// newResponse begins a response. Its id tells by its prefix that no provider
// has it, so that nobody is asked to go on from it.
func newResponse(id, model string, echo []neutral.Param) response {
	return response{
		id: neutral.AnswerID(failover.OwnResponse, id), model: model, sourceID: id, created: time.Now().Unix(), echo: echo,
	}
}

// item is one item of the output: a message, or a call.
type item struct {
	id     string
	status string
	parts  []*part // of a message

	isCall       bool
	call         int // ordinal
	callID, name string
	arguments    []byte
	sent         int // bytes of the arguments that the stream has
	opened       bool
	complete     bool
}

// part is one part of a message.
type part struct {
	refusal bool
	text    []byte
	sent    int // bytes that the stream has
	opened  bool
	closed  bool
}

func (r *response) addItem(prefix string) *item {
	it := &item{id: neutral.ItemID(prefix, r.id, len(r.items)), status: inProgress}
	r.items = append(r.items, it)
	return it
}

// addText adds to the last message, or begins one behind a call.
func (r *response) addText(text string, refusal bool) {
	n := len(r.items)
	if n == 0 || r.items[n-1].isCall {
		r.addItem("msg_")
		n++
	}
	it := r.items[n-1]
	if m := len(it.parts); m == 0 || it.parts[m-1].refusal != refusal {
		it.parts = append(it.parts, &part{refusal: refusal})
	}
	last := it.parts[len(it.parts)-1]
	last.text = append(last.text, text...)
}

func (r *response) addCall(ordinal int, id, name string) *item {
	it := r.addItem("fc_")
	it.isCall, it.call, it.name = true, ordinal, name
	it.callID = idRule.Sanitize(id)
	if id == "" {
		it.callID = neutral.CallID(r.sourceID, ordinal)
	}
	return it
}

// write writes the object. The items show what they have become; where the
// status is in_progress there are none yet.
func (r *response) write(w *wire.Writer, status string, f neutral.Finish, e *failover.AppError) {
	w.Open('{')
	w.Key("id").Text(r.id)
	w.Key("object").Text("response")
	w.Key("created_at").Int(r.created)
	w.Key("status").Text(status)
	w.Key("background").Bool(false)
	w.Key("error")
	writeError(w, e)
	w.Key("incomplete_details")
	if status == incomplete {
		w.Open('{').Key("reason").Text(incompleteWord(f.Reason)).Close('}')
	} else {
		w.Null()
	}
	w.Key("model").Text(r.model)
	w.Key("output").Open('[')
	for _, it := range r.items {
		it.write(w)
	}
	w.Close(']')
	w.Key("store").Bool(false)
	for _, p := range r.echo {
		w.Key(p.Field).Raw(p.Value)
	}
	w.Key("usage")
	if status != inProgress && r.usage.Known {
		writeUsage(w, r.usage)
	} else {
		w.Null()
	}
	w.Close('}')
}

// writeError writes why a response failed, in one of the codes that a response
// knows.
func writeError(w *wire.Writer, e *failover.AppError) {
	if e == nil {
		w.Null()
		return
	}
	code := "server_error"
	if e.Class == failover.RateLimited {
		code = "rate_limit_exceeded"
	}
	w.Open('{').Key("code").Text(code).Key("message").Text(e.Message).Close('}')
}

// statusOf is how a response ends.
func statusOf(f neutral.Finish) string {
	if f.Reason == neutral.Length || f.Reason == neutral.Filtered {
		return incomplete
	}
	return completed
}

func incompleteWord(r neutral.Reason) string {
	if r == neutral.Filtered {
		return "content_filter"
	}
	return "max_output_tokens"
}

// write writes the item with what it has.
func (it *item) write(w *wire.Writer) {
	if it.isCall {
		it.writeCall(w, string(it.arguments))
		return
	}
	w.Open('{')
	w.Key("id").Text(it.id)
	w.Key("type").Text("message")
	w.Key("status").Text(it.status)
	w.Key("role").Text("assistant")
	w.Key("content").Open('[')
	for _, p := range it.parts {
		p.write(w, string(p.text))
	}
	w.Close(']').Close('}')
}

func (it *item) writeCall(w *wire.Writer, arguments string) {
	w.Open('{')
	w.Key("id").Text(it.id)
	w.Key("type").Text("function_call")
	w.Key("status").Text(it.status)
	w.Key("call_id").Text(it.callID)
	w.Key("name").Text(it.name)
	w.Key("arguments").Text(arguments)
	w.Close('}')
}

func (p *part) write(w *wire.Writer, text string) {
	if p.refusal {
		w.Open('{').Key("type").Text("refusal").Key("refusal").Text(text).Close('}')
		return
	}
	w.Open('{').Key("type").Text("output_text").Key("text").Text(text)
	w.Key("annotations").Open('[').Close(']')
	w.Key("logprobs").Open('[').Close(']')
	w.Close('}')
}

func writeUsage(w *wire.Writer, u neutral.Usage) {
	w.Open('{')
	w.Key("input_tokens").Int(u.Input)
	w.Key("input_tokens_details").Open('{')
	w.Key("cached_tokens").Int(u.CacheRead)
	w.Key("cache_write_tokens").Int(u.CacheWrite)
	w.Close('}')
	w.Key("output_tokens").Int(u.Output)
	w.Key("output_tokens_details").Open('{')
	w.Key("reasoning_tokens").Int(u.Reasoning)
	w.Close('}')
	w.Key("total_tokens").Int(u.Input + u.Output)
	w.Close('}')
}
