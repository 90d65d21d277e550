package simulator

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// vertexPrefix is where Vertex AI serves the same API, to OAuth tokens instead of keys.
const vertexPrefix = "/v1/projects/"

// geminiTarget finds the model and the method in a path. The model of a tuned endpoint has slashes in it.
var geminiTarget = regexp.MustCompile(`^(?:/v1beta|/v1/projects/[^/]+/locations/[^/]+/publishers/google)/models/([^/:]+):([a-zA-Z]+)$`)

// readTarget takes from the path what other providers take from the body. Only alt=sse makes a stream of events; without
// it streamGenerateContent answers a list, which comes in one piece here.
func (x *exchange) readTarget() {
	x.model, x.stream = "", false
	if m := geminiTarget.FindStringSubmatch(x.path); m != nil {
		x.model = m[1]
		x.stream = m[2] == "streamGenerateContent" && x.r.URL.Query().Get("alt") == "sse"
	}
}

// gemini answers a request in Gemini's dialect.
func (x *exchange) gemini() error {
	var method string
	if m := geminiTarget.FindStringSubmatch(x.path); m != nil {
		method = m[2]
	}
	listing := x.path == "/v1beta/models" || strings.HasPrefix(x.path, "/v1beta/models/") && method == ""
	switch {
	case !listing && !slices.Contains([]string{"generateContent", "streamGenerateContent", "countTokens"}, method),
		(x.r.Method == http.MethodGet) != listing:
		x.header(http.StatusNotFound, "text/html; charset=UTF-8")
		return x.finish("<!DOCTYPE html>\n<html lang=en>\n<title>Error 404 (Not Found)!!1</title>\n")
	}
	if e := x.geminiKey(); e != nil {
		return x.sendError(*e)
	}
	if listing {
		return x.geminiModels()
	}
	o, ok := parse(x.body)
	if !ok {
		return x.sendError(*geminiBad("Invalid JSON payload received. Unexpected end of string. Expected an object key or }."))
	}
	if method == "countTokens" {
		if inner, ok := o["generateContentRequest"].(object); ok && len(o) == 1 {
			o = inner
			delete(o, "model")
		}
	}
	if e := checkGemini(o, x.model); e != nil {
		return x.sendError(*e)
	}
	if !x.p.knows(x.model) {
		return x.sendError((&Fault{}).errorFor(Gemini, http.StatusNotFound))
	}
	p := x.geminiPrompt(o)
	if method == "countTokens" {
		x.header(http.StatusOK, "application/json; charset=UTF-8")
		return x.finish(encode(map[string]int{"totalTokens": p.chars/4 + 1}))
	}
	a := x.generate(o, p)
	if method == "streamGenerateContent" && !x.stream {
		a.unary = inList(a.events)
	}
	return x.play(a)
}

// inList is a stream without alt=sse: one JSON list of the fragments.
func inList(events []event) string {
	var all []string
	for _, ev := range events {
		all = append(all, ev.data)
	}
	return "[" + strings.Join(all, ",\r\n") + "]"
}

// geminiKey checks the credential.
func (x *exchange) geminiKey() *apiError {
	key := x.p.keyOf(x.r.Header)
	vertex := strings.HasPrefix(x.path, vertexPrefix)
	asKey := x.r.Header.Get("X-Goog-Api-Key") != ""
	switch {
	case key == "" && !vertex:
		return &apiError{status: 403, kind: "PERMISSION_DENIED", message: "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API."}
	case vertex && (asKey || x.key == ""), !asKey && x.key == "":
		return &apiError{status: 401, kind: "UNAUTHENTICATED", message: "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential."}
	case x.key == "":
		return &apiError{status: 400, kind: "INVALID_ARGUMENT", code: "API_KEY_INVALID", message: "API key not valid. Please pass a valid API key."}
	}
	return nil
}

// geminiModel is an entry of the list of models.
type geminiModel struct {
	Name    string   `json:"name"`
	Version string   `json:"version"`
	Display string   `json:"displayName"`
	Input   int      `json:"inputTokenLimit"`
	Output  int      `json:"outputTokenLimit"`
	Methods []string `json:"supportedGenerationMethods"`
}

// geminiModels answers GET /v1beta/models and GET /v1beta/models/ID.
func (x *exchange) geminiModels() error {
	entry := func(id string) geminiModel {
		return geminiModel{"models/" + id, "001", id, 1 << 20, 1 << 16, []string{"generateContent", "countTokens"}}
	}
	if id, ok := strings.CutPrefix(x.path, "/v1beta/models/"); ok {
		x.model = id
		if !x.p.knows(id) {
			return x.sendError((&Fault{}).errorFor(Gemini, http.StatusNotFound))
		}
		x.header(http.StatusOK, "application/json; charset=UTF-8")
		return x.finish(encode(entry(id)))
	}
	var out struct {
		Models []geminiModel `json:"models"`
	}
	for _, id := range x.p.models() {
		out.Models = append(out.Models, entry(id))
	}
	x.header(http.StatusOK, "application/json; charset=UTF-8")
	return x.finish(encode(out))
}

// geminiError is the body of Google's errors.
type geminiError struct {
	Error struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
		Status  string `json:"status"`
		Details []any  `json:"details,omitempty"`
	} `json:"error"`
}

// geminiBody writes an error. Its code, where it has one, is the reason of a detail.
func (e apiError) geminiBody() string {
	var out geminiError
	out.Error.Code, out.Error.Message, out.Error.Status = e.status, e.message, e.kind
	if e.code != "" {
		out.Error.Details = []any{json.RawMessage(`{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":` + encode(e.code) + `,"domain":"googleapis.com"}`)}
	}
	return encode(out)
}

// geminiErrors are Gemini's errors by status.
var geminiErrors = map[int]apiError{
	400: {kind: "INVALID_ARGUMENT", message: "Request contains an invalid argument."},
	// A key that is not valid is a bad request here; a fault that says 401 is an outage of the authentication.
	401: {kind: "UNAUTHENTICATED", message: "Request had invalid authentication credentials."},
	403: {kind: "PERMISSION_DENIED", message: "The caller does not have permission"},
	404: {
		kind:    "NOT_FOUND",
		message: "models/{{model}} is not found for API version v1beta, or is not supported for generateContent. Call ListModels to see the list of available models and their supported methods.",
	},
	409: {kind: "ABORTED", message: "The operation was aborted."},
	413: {kind: "INVALID_ARGUMENT", message: "Request payload size exceeds the limit: 20971520 bytes."},
	429: {kind: "RESOURCE_EXHAUSTED", message: "Resource exhausted. Please try again later."},
	500: {kind: "INTERNAL", message: "An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/troubleshooting"},
	502: {kind: "UNKNOWN", message: "Bad gateway."},
	503: {kind: "UNAVAILABLE", message: "The model is overloaded. Please try again later."},
	504: {kind: "DEADLINE_EXCEEDED", message: "Deadline expired before operation could complete."},
}
