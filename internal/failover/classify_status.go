package failover

import "net/http"

// statusOfType gives the HTTP status that a provider's error type stands for,
// for errors that arrive inside a 200.
var statusOfType = map[string]int{
	"invalid_request_error":     http.StatusBadRequest,
	"invalid_prompt":            http.StatusBadRequest,
	"authentication_error":      http.StatusUnauthorized,
	"invalid_api_key":           http.StatusUnauthorized,
	"billing_error":             http.StatusPaymentRequired,
	"permission_error":          http.StatusForbidden,
	"not_found_error":           http.StatusNotFound,
	"model_not_found":           http.StatusNotFound,
	"request_too_large":         http.StatusRequestEntityTooLarge,
	"rate_limit_error":          http.StatusTooManyRequests,
	"rate_limit_exceeded":       http.StatusTooManyRequests,
	"insufficient_quota":        http.StatusTooManyRequests,
	"api_error":                 http.StatusInternalServerError,
	"server_error":              http.StatusInternalServerError,
	"service_unavailable_error": http.StatusServiceUnavailable,
	"server_is_overloaded":      http.StatusServiceUnavailable,
	"timeout_error":             http.StatusGatewayTimeout,
	"overloaded_error":          529, // Anthropic's own status

	"ValidationException":           http.StatusBadRequest,
	"ServiceQuotaExceededException": http.StatusBadRequest,
	"AccessDeniedException":         http.StatusForbidden,
	"ExpiredTokenException":         http.StatusForbidden,
	"ResourceNotFoundException":     http.StatusNotFound,
	"ModelTimeoutException":         http.StatusRequestTimeout,
	"ModelErrorException":           http.StatusFailedDependency,
	"ModelStreamErrorException":     http.StatusFailedDependency,
	"ModelNotReadyException":        http.StatusTooManyRequests,
	"ThrottlingException":           http.StatusTooManyRequests,
	"InternalServerException":       http.StatusInternalServerError,
	"ServiceUnavailableException":   http.StatusServiceUnavailable,

	"INVALID_ARGUMENT":    http.StatusBadRequest,
	"FAILED_PRECONDITION": http.StatusBadRequest,
	"OUT_OF_RANGE":        http.StatusBadRequest,
	"UNAUTHENTICATED":     http.StatusUnauthorized,
	"PERMISSION_DENIED":   http.StatusForbidden,
	"NOT_FOUND":           http.StatusNotFound,
	"RESOURCE_EXHAUSTED":  http.StatusTooManyRequests,
	"INTERNAL":            http.StatusInternalServerError,
	"UNAVAILABLE":         http.StatusServiceUnavailable,
	"DEADLINE_EXCEEDED":   http.StatusGatewayTimeout,
}
