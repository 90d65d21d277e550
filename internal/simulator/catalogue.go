package simulator

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Scenario is a named fault of the catalogue.
type Scenario struct {
	Name        string
	Description string
	// Kinds that have it.
	Kinds []Kind

	faults map[Kind]Fault
}

// Catalogue returns all named faults, in the order of the list that the command prints.
func Catalogue() []Scenario {
	all := slices.Concat(credentialScenarios(), statusScenarios(), edgeScenarios(), answerScenarios(), streamScenarios())
	return slices.Concat(withBedrock(withGemini(all)), geminiScenarios(), bedrockScenarios())
}

// Lookup returns a fault of the catalogue for a kind of provider. The fault may be changed before it is set.
func Lookup(kind Kind, name string) (Fault, error) {
	for _, s := range Catalogue() {
		if s.Name != name {
			continue
		}
		f, ok := s.faults[kind]
		if !ok {
			return Fault{}, fmt.Errorf("fault %q does not exist at a provider of kind %s", name, kind)
		}
		f.Name = name
		return f, nil
	}
	return Fault{}, fmt.Errorf("fault %q is not in the catalogue; see sidecar simulate --list", name)
}

// both is a fault that either kind has.
func both(name, description string, f Fault) Scenario {
	return Scenario{name, description, []Kind{OpenAI, Anthropic}, map[Kind]Fault{OpenAI: f, Anthropic: f}}
}

// each is a fault that the kinds show differently.
func each(name, description string, openAI, anthropic Fault) Scenario {
	return Scenario{name, description, []Kind{OpenAI, Anthropic}, map[Kind]Fault{OpenAI: openAI, Anthropic: anthropic}}
}

// only is a fault that one kind has.
func only(kind Kind, name, description string, f Fault) Scenario {
	return Scenario{name, description, []Kind{kind}, map[Kind]Fault{kind: f}}
}

// answering is a response of the provider with its own error for the status.
func answering(status int) Fault { return Fault{Effect: Respond, Status: status} }

// saying is answering with another error in it.
func saying(status int, kind, code, message string) Fault {
	return Fault{Effect: Respond, Status: status, Type: kind, Code: code, Message: message}
}

// with adds headers, given as pairs.
func (f Fault) with(pairs ...string) Fault {
	f.Header = map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		f.Header[pairs[i]] = pairs[i+1]
	}
	return f
}

// credentialScenarios are about keys, money and limits.
func credentialScenarios() []Scenario {
	quota := func(code, message string) Fault { return saying(429, "insufficient_quota", code, message) }
	return []Scenario{
		both("bad-key", "401: the key is not valid, or the provider's authentication is down", answering(401)),
		both("forbidden", "403: the key may not use this, or the region is not served", answering(403)),
		both("payment-required", "402: a billing problem", answering(402)),
		only(Anthropic, "credit-balance", "400 invalid_request_error: the prepaid credit is used up",
			saying(400, "invalid_request_error", "", "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.")),
		only(Anthropic, "usage-limit", "400 invalid_request_error: the customer's own spend limit, with a date",
			saying(400, "invalid_request_error", "", "You have reached your specified API usage limits. You will regain access on 2099-01-01 at 00:00 UTC.")),
		only(Anthropic, "spend-limit", "429 rate_limit_error with code enforced_spend_limit_reached",
			saying(429, "rate_limit_error", "enforced_spend_limit_reached", "The enforced spend limit of this organization is reached.")),
		only(Anthropic, "organization-on-hold", "400 invalid_request_error with code organization_on_hold",
			saying(400, "invalid_request_error", "organization_on_hold", "This organization is on hold.")),
		only(OpenAI, "insufficient-quota", "429 insufficient_quota: money or a plan is used up",
			quota("insufficient_quota", "You exceeded your current quota, please check your plan and billing details.")),
		only(OpenAI, "credit-exhausted", "429 insufficient_quota with code credit_balance_exhausted",
			quota("credit_balance_exhausted", "Your credit balance is exhausted.")),
		only(OpenAI, "project-spend-limit", "429 insufficient_quota with code project_spend_limit_exceeded",
			quota("project_spend_limit_exceeded", "The spend limit of this project is reached.")),
		both("rate-limit", "429 with Retry-After: 20", answering(429).with("Retry-After", "20")),
		both("rate-limit-ms", "429 with retry-after-ms: 1500 and Retry-After: 2",
			answering(429).with("Retry-After-Ms", "1500", "Retry-After", "2")),
		both("rate-limit-long", "429 with Retry-After: 3600", answering(429).with("Retry-After", "3600")),
		both("rate-limit-no-hint", "429 without any hint when to come back", answering(429).with(
			"Anthropic-Ratelimit-Requests-Reset", "", "Anthropic-Ratelimit-Tokens-Reset", "",
			"Anthropic-Ratelimit-Input-Tokens-Reset", "", "Anthropic-Ratelimit-Output-Tokens-Reset", "",
			"X-Ratelimit-Reset-Requests", "", "X-Ratelimit-Reset-Tokens", "")),
		both("rate-limit-zero", "429 with Retry-After: 0", answering(429).with("Retry-After", "0")),
		only(OpenAI, "slow-down", "429 rate_limit_error slow_down: traffic grew too fast",
			saying(429, "rate_limit_error", "slow_down", "The request rate rose too quickly. Please slow down.")),
		only(Anthropic, "long-context-entitlement", "429 that is about the length of the prompt, not about the rate",
			saying(429, "rate_limit_error", "", "Extra usage is required for long context requests.")),
	}
}

