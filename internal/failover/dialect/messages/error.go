package messages

import (
	"net/http"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/wire"
)

// typeOf maps the classes to Anthropic's error types. A class that is missing
// is an api_error.
var typeOf = map[failover.Class]string{
	failover.InvalidRequest:   "invalid_request_error",
	failover.ContextTooLong:   "invalid_request_error",
	failover.ContentPolicy:    "invalid_request_error",
	failover.Ineligible:       "invalid_request_error",
	failover.RequestTooLarge:  "request_too_large",
	failover.NotFound:         "not_found_error",
	failover.ModelNotFound:    "not_found_error",
	failover.Conflict:         "conflict_error",
	failover.Unauthorized:     "authentication_error",
	failover.PermissionDenied: "permission_error",
	failover.QuotaExceeded:    "billing_error",
	failover.RateLimited:      "rate_limit_error",
	failover.Overloaded:       "overloaded_error",
	failover.Exhausted:        "overloaded_error",

	failover.GatewayTimeout:    "timeout_error",
	failover.ConnectTimeout:    "timeout_error",
	failover.FirstByteTimeout:  "timeout_error",
	failover.FirstTokenTimeout: "timeout_error",
	failover.ResponseTimeout:   "timeout_error",
	failover.IdleTimeout:       "timeout_error",
	failover.DeadlineExceeded:  "timeout_error",
}

// ownTypes are the types that Anthropic itself sends; another dialect's type
// is never shown to an Anthropic client.
var ownTypes = map[string]bool{
	"invalid_request_error": true, "authentication_error": true, "billing_error": true,
	"permission_error": true, "not_found_error": true, "conflict_error": true,
	"request_too_large": true, "rate_limit_error": true, "api_error": true,
	"timeout_error": true, "overloaded_error": true,
}

func errorType(e failover.AppError) string {
	if ownTypes[e.Type] && !shared[e.Type] {
		return e.Type
	}
	if e.Class == failover.Exhausted && e.Status == http.StatusTooManyRequests {
		return "rate_limit_error"
	}
	if t, ok := typeOf[e.Class]; ok {
		return t
	}
	return "api_error"
}

// shared are the words that OpenAI uses too, in a wider sense: there the class
// tells more than the provider's type.
var shared = map[string]bool{"invalid_request_error": true, "rate_limit_error": true}

// ErrorBody writes Anthropic's error object. A code, which Anthropic keeps in
// details.error_code, is written there; what names our own refusals is a code.
func (Format) ErrorBody(e failover.AppError) []byte {
	code := e.Code
	if code == "" && e.Class == failover.Ineligible {
		code = "no_entry_supports_request"
	}
	var w wire.Writer
	w.Open('{')
	w.Key("type").Text("error")
	w.Key("error").Open('{')
	w.Key("type").Text(errorType(e))
	w.Key("message").Text(e.Message)
	if code != "" {
		w.Key("details").Open('{').Key("error_code").Text(code).Close('}')
	}
	wire.Providers(&w, e.Providers)
	w.Close('}')
	w.Close('}')
	return w.Buf
}
