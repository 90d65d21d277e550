package gemini

import (
	"net/http"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/wire"
)

// statusWords are the canonical words for HTTP statuses.
var statusWords = map[int]string{
	http.StatusBadRequest:          "INVALID_ARGUMENT",
	http.StatusUnauthorized:        "UNAUTHENTICATED",
	http.StatusForbidden:           "PERMISSION_DENIED",
	http.StatusNotFound:            "NOT_FOUND",
	http.StatusConflict:            "ABORTED",
	http.StatusTooManyRequests:     "RESOURCE_EXHAUSTED",
	http.StatusInternalServerError: "INTERNAL",
	http.StatusServiceUnavailable:  "UNAVAILABLE",
	http.StatusGatewayTimeout:      "DEADLINE_EXCEEDED",
}

// ErrorBody writes Google's error object.
func (Format) ErrorBody(e failover.AppError) []byte {
	word := statusWords[e.Status]
	if word == "" {
		word = "UNKNOWN"
	}
	var w wire.Writer
	w.Open('{').Key("error").Open('{')
	w.Key("code").Int(int64(e.Status))
	w.Key("message").Text(e.Message)
	w.Key("status").Text(word)
	wire.Providers(&w, e.Providers)
	w.Close('}').Close('}')
	return w.Buf
}

// ErrorEvent writes the error object as a data-only event.
func (f Format) ErrorEvent(e failover.AppError) []byte {
	return wire.AppendEvent(nil, "", f.ErrorBody(e))
}