// statusScenarios are errors of the API itself.
func statusScenarios() []Scenario {
	return []Scenario{
		both("bad-request", "400: the request is not valid", answering(400)),
		each("context-too-long", "400: the prompt is longer than the context window",
			saying(400, "invalid_request_error", "context_length_exceeded", "This model's maximum context length is 128000 tokens. However, your messages resulted in 203789 tokens. Please reduce the length of the messages."),
			saying(400, "invalid_request_error", "", "prompt is too long: 203789 tokens > 200000 maximum")),
		only(OpenAI, "content-policy", "400 content_policy_violation",
			saying(400, "invalid_request_error", "content_policy_violation", "Your request was rejected by the safety system.")),
		each("unsupported-parameter", "400: a parameter that this model does not take",
			saying(400, "invalid_request_error", "unsupported_parameter", "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."),
			saying(400, "invalid_request_error", "", "`temperature` is not supported for this model.")),
		both("model-retired", "404: the model was retired or is unknown", answering(404)),
		both("timeout-408", "408: the provider gave up waiting", answering(408)),
		both("conflict", "409: a lock or a conflict", answering(409)),
		each("too-large", "413: the body is too large; Anthropic's edge answers with HTML", answering(413),
			Fault{Effect: Respond, Status: 413, Body: htmlPage("413 Request Entity Too Large")}.with("Content-Type", "text/html")),
		both("unprocessable", "422: parameters that cannot be processed", answering(422)),
		both("server-error", "500: the provider failed", answering(500)),
		both("bad-gateway-json", "502 as JSON", answering(502)),
		both("unavailable", "503: overloaded or in maintenance", answering(503)),
		both("unavailable-hint", "503 with Retry-After: 30", answering(503).with("Retry-After", "30")),
		both("gateway-timeout", "504: the answer took too long", answering(504)),
		each("overloaded", "529 overloaded_error at Anthropic, 503 server_is_overloaded at OpenAI", answering(503), answering(529)),
	}
}

// htmlPage is a page of a web server.
func htmlPage(title string) string {
	return "<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + title +
		"</h1></center>\r\n<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n"
}

// edge is a page of the network in front of the provider, without the provider's own headers.
func edge(status int, title string) Fault {
	return Fault{Effect: Respond, Status: status, Body: htmlPage(title)}.with(
		"Content-Type", "text/html; charset=UTF-8", "Server", "cloudflare", "Cf-Ray", "8f0000000000abcd-FRA",
		"Request-Id", "", "X-Request-Id", "", "Openai-Version", "", "Openai-Organization", "", "Openai-Processing-Ms", "",
		"Anthropic-Organization-Id", "")
}

