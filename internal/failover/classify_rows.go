package failover

import (
	"net/http"
	"slices"
)

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
		fault: "F40", when: func(f *facts) bool { return f.gaveUp },
		class: EmptyAnswer, blame: Entry, strike: true,
		why: "a Gemini model broke off its answer for a reason that is not the prompt's",
	},
	{
		fault: "F13", statuses: []int{http.StatusBadRequest}, words: []string{"API_KEY_INVALID", "API_KEY_EXPIRED"},
		class: Unauthorized, blame: Credential, hold: holdKey,
		why: "Gemini calls a bad key a bad request; nothing but a detail tells them apart",
	},
	{
		fault: "F13", statuses: []int{http.StatusBadRequest}, phrases: []string{"api key not valid", "api key expired"},
		class: Unauthorized, blame: Credential, hold: holdKey,
		why: "the same where a gateway left the details out",
	},
	{
		fault: "F14", statuses: []int{http.StatusBadRequest}, phrases: []string{"location is not supported", "not available in your country"},
		class: PermissionDenied, blame: Host, hold: holdKey,
		why: "Gemini does not serve the place that our address belongs to, whatever key is used",
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
		fault: "F11", words: []string{"ExpiredTokenException"},
		class: Unauthorized, blame: Credential, hold: holdToken,
		why: "temporary keys of AWS are renewed by themselves",
	},
	{
		fault: "F11", words: []string{
			"UnrecognizedClientException", "InvalidSignatureException", "IncompleteSignatureException", "MissingAuthenticationTokenException",
		},
		class: Unauthorized, blame: Credential, hold: holdKey,
		why: "AWS sends what others send as a 401 as a 403",
	},
	{
		fault: "F11", words: []string{"AccessDeniedException"}, phrases: []string{"api key is valid", "bearer token"},
		class: Unauthorized, blame: Credential, hold: holdKey,
		why: "a Bedrock API key that is not known",
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
		phrases: []string{
			"prompt is too long", "maximum context length", "exceeds the context window", "exceed context limit",
			"input is too long for requested model", "input tokens exceeded", "too many input tokens", "exceeds the maximum number of tokens allowed",
		},
		class: ContextTooLong, blame: Caller, action: Return,
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
		fault: "F27", words: []string{"ModelNotReadyException"},
		class: ServiceUnavailable, blame: Entry, hold: holdReady,
		why: "Bedrock is loading the model, under the status of a rate limit",
	},
	{
		fault: "F27", words: []string{"ResourceNotFoundException"},
		class: ModelNotFound, blame: Entry, hold: holdKey,
		why: "Bedrock does not have the model here, or not any more",
	},
	{
		fault: "F27", words: []string{"ValidationException"}, when: func(f *facts) bool {
			return !f.appModel && (f.mentions("on-demand throughput") || f.mentions("model identifier is invalid"))
		},
		class: ModelNotFound, blame: Entry, hold: holdKey,
		why: "a model id that this region or account cannot use; Bedrock sends it as a bad request",
	},
	{
		fault: "F12", words: []string{"ValidationException"}, phrases: []string{"operation not allowed", "model access"},
		class: PermissionDenied, blame: Entry, hold: holdKey,
		why: "the account has no access to the model, which Bedrock says as a bad request",
	},
	{
		fault: "F21", words: []string{"ServiceQuotaExceededException"},
		class: QuotaExceeded, blame: Entry, hold: holdQuota,
		why: "a quota of the account for this model, under the status of a bad request",
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
		fault: "F05", statuses: []int{http.StatusBadRequest}, phrases: []string{"request payload size exceeds the limit"},
		class: RequestTooLarge, blame: Caller, action: Return,
		why: "Gemini's limit of a body wears the status of a bad request",
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
		fault: "F21", statuses: []int{http.StatusTooManyRequests}, phrases: []string{"per day", "daily", "per month", "monthly"},
		class: QuotaExceeded, blame: Entry, hold: holdQuota,
		why: "a model's budget of the day or the month, which does not come back in a minute",
	},
	{
		fault: "F21", statuses: []int{http.StatusTooManyRequests}, when: (*facts).overLongQuota,
		class: QuotaExceeded, blame: Entry, hold: holdQuota,
		why: "the same at Gemini, whose message does not say which of its quotas it is; the hint is often a minute's",
	},
	{
		fault: "F21", statuses: []int{http.StatusTooManyRequests}, phrases: []string{"e.g. check quota"}, when: func(f *facts) bool { return f.hint == 0 },
		class: QuotaExceeded, blame: Entry, hold: holdQuota,
		why: "the same without a word about which quota, or when it is back",
	},
	{
		fault: "F22", statuses: []int{http.StatusTooManyRequests}, phrases: []string{"your account's rate limit", "number of concurrent connections"},
		class: RateLimited, blame: Credential, retry: true, hold: holdRate,
		why: "a limit of the whole account: its other models are refused as well",
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
		fault: "F28", statuses: []int{http.StatusFailedDependency},
		class: ServerError, blame: Entry, strike: true, retry: true,
		why: "Bedrock's own word for a model that failed, also in the middle of a stream",
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
