package failover

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// row is one fault of the catalogue: how it is recognised, what follows, and
// why. All conditions that are set must hold; among the words and the phrases
// one is enough.
type row struct {
	fault    string
	statuses []int    // nil: any
	words    []string // the error's type or code, exactly
	phrases  []string // parts of its message, lower case
	when     func(*facts) bool

	class  Class
	blame  Scope
	action Action
	strike bool // one failure of the breaker
	retry  bool // once more on the same entry
	hold   hold
	why    string // for readers of the table and of its documentation
}

// hold says how long a gate is closed: the provider's own hint within bounds,
// or a default. The zero value closes none.
type hold struct {
	without time.Duration // where the provider gave no hint
	least   time.Duration // bounds of a hint; most 0: hints are ignored
	most    time.Duration
}

func (h hold) duration(hint time.Duration) time.Duration {
	if hint > 0 && h.most > 0 {
		return min(max(hint, h.least), h.most)
	}
	return h.without
}

// The holds. None is longer than an hour, so that every entry is looked at
// again.
var (
	holdRate    = hold{without: 5 * time.Second, least: time.Second, most: 120 * time.Second}
	holdRamp    = hold{without: 15 * time.Second, least: time.Second, most: 60 * time.Second}
	holdMoney   = hold{without: 15 * time.Minute, least: time.Minute, most: time.Hour}
	holdKey     = hold{without: 10 * time.Minute}
	holdModel   = hold{without: time.Hour}
	holdPath    = hold{without: time.Minute}
	holdBlocked = hold{without: 2 * time.Minute}
	holdBilling = hold{without: 5 * time.Minute}
	holdTLS     = hold{without: 5 * time.Minute}
	holdHinted  = hold{least: time.Second, most: 120 * time.Second} // only where the provider asks for it
)

// statusOfType gives the HTTP status that a provider's error type stands for,
// for errors that arrive inside a 200.
var statusOfType = map[string]int{
	"invalid_request_error":     http.StatusBadRequest,
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
}