// edgeScenarios come from what stands between the client and the provider.
func edgeScenarios() []Scenario {
	out := []Scenario{
		both("bad-gateway", "502: an HTML page of the edge", edge(502, "api.provider.test | 502: Bad gateway")),
		both("challenge", "403: an HTML challenge page", edge(403, "Just a moment...")),
		both("redirect", "302 to a login page", Fault{Effect: Respond, Status: 302, NoBody: true}.with("Location", "http://127.0.0.1:1/login")),
		both("html-200", "200 with an HTML page", edge(200, "Down for maintenance")),
		both("empty-200", "200 without a body", Fault{Effect: Respond, Status: 200, NoBody: true}),
		both("blank-200", "200 with a body of blank lines", Fault{Effect: Respond, Status: 200, Body: "\n\n\n"}),
		both("close", "the connection ends before any answer", Fault{Effect: Close}),
		both("reset", "a TCP reset before any answer", Fault{Effect: Reset}),
		both("reset-after-headers", "a TCP reset after the headers", Fault{Effect: ResetAfterHeaders}),
		both("hang", "no answer at all, not even headers", Fault{Effect: Hang}),
		both("slow-headers", "headers only after 5 s", Fault{Effect: Hang, Delay: 5 * time.Second}),
		both("hang-after-headers", "headers, and then nothing", Fault{Effect: HangAfterHeaders}),
		both("short-body", "a Content-Length larger than the body", Fault{Effect: ShortBody}),
	}
	for status, title := range map[int]string{
		520: "Web server is returning an unknown error", 521: "Web server is down", 522: "Connection timed out",
		523: "Origin is unreachable", 524: "A timeout occurred", 525: "SSL handshake failed", 526: "Invalid SSL certificate",
		530: "Origin DNS error",
	} {
		name := fmt.Sprintf("edge-%d", status)
		out = append(out, both(name, fmt.Sprintf("%d: an HTML page of the edge, %s", status, strings.ToLower(title)),
			edge(status, fmt.Sprintf("api.provider.test | %d: %s", status, title))))
	}
	slices.SortStableFunc(out, func(a, b Scenario) int {
		if strings.HasPrefix(a.Name, "edge-") && strings.HasPrefix(b.Name, "edge-") {
			return strings.Compare(a.Name, b.Name)
		}
		return 0
	})
	return out
}

// answerScenarios are answers with status 200 that are none.
func answerScenarios() []Scenario {
	return []Scenario{
		each("error-200", "200 with a top-level error in the JSON",
			Fault{Effect: Respond, Status: 200, Body: `{"error":{"message":"Upstream is overloaded","type":"server_error","param":null,"code":503}}`},
			Fault{Effect: Respond, Status: 200, Body: `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"{{request_id}}"}`}),
		both("empty-answer", "200 in the right shape with nothing in it", Fault{Effect: EmptyAnswer}),
		both("invalid-json", "200 with JSON that is cut off", Fault{Effect: Respond, Status: 200, Body: `{"id":"x","object":`}),
		both("keep-alives", "headers, and then only comments, pings or blank lines", Fault{Effect: KeepAlives}),
		both("slow-first-token", "the first content only after 30 s", Fault{Effect: SlowFirstToken, Delay: 30 * time.Second}),
		both("drip", "3 s between tokens", Fault{Effect: Drip, Delay: 3 * time.Second}),
	}
}

// streamScenarios happen after the stream began.
func streamScenarios() []Scenario {
	return []Scenario{
		both("error-event", "an error event before any content", Fault{Effect: ErrorEvent}),
		both("error-event-late", "an error event after 3 content events", Fault{Effect: ErrorEvent, After: 3}),
		both("reset-mid-stream", "a TCP reset after 3 content events", Fault{Effect: ResetMidStream, After: 3}),
		both("cut", "a clean end after 3 content events, without finish or terminal event", Fault{Effect: Cut, After: 3}),
		both("cut-early", "a clean end before any content", Fault{Effect: Cut}),
		both("cut-mid-event", "a clean end in the middle of an event, after 3 content events", Fault{Effect: CutMidEvent, After: 3}),
		both("malformed", "one event that is not JSON, after 3 content events", Fault{Effect: Malformed, After: 3}),
		both("malformed-first", "one event that is not JSON, before any content", Fault{Effect: Malformed}),
		both("stall", "silence without end after 3 content events", Fault{Effect: Stall, After: 3}),
		both("stall-60s", "60 s of silence after 3 content events", Fault{Effect: Stall, After: 3, Delay: time.Minute}),
		both("no-terminal", "a finish, but no [DONE] or message_stop", Fault{Effect: NoTerminal}),
		both("hold-open", "a whole answer whose body never ends", Fault{Effect: HoldOpen}),
		both("double-terminal", "the terminal event twice", Fault{Effect: DoubleTerminal}),
		both("oddities", "legal but unusual: a comment, empty choices, an unknown event type", Fault{Effect: Oddities}),
		both("crlf", "lines that end in CR LF", Fault{Effect: CRLF}),
	}
}
