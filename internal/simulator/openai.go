package simulator

import (
	"net/http"
	"slices"
	"strings"
)

// openAI answers a request in OpenAI's dialect.
func (x *exchange) openAI() error {
	if e := x.openAIGate(); e != nil {
		return x.sendError(*e)
	}
	if x.r.Method == http.MethodGet {
		return x.openAIModels()
	}
	o, ok := parse(x.body)
	if !ok {
		return x.sendError(*invalid("", "", "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)"))
	}
	switch x.path {
	case "/v1/chat/completions":
		return x.chat(o)
	case "/v1/responses":
		return x.responses(o)
	}
	return x.embeddings(o)
}

// openAIGate checks path, method, key and headers.
func (x *exchange) openAIGate() *apiError {
	post := slices.Contains([]string{"/v1/chat/completions", "/v1/responses", "/v1/embeddings"}, x.path)
	get := x.path == "/v1/models" || strings.HasPrefix(x.path, "/v1/models/")
	key := x.p.keyOf(x.r.Header)
	switch {
	case !post && !get:
		e := invalid("", "", "Invalid URL (%s %s)", x.r.Method, x.path)
		e.status = http.StatusNotFound
		return e
	case post && x.r.Method != http.MethodPost, get && x.r.Method != http.MethodGet:
		e := invalid("", "method_not_supported", "Not allowed to %s on %s. (HINT: Perhaps you meant to use a different HTTP method?)", x.r.Method, x.path)
		e.status = http.StatusMethodNotAllowed
		return e
	case key == "":
		e := invalid("", "", "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).")
		e.status = http.StatusUnauthorized
		return e
	case x.key == "":
		e := invalid("", "invalid_api_key", "Incorrect API key provided: %s. You can find your API key at https://platform.openai.com/account/api-keys.", mask(key))
		e.status = http.StatusUnauthorized
		return e
	case post && !isJSON(x.r.Header):
		return invalid("", "unsupported_content_type", "Unsupported content type: '%s'. This API method only accepts 'application/json' requests, but you specified the header 'Content-Type: %[1]s'. Please try again with a supported content type.", x.r.Header.Get("Content-Type"))
	}
	return nil
}

// mask shows the ends of a key, as OpenAI does in its error: what a proxy must not log.
func mask(key string) string {
	if len(key) < 16 {
		return strings.Repeat("*", len(key))
	}
	return key[:8] + strings.Repeat("*", len(key)-12) + key[len(key)-4:]
}

// models are the names that GET /v1/models lists.
func (p *Provider) models() []string {
	switch {
	case len(p.config.Models) > 0:
		return p.config.Models
	case p.config.Kind == Bedrock:
		return bedrockModels
	case p.config.Kind == Anthropic:
		return []string{"claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5"}
	case p.config.Kind == Gemini:
		return []string{"gemini-2.5-flash", "gemini-2.5-pro", "gemini-3-pro-preview", "gemini-3.5-flash"}
	}
	return []string{"gpt-4o", "gpt-4o-mini", "gpt-5", "text-embedding-3-small"}
}

// openAIModel is an entry of the list of models.
type openAIModel struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
}

// openAIModels answers GET /v1/models and GET /v1/models/ID.
func (x *exchange) openAIModels() error {
	entry := func(id string) openAIModel { return openAIModel{id, "model", 1770000000, "system"} }
	if id, ok := strings.CutPrefix(x.path, "/v1/models/"); ok {
		x.model = id
		if !x.p.knows(id) {
			return x.sendError((&Fault{}).errorFor(OpenAI, http.StatusNotFound))
		}
		x.header(http.StatusOK, "application/json")
		return x.finish(encode(entry(id)))
	}
	out := struct {
		Object string        `json:"object"`
		Data   []openAIModel `json:"data"`
	}{Object: "list"}
	for _, id := range x.p.models() {
		out.Data = append(out.Data, entry(id))
	}
	x.header(http.StatusOK, "application/json")
	return x.finish(encode(out))
}

// stringsOf reads a string or a list of strings.
func stringsOf(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, item := range v {
			if s, ok := item.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}
