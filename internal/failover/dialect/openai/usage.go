package openai

import (
	"github.com/understudy-dev/understudy/internal/failover"
)

// Usage reads the usage object of any OpenAI dialect: Chat and Embeddings name
// the sides prompt and completion, Responses names them input and output. Both
// count cached tokens as input.
func Usage(v failover.RawJSON) failover.Usage {
	var u failover.Usage
	if !v.IsObject() {
		return u
	}
	_ = failover.EachMember(v, func(name []byte, value failover.RawJSON) bool {
		switch string(name) {
		case "prompt_tokens", "input_tokens":
			u.Input, _ = value.Int()
		case "completion_tokens", "output_tokens":
			u.Output, _ = value.Int()
		case "prompt_tokens_details", "input_tokens_details":
			u.CachedInput, _ = value.Member("cached_tokens").Int()
		}
		return true
	})
	return u
}

// Empty reports a value that carries nothing: absent, null, "", [] or {}.
func Empty(v failover.RawJSON) bool {
	switch {
	case !v.Present() || v.IsEmptyString():
		return true
	case v.IsArray():
		none := true
		_ = failover.EachElement(v, func(failover.RawJSON) bool { none = false; return false })
		return none
	case v.IsObject():
		none := true
		_ = failover.EachMember(v, func([]byte, failover.RawJSON) bool { none = false; return false })
		return none
	}
	return false
}

// Object calls f for the members of a whole answer. It reports false for a
// body that is not a JSON object, and for one with a top-level error, which
// some servers send with status 200.
func Object(body []byte, f func(name []byte, value failover.RawJSON)) bool {
	if !failover.ValidJSON(body) {
		return false
	}
	failed := false
	err := failover.EachMember(body, func(name []byte, value failover.RawJSON) bool {
		if string(name) == "error" && value.Present() {
			failed = true
		}
		f(name, value)
		return true
	})
	return err == nil && !failed
}
