package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// apiError is an error in the terms of a provider.
type apiError struct {
	status  int
	kind    string // error.type
	code    string // error.code; on Anthropic error.details.error_code, on Gemini the reason of a detail
	param   string // OpenAI only.
	message string
}

// encode writes JSON as the providers do: one line, without escaping HTML.
func encode(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("simulator: encoding an answer: %v", err)) // Our own types always encode.
	}
	return string(bytes.TrimRight(b.Bytes(), "\n"))
}

// orNull is JSON's null for the empty string.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// openAIError is the body of OpenAI's errors. All four members are always there.
type openAIError struct {
	Error struct {
		Message string `json:"message"`
		Type    any    `json:"type"`
		Param   any    `json:"param"`
		Code    any    `json:"code"`
	} `json:"error"`
}

// anthropicError is the body of Anthropic's errors.
type anthropicError struct {
	Type  string `json:"type"`
	Error struct {
		Type    string         `json:"type"`
		Message string         `json:"message"`
		Details *anthropicCode `json:"details,omitempty"`
	} `json:"error"`
	RequestID string `json:"request_id"`
}

// anthropicCode is the part of Anthropic's errors that tells kinds of one type apart.
type anthropicCode struct {
	ErrorCode string `json:"error_code"`
}

// body is the error as JSON, with the placeholders of [Fault.Body].
func (e apiError) body(kind Kind) string {
	switch kind {
	case Gemini:
		return e.geminiBody()
	case Bedrock:
		return encode(awsMessage{e.message})
	}
	if kind == Anthropic {
		out := anthropicError{Type: "error", RequestID: "{{request_id}}"}
		out.Error.Type, out.Error.Message = e.kind, e.message
		if e.code != "" {
			out.Error.Details = &anthropicCode{ErrorCode: e.code}
		}
		return encode(out)
	}
	var out openAIError
	out.Error.Message, out.Error.Type = e.message, orNull(e.kind)
	out.Error.Param, out.Error.Code = orNull(e.param), orNull(e.code)
	return encode(out)
}

// responsesEvent is the error as the data of a Responses stream's error event.
func (e apiError) responsesEvent() string {
	code := e.code
	if code == "" {
		code = e.kind
	}
	return encode(struct {
		Type     string `json:"type"`
		Code     any    `json:"code"`
		Message  string `json:"message"`
		Param    any    `json:"param"`
		Sequence int    `json:"sequence_number"`
	}{"error", orNull(code), e.message, orNull(e.param), 99})
}

// errorFor is the error of a status, with the fault's own type, code and message over it.
func (f *Fault) errorFor(kind Kind, status int) apiError {
	e := openAIErrors[status]
	fallback := apiError{kind: "invalid_request_error"}
	if status >= 500 {
		fallback = apiError{kind: "server_error"}
	}
	switch kind {
	case Anthropic:
		e = anthropicErrors[status]
		if status >= 500 {
			fallback.kind = "api_error"
		}
	case Gemini:
		e, fallback.kind = geminiErrors[status], "UNKNOWN"
	}
	if kind == Bedrock {
		e = bedrockErrorFor(status)
	}
	if e.message == "" {
		e = fallback
		e.message = http.StatusText(status)
	}
	e.status = status
	if f.Type != "" {
		e.kind, e.code = f.Type, ""
	}
	if f.Code != "" {
		e.code = f.Code
	}
	if f.Message != "" {
		e.message = f.Message
	}
	return e
}

// openAIErrors are OpenAI's errors by status.
var openAIErrors = map[int]apiError{
	400: {kind: "invalid_request_error", message: "Invalid request."},
	401: {
		kind: "invalid_request_error", code: "invalid_api_key",
		message: "Incorrect API key provided: sk-sim**********************ated. You can find your API key at https://platform.openai.com/account/api-keys.",
	},
	402: {kind: "insufficient_quota", code: "credit_balance_exhausted", message: "Insufficient balance."},
	403: {
		kind: "invalid_request_error", code: "unsupported_country_region_territory",
		message: "Country, region, or territory not supported",
	},
	404: {
		kind: "invalid_request_error", code: "model_not_found",
		message: "The model `{{model}}` does not exist or you do not have access to it.",
	},
	408: {kind: "server_error", code: "timeout", message: "Request timed out."},
	409: {kind: "invalid_request_error", code: "conflict", message: "The resource is locked by another request."},
	413: {kind: "invalid_request_error", code: "request_too_large", message: "Request body is too large."},
	422: {kind: "invalid_request_error", message: "The request could not be processed."},
	429: {
		kind: "requests", code: "rate_limit_exceeded",
		message: "Rate limit reached for {{model}} in organization org-simulated on requests per min (RPM): Limit 500, Used 500, Requested 1. Please try again in 120ms.",
	},
	500: {
		kind:    "server_error",
		message: "The server had an error while processing your request. Sorry about that! (request ID {{request_id}})",
	},
	502: {kind: "server_error", message: "Bad gateway."},
	503: {
		kind: "service_unavailable_error", code: "server_is_overloaded",
		message: "Our servers are currently overloaded. Please try again later.",
	},
	504: {kind: "server_error", code: "timeout", message: "The request took too long."},
}

