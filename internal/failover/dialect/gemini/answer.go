package gemini

import (
	"errors"
	"slices"
	"strconv"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
)

var (
	errNotAnswer = errors.New("the body is not a GenerateContentResponse")
	errNotText   = errors.New("the answer holds media, which no app's dialect carries here")
)

// reason tells why the answer ended; failed marks one that says that there is
// no answer: the model wrote what is no call, or gave up.
func (r response) reason() (_ neutral.Reason, failed bool) {
	if !r.candidate.IsObject() {
		if blocked := r.feedback.Member("blockReason").Text(); blocked != "" && blocked != "BLOCK_REASON_UNSPECIFIED" {
			return neutral.Filtered, false
		}
		return neutral.Unfinished, false
	}
	switch r.candidate.Member("finishReason").Text() {
	case "", "FINISH_REASON_UNSPECIFIED":
		return neutral.Unfinished, false
	case "MAX_TOKENS", "CONTINUATION": // [unverified] the second tells of more to come
		return neutral.Length, false
	case "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII",
		"IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION":
		return neutral.Filtered, false
	case "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE",
		"MALFORMED_RESPONSE", "OTHER", "IMAGE_OTHER", "NO_IMAGE":
		return neutral.Unfinished, true
	}
	// STOP, also after calls; one that is unknown counts as an ordinary end.
	return neutral.Stopped, false
}

// finish is the reason with the provider's sentence about a refusal.
func (r response) finish() neutral.Finish {
	reason, _ := r.reason()
	f := neutral.Finish{Reason: reason}
	if reason == neutral.Filtered {
		f.Explanation = r.candidate.Member("finishMessage").Text()
		if f.Explanation == "" {
			f.Explanation = r.feedback.Member("blockReasonMessage").Text()
		}
	}
	return f
}

// usageOf adds up the counts: what tools brought in is input, and thoughts are
// output, both of which Gemini counts apart.
func usageOf(v failover.RawJSON) neutral.Usage {
	if !v.IsObject() {
		return neutral.Usage{}
	}
	u := neutral.Usage{Known: true}
	_ = failover.EachMember(v, func(name []byte, value failover.RawJSON) bool {
		n, _ := value.Int()
		n = max(n, 0)
		switch string(name) {
		case "promptTokenCount", "toolUsePromptTokenCount":
			u.Input += n
		case "cachedContentTokenCount":
			u.CacheRead = n
		case "candidatesTokenCount":
			u.Output += n
		case "thoughtsTokenCount":
			u.Output += n
			u.Reasoning = n
		}
		return true
	})
	return u
}

// reader makes neutral blocks of the parts of one answer, over all events of
// its stream.
type reader struct {
	ids  []string
	text neutral.Joiner
}

// parts reads the parts of a fragment. Thoughts are left out, as those of
// every provider; a call's signature goes with it.
func (d *reader) parts(r response) (blocks []neutral.Block, err error) {
	_ = failover.EachElement(r.candidate.Member("content").Member("parts"), func(part failover.RawJSON) bool {
		call := part.Member("functionCall")
		switch {
		case part.Member("thought").Bool():
		case call.IsObject():
			c := neutral.Call{
				ID: d.fresh(call.Member("id").Text()), Name: call.Member("name").Text(),
				Signature: part.Member("thoughtSignature").Text(),
			}
			if args := call.Member("args"); args.IsObject() {
				c.Arguments = string(neutral.Compact(args))
			}
			blocks = append(d.rest(blocks), neutral.Block{Kind: neutral.ToolCall, Call: c})
		case part.Member("inlineData").IsObject(), part.Member("fileData").IsObject():
			err = errNotText
		default:
			if text := d.text.Text(part.Member("text")); text != "" {
				blocks = append(blocks, neutral.Block{Kind: neutral.Text, Text: text})
			}
		}
		return err == nil
	})
	return blocks, err
}

// rest adds what stands for half a character at the end of a text.
func (d *reader) rest(blocks []neutral.Block) []neutral.Block {
	if text := d.text.Rest(); text != "" {
		blocks = append(blocks, neutral.Block{Kind: neutral.Text, Text: text})
	}
	return blocks
}

// fresh makes an id differ from those of the other calls of the answer. A call
// without one gets it from the app's encoder.
func (d *reader) fresh(id string) string {
	if id == "" {
		return ""
	}
	unique := id
	for n := 2; slices.Contains(d.ids, unique); n++ {
		unique = id + "_" + strconv.Itoa(n)
	}
	d.ids = append(d.ids, unique)
	return unique
}

// DecodeAnswer reads a whole answer.
func DecodeAnswer(body []byte) (*neutral.Answer, error) {
	if !failover.ValidJSON(body) {
		return nil, errNotAnswer
	}
	r, err := readResponse(body)
	if err != nil || r.failure.Present() || !r.candidate.IsObject() && !r.feedback.IsObject() {
		return nil, errNotAnswer
	}
	if _, failed := r.reason(); failed {
		return nil, errNotAnswer
	}
	a := &neutral.Answer{ID: r.id.Text(), Model: r.model.Text(), Usage: usageOf(r.usage)}
	var d reader
	if a.Blocks, err = d.parts(r); err != nil {
		return nil, err
	}
	a.Blocks = d.rest(a.Blocks)
	called := slices.ContainsFunc(a.Blocks, func(b neutral.Block) bool { return b.Kind == neutral.ToolCall })
	a.Finish = r.finish().Settle(called, false)
	return a, nil
}