// answerRows are the faults with an answer, in the order in which they are
// looked at: an exhausted account wears the status of a bad request or of a
// rate limit, so money comes before both.
var answerRows = []row{
	{
		fault: "F18", phrases: []string{"credit balance is too low"},
		class: QuotaExceeded, blame: Credential, hold: holdMoney,
		why: "prepaid credit is used up; Anthropic sends it as a 400 invalid_request_error",
	},
	{
		fault: "F19", words: []string{"enforced_spend_limit_reached", "contract_spend_limit_reached"},
		class: QuotaExceeded, blame: Credential, hold: holdMoney,
		why: "a spend cap; waiting does not help before its date",
	},
	{
		fault: "F19", phrases: []string{"reached your specified api usage limits"},
		class: QuotaExceeded, blame: Credential, hold: holdMoney,
		why: "the older form of the spend cap, a 400 with the date in its message",
	},
	{
		fault: "F20", words: []string{
			"insufficient_quota", "credit_balance_exhausted", "organization_spend_limit_exceeded",
			"project_spend_limit_exceeded", "organization_usage_limit_exceeded",
		},
		class: QuotaExceeded, blame: Credential, hold: holdMoney,
		why: "OpenAI's billing limits wear the 429 of a rate limit; retrying never helps",
	},
	{
		fault: "F16", statuses: []int{http.StatusPaymentRequired},
		class: QuotaExceeded, blame: Credential, hold: holdMoney,
		why: "no balance; with a Retry-After it is temporary",
	},
	{
		fault: "F12", words: []string{"organization_on_hold", "cmek_key_disabled", "cmek_key_network_blocked", "claude_code_key_creator_not_member"},
		class: PermissionDenied, blame: Credential, hold: holdKey,
		why: "the account is unusable, though the status says 400",
	},
	{
		fault: "F35", statuses: []int{http.StatusForbidden, http.StatusTooManyRequests, http.StatusServiceUnavailable}, when: func(f *facts) bool { return f.blocked },
		class: Blocked, blame: Host, hold: holdBlocked,
		why: "a CDN's challenge or block page for our address, whatever key is used",
	},
	{
		fault: "F11", statuses: []int{http.StatusUnauthorized},
		class: Unauthorized, blame: Credential, hold: holdKey,
		why: "the key was revoked or the provider's authentication is down; it is tried again later, never disabled for good",
	},
	{
		fault: "F25", statuses: []int{http.StatusTooManyRequests}, phrases: []string{"extra usage is required for long context"},
		class: ContextTooLong, blame: Caller,
		why: "an entitlement for long prompts, not a limit of rate: this request goes elsewhere, the entry stays",
	},
	{
		fault: "F04", words: []string{"content_filter", "content_policy_violation", "moderation_blocked", "ResponsibleAIPolicyViolation"},
		class: ContentPolicy, blame: Caller, action: Return,
		why: "a refusal on policy is not dodged by asking somebody else",
	},
	{
		fault: "F04", statuses: []int{http.StatusForbidden}, phrases: []string{"moderation", "flagged"},
		class: ContentPolicy, blame: Caller, action: Return,
		why: "aggregators send the same as a 403",
	},
	{
		fault: "F03", words: []string{"context_length_exceeded"},
		class: ContextTooLong, blame: Caller, action: Return,
		why: "only an entry with a larger window can help",
	},
	{
		fault: "F03", statuses: []int{http.StatusBadRequest, http.StatusForbidden, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity},
		phrases: []string{"prompt is too long", "maximum context length", "exceeds the context window", "exceed context limit"},
		class:   ContextTooLong, blame: Caller, action: Return,
		why: "the same where it has no code of its own",
	},
	{
		fault: "F17", statuses: []int{http.StatusForbidden}, phrases: []string{"billing", "quota", "limit", "balance"},
		class: QuotaExceeded, blame: Credential, hold: holdBilling,
		why: "some aggregators send limits of the account as a 403",
	},
	{
		fault: "F12", statuses: []int{http.StatusForbidden}, phrases: []string{"model"},
		class: PermissionDenied, blame: Entry, hold: holdKey,
		why: "the key may not use this model; its others still work",
	},
	{
		fault: "F12", statuses: []int{http.StatusForbidden},
		class: PermissionDenied, blame: Credential, hold: holdKey,
		why: "the key may not be used from here or for this",
	},
	{
		fault: "F26", statuses: []int{http.StatusNotFound}, when: func(f *facts) bool { return f.namesModel() && f.appModel },
		class: ModelNotFound, blame: Caller, action: Return,
		why: "the app chose a model that the provider does not know",
	},
	{
		fault: "F26", when: func(f *facts) bool {
			return f.namesModel() && (f.status == http.StatusNotFound || slices.Contains(f.words, "model_not_found"))
		},
		class: ModelNotFound, blame: Entry, hold: holdModel,
		why: "the configured model is retired or misspelt; looked at again every hour and after a change",
	},
	{
		fault: "F07", statuses: []int{http.StatusNotFound}, when: func(f *facts) bool { return f.param != "" || f.mentions("previous_response") },
		class: NotFound, blame: Caller, action: Return,
		why: "something that the request names does not exist there",
	},
	{
		fault: "F07", statuses: []int{http.StatusNotFound, http.StatusMethodNotAllowed},
		class: NotFound, blame: Entry, hold: holdPath,
		why: "the paths we send are fixed, so an unknown one means that the entry's baseURL is wrong",
	},
	{
		fault: "F05", statuses: []int{http.StatusRequestEntityTooLarge},
		class: RequestTooLarge, blame: Caller, action: Return,
		why: "the body is over the provider's limit",
	},
	{
		fault: "F10", statuses: []int{http.StatusConflict}, phrases: []string{"lock", "timeout"},
		class: Conflict, blame: Entry, retry: true,
		why: "the provider's own lock, gone in a moment",
	},
	{
		fault: "F10", statuses: []int{http.StatusConflict, http.StatusPreconditionFailed, http.StatusTooEarly},
		class: Conflict, blame: Caller, action: Return,
		why: "a conflict that the app's SDK knows how to handle",
	},
	{
		fault: "F24", statuses: []int{http.StatusTooManyRequests}, words: []string{"slow_down", "ramp_limit_exceeded"},
		class: RateLimited, blame: Entry, hold: holdRamp,
		why: "traffic grew too fast, which a failover itself can cause",
	},
	{
		fault: "F22", statuses: []int{http.StatusTooManyRequests}, when: func(f *facts) bool { return f.hint > 0 },
		class: RateLimited, blame: Entry, retry: true, hold: holdRate,
		why: "a limit of rate is per model and says when it is over; it is no failure",
	},
	{
		fault: "F23", statuses: []int{http.StatusTooManyRequests},
		class: RateLimited, blame: Entry, hold: holdRate,
		why: "a limit of rate without a hint",
	},
	{
		fault: "F31", statuses: []int{529},
		class: Overloaded, blame: Entry, strike: true, hold: holdHinted,
		why: "capacity is per model; asking again at once only adds to it",
	},
	{
		fault: "F31", words: []string{"overloaded_error", "server_is_overloaded"},
		class: Overloaded, blame: Entry, strike: true, hold: holdHinted,
		why: "the same under another status, or inside a stream",
	},
	{
		fault: "F30", statuses: []int{http.StatusServiceUnavailable},
		class: ServiceUnavailable, blame: Entry, strike: true, retry: true, hold: holdHinted,
		why: "capacity of one model, unless others of the host fail too",
	},
	{
		fault: "F29", statuses: []int{http.StatusBadGateway},
		class: BadGateway, blame: Host, strike: true, retry: true,
		why: "the provider's edge cannot reach it",
	},
	{
		fault: "F32", statuses: []int{http.StatusGatewayTimeout},
		class: GatewayTimeout, blame: Entry, strike: true, retry: true,
		why: "the provider gave up on itself",
	},
	{
		fault: "F32", statuses: []int{http.StatusRequestTimeout},
		class: GatewayTimeout, blame: Entry, strike: true,
		why: "as a 408; once more would take as long again",
	},
	{
		fault: "F33", statuses: []int{520, 521, 522, 523, 524, 525, 526, 527, 530},
		class: BadGateway, blame: Host, strike: true, retry: true,
		why: "Cloudflare's own errors about the provider's origin",
	},
	{
		fault: "F28", when: func(f *facts) bool { return f.status >= 500 },
		class: ServerError, blame: Entry, strike: true, retry: true,
		why: "the provider failed; its other models may not",
	},
	{
		fault: "F34", when: func(f *facts) bool { return f.status >= 300 && f.status < 400 },
		class: Redirected, blame: Host, hold: holdKey,
		why: "never followed: a redirect would carry the key away",
	},
	{
		fault: "F01", statuses: []int{http.StatusBadRequest},
		class: InvalidRequest, blame: Caller, action: Return,
		why: "the request would fail anywhere",
	},
	{
		fault: "F02", statuses: []int{http.StatusUnprocessableEntity},
		class: InvalidRequest, blame: Caller, action: Return,
		why: "the same under the status of some imitators",
	},
	{
		fault: "F01", when: func(f *facts) bool { return f.status >= 400 },
		class: InvalidRequest, blame: Caller, action: Return,
		why: "an unknown 4xx is the request's until it is known better",
	},
}