// anthropicErrors are Anthropic's errors by status.
var anthropicErrors = map[int]apiError{
	400: {kind: "invalid_request_error", message: "Invalid request."},
	401: {kind: "authentication_error", message: "invalid x-api-key"},
	402: {kind: "billing_error", message: "There is a problem with your billing or payment details."},
	403: {kind: "permission_error", message: "Your API key does not have permission to use the specified resource."},
	404: {kind: "not_found_error", message: "model: {{model}}"},
	408: {kind: "timeout_error", message: "Request timed out."},
	409: {kind: "conflict_error", message: "The request conflicts with another one."},
	413: {kind: "request_too_large", message: "Request exceeds the maximum size"},
	422: {kind: "invalid_request_error", message: "The request could not be processed."},
	429: {
		kind:    "rate_limit_error",
		message: "This request would exceed your organization's rate limit of 50 requests per minute. Please try again later.",
	},
	500: {kind: "api_error", message: "Internal server error"},
	503: {kind: "api_error", message: "Service unavailable"},
	504: {kind: "timeout_error", message: "The request timed out while processing."},
	529: {kind: "overloaded_error", message: "Overloaded"},
}

// tooLargeError is the answer to a body over [maxBody].
func tooLargeError(kind Kind) apiError {
	return (&Fault{}).errorFor(kind, http.StatusRequestEntityTooLarge)
}

// providerHeaders sets the headers that the provider sends with every answer.
func (p *Provider) providerHeaders(h http.Header, x *exchange) {
	now := time.Now().UTC()
	if p.config.Kind == Bedrock {
		h.Set("X-Amzn-Requestid", x.id)
		return
	}
	if p.config.Kind == Gemini { // It names no request and no limits.
		h.Set("Server", "scaffolding on HTTPServer2")
		h.Set("Vary", "X-Origin, Referer, Origin,Accept-Encoding")
		return
	}
	if p.config.Kind == Anthropic {
		h.Set("Request-Id", x.id)
		h.Set("Anthropic-Organization-Id", "00000000-0000-4000-8000-000000000001")
		for _, limit := range []struct {
			name             string
			limit, remaining int
		}{
			{"Requests", 50, 49}, {"Tokens", 100000, 99000}, {"Input-Tokens", 80000, 79000}, {"Output-Tokens", 20000, 20000},
		} {
			h.Set("Anthropic-Ratelimit-"+limit.name+"-Limit", fmt.Sprint(limit.limit))
			h.Set("Anthropic-Ratelimit-"+limit.name+"-Remaining", fmt.Sprint(limit.remaining))
			h.Set("Anthropic-Ratelimit-"+limit.name+"-Reset", now.Add(time.Second).Format(time.RFC3339))
		}
		return
	}
	h.Set("X-Request-Id", x.id)
	h.Set("Openai-Version", "2020-10-01")
	h.Set("Openai-Organization", "org-simulated")
	h.Set("Openai-Processing-Ms", fmt.Sprint(time.Since(x.rec.Time).Milliseconds()))
	h.Set("X-Ratelimit-Limit-Requests", "500")
	h.Set("X-Ratelimit-Remaining-Requests", "499")
	h.Set("X-Ratelimit-Reset-Requests", "120ms")
	h.Set("X-Ratelimit-Limit-Tokens", "30000")
	h.Set("X-Ratelimit-Remaining-Tokens", "29000")
	h.Set("X-Ratelimit-Reset-Tokens", "2s")
}
