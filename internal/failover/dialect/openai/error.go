// Package openai holds what the OpenAI dialects (Chat, Responses, Embeddings)
// have in common: the error object and the arithmetic of token counts.
package openai

import (
	"net/http"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/wire"
)

// kind is the pair of words by which OpenAI names an error.
type kind struct{ typ, code string }

// kindOf maps the classes to OpenAI's own words. A class that is missing is a
// server_error.
var kindOf = map[failover.Class]kind{
	failover.InvalidRequest:   {"invalid_request_error", ""},
	failover.ContextTooLong:   {"invalid_request_error", "context_length_exceeded"},
	failover.ContentPolicy:    {"invalid_request_error", "content_policy_violation"},
	failover.RequestTooLarge:  {"invalid_request_error", "request_too_large"},
	failover.NotFound:         {"invalid_request_error", "not_found"},
	failover.Conflict:         {"invalid_request_error", "conflict"},
	failover.Ineligible:       {"invalid_request_error", "no_entry_supports_request"},
	failover.Unauthorized:     {"authentication_error", "invalid_api_key"},
	failover.PermissionDenied: {"permission_error", ""},
	failover.QuotaExceeded:    {"insufficient_quota", "insufficient_quota"},
	failover.RateLimited:      {"rate_limit_error", "rate_limit_exceeded"},
	failover.ModelNotFound:    {"invalid_request_error", "model_not_found"},

	failover.Overloaded:         {"service_unavailable_error", "server_is_overloaded"},
	failover.ServiceUnavailable: {"service_unavailable_error", ""},
	failover.Exhausted:          {"service_unavailable_error", "no_provider_available"},
	failover.NotConfigured:      {"service_unavailable_error", "not_configured"},
	failover.CircuitOpen:        {"service_unavailable_error", "no_provider_available"},

	failover.GatewayTimeout:    {"server_error", "timeout"},
	failover.ConnectTimeout:    {"server_error", "timeout"},
	failover.FirstByteTimeout:  {"server_error", "timeout"},
	failover.FirstTokenTimeout: {"server_error", "timeout"},
	failover.ResponseTimeout:   {"server_error", "timeout"},
	failover.IdleTimeout:       {"server_error", "timeout"},
	failover.DeadlineExceeded:  {"server_error", "timeout"},
	failover.Truncated:         {"server_error", "stream_truncated"},
}

// ownTypes are the types that OpenAI itself sends. A provider's type is kept
// only if it is one of them: another dialect's would mean nothing to the app.
var ownTypes = map[string]bool{
	"invalid_request_error": true, "authentication_error": true, "permission_error": true,
	"insufficient_quota": true, "rate_limit_error": true, "rate_limit_exceeded": true,
	"service_unavailable_error": true, "server_error": true, "requests": true, "tokens": true,
}

func describe(e failover.AppError) kind {
	k, ok := kindOf[e.Class]
	switch {
	case e.Class == failover.Exhausted && e.Status == http.StatusTooManyRequests:
		k = kindOf[failover.RateLimited]
	case !ok:
		k = kind{"server_error", ""}
	}
	if ownTypes[e.Type] {
		k.typ = e.Type
	}
	if e.Code != "" {
		k.code = e.Code
	}
	return k
}

// ErrorBody writes {"error": {...}}.
func ErrorBody(e failover.AppError) []byte {
	k := describe(e)
	var w wire.Writer
	w.Open('{').Key("error").Open('{')
	w.Key("message").Text(e.Message)
	w.Key("type").Text(k.typ)
	w.Key("param").TextOrNull(e.Param)
	w.Key("code").TextOrNull(k.code)
	wire.Providers(&w, e.Providers)
	w.Close('}').Close('}')
	return w.Buf
}

// FlatErrorEvent writes the error event of Responses, whose members are not
// nested. Its sequence number is 0, because a rule without state cannot know
// the number that is due; no reader depends on it.
func FlatErrorEvent(e failover.AppError) []byte {
	k := describe(e)
	var w wire.Writer
	w.Open('{')
	w.Key("type").Text("error")
	w.Key("code").TextOrNull(k.code)
	w.Key("message").Text(e.Message)
	w.Key("param").TextOrNull(e.Param)
	w.Key("sequence_number").Int(0)
	wire.Providers(&w, e.Providers)
	w.Close('}')
	return wire.AppendEvent(nil, "error", w.Buf)
}