// errorRows are the faults without an answer and those of its content.
var errorRows = []transportRow{
	{is(errDeadline), row{
		fault: "A3", class: DeadlineExceeded, blame: Nobody,
		why: "the time for the whole chain ended here, whoever used it up",
	}},
	{is(errImpatient), row{
		fault: "A3", class: ResponseTimeout, blame: Nobody,
		why: "the app waits so briefly that a healthy answer may not fit",
	}},
	{is(errFirstByte), row{
		fault: "F41", class: FirstByteTimeout, blame: Entry, strike: true,
		why: "no sign of life",
	}},
	{is(errResponse), row{
		fault: "F41", class: ResponseTimeout, blame: Entry, strike: true,
		why: "longer than an answer of this size takes",
	}},
	{is(errFirstToken), row{
		fault: "F43", class: FirstTokenTimeout, blame: Entry, strike: true,
		why: "a queue that only sends keep-alives, or nothing",
	}},
	{is(errIdle), row{
		fault: "F47", class: IdleTimeout, blame: Entry, strike: true,
		why: "stalled in the middle; stalls that recover last up to about two minutes",
	}},
	{is(errHTML), row{
		fault: "F36", class: UnexpectedContent, blame: Host, strike: true,
		why: "maintenance page, captive portal or wrong base path",
	}},
	{is(errContent), row{
		fault: "F59", class: UnexpectedContent, blame: Entry, strike: true,
		why: "not the dialect that was asked for",
	}},
	{is(errEmpty), row{
		fault: "F38", class: EmptyAnswer, blame: Entry, strike: true,
		why: "a 200 without an answer in it",
	}},
	{is(errTruncated), row{
		fault: "F56", class: Truncated, blame: Entry, strike: true,
		why: "a stream without its terminal event is not an answer",
	}},
	{is(ErrShutdown), row{
		fault: "F66", class: ServiceUnavailable, blame: Self, action: Drop,
		why: "our own end",
	}},
	{isCanceled, row{
		fault: "F09", class: ClientClosed, blame: Nobody, action: Drop,
		why: "the app left, which is nobody's fault",
	}},
	{isNoSuchHost, row{
		fault: "F48", class: DNSError, blame: Host, hold: holdPath,
		why: "the name does not exist",
	}},
	{isDNS, row{
		fault: "F49", class: DNSError, blame: Host, strike: true,
		why: "the name could not be looked up",
	}},
	{isProxyConnect, row{
		fault: "F54", class: EgressDown, blame: Host, hold: holdPath,
		why: "our egress proxy refuses the way there",
	}},
	{isHandshakeTimeout, row{
		fault: "F53", class: ConnectTimeout, blame: Host, strike: true,
		why: "the TLS handshake stalls",
	}},
	{isTLS, row{
		fault: "F52", class: TLSError, blame: Host, hold: holdTLS,
		why: "a certificate that cannot be trusted now will not be in a second; never less secure instead",
	}},
	{isDialTimeout, row{
		fault: "F51", class: ConnectTimeout, blame: Host, strike: true,
		why: "packets are dropped on the way",
	}},
	{isDial, row{
		fault: "F50", class: ConnectionRefused, blame: Host, strike: true,
		why: "nobody listens",
	}},
	{isBroken, row{
		fault: "F57", class: ConnectionReset, blame: Host, strike: true, retry: true,
		why: "the connection ended under the request",
	}},
	{anyError, row{
		fault: "F57", class: ConnectionReset, blame: Host, strike: true, retry: true,
		why: "any other failure of the connection, HTTP/2 resets included",
	}},
}

