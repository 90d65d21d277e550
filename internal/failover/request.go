package failover

import (
	"errors"
	"net/http"
	"time"
)

// Request is one call of the app, read whole.
type Request struct {
	Operation Operation
	// ChainName is the chain named in the path; empty for none.
	ChainName string
	Header    http.Header // the app's headers; not changed
	Query     string      // the app's raw query
	Body      *Replay
	Received  time.Time // when its head arrived
}

// Shape is what the walk must know of a body.
type Shape struct {
	Model    string
	Stream   bool
	Thinking bool // the request asks for extended thinking or reasoning
	// MaxTokens is the limit of the answer that the app set; 0: none.
	MaxTokens int64
	// Previous is the id of the response that the request goes on from.
	Previous string

	// model[0]:model[1] is the raw value of `model` in the body; both 0 where
	// there is none.
	model [2]int
}

// ErrDuplicateModel refuses a body that names two models: servers disagree on
// which one counts, and so would the entries of a chain.
var ErrDuplicateModel = errors.New(`the body has "model" twice; send it once`)

// Peek reads the shape of a request body in one pass, without decoding it.
func Peek(body []byte) (Shape, error) {
	var s Shape
	models := 0
	err := eachMember(body, func(name []byte, start, end int) bool {
		v := RawJSON(body[start:end])
		switch string(name) {
		case "model":
			models++
			s.Model = v.Text()
			s.model = [2]int{start, end}
		case "stream":
			s.Stream = v.Bool()
		case "max_tokens", "max_completion_tokens", "max_output_tokens":
			if n, ok := v.Int(); ok {
				s.MaxTokens = max(s.MaxTokens, n)
			}
		case "previous_response_id":
			s.Previous = v.Text()
		case "thinking":
			kind := v.Member("type").Text()
			s.Thinking = s.Thinking || kind == "enabled" || kind == "adaptive"
		case "reasoning_effort":
			s.Thinking = s.Thinking || asksToThink(v)
		case "reasoning":
			s.Thinking = s.Thinking || asksToThink(v.Member("effort"))
		}
		return true
	})
	if err == nil && models > 1 {
		err = ErrDuplicateModel
	}
	return s, err
}

func asksToThink(effort RawJSON) bool {
	e := effort.Text()
	return e != "" && e != "none" && e != "minimal"
}

// withModel is the body with the value of `model` replaced and every other
// byte as it was. A body without `model` gets it as its first member.
func (s Shape) withModel(r *Replay, model string) *Replay {
	if s.model[1] > 0 && model == s.Model {
		return r
	}
	body := r.Bytes()
	quoted := appendJSONString(nil, model)
	at := s.model
	if at[1] == 0 {
		open := skipSpace(body, 0) + 1
		at = [2]int{open, open}
		quoted = append([]byte(`"model":`), quoted...)
		if i := skipSpace(body, open); i < len(body) && body[i] != '}' {
			quoted = append(quoted, ',')
		}
	}
	return r.spliced(at[0], at[1], quoted)
}