// unknownFault is for evidence that no row knows, which is a 2xx or 1xx where
// neither was expected.
var unknownFault = row{fault: "F59", class: UnexpectedContent, blame: Entry, strike: true}

func (r *row) matches(f *facts) bool {
	if r.statuses != nil && !slices.Contains(r.statuses, f.status) {
		return false
	}
	if r.words != nil && !slices.ContainsFunc(r.words, func(w string) bool { return slices.Contains(f.words, w) }) {
		return false
	}
	if r.phrases != nil && !slices.ContainsFunc(r.phrases, f.mentions) {
		return false
	}
	return r.when == nil || r.when(f)
}

func (r *row) verdict(f *facts) Verdict {
	v := Verdict{
		Fault: r.fault, Class: r.class, Blame: r.blame, Action: r.action, Strike: r.strike, Retry: r.retry,
		Hold: r.hold.duration(f.hint), RetryAfter: f.hint, Detail: f.detail(),
	}
	if v.Detail == "" {
		v.Detail = string(r.class)
	}
	return v
}

func (f *facts) mentions(phrase string) bool { return strings.Contains(f.message, phrase) }

// namesModel reports an error about the model that was asked for.
func (f *facts) namesModel() bool {
	return slices.Contains(f.words, "model_not_found") || f.param == "model" ||
		strings.HasPrefix(f.message, "model:") || f.mentions("model") && (f.mentions("does not exist") || f.mentions("not found"))
}
