package simulator

import "slices"

// geminiHas are the faults of the other kinds that Gemini shows in the same way, in its own words.
var geminiHas = []string{
	"forbidden", "bad-request", "model-retired", "conflict", "server-error", "bad-gateway-json", "unavailable", "gateway-timeout",
	"bad-gateway", "challenge", "redirect", "html-200", "empty-200", "blank-200", "close", "reset", "reset-after-headers", "hang",
	"slow-headers", "hang-after-headers", "short-body", "empty-answer", "invalid-json", "keep-alives", "slow-first-token", "drip",
	"error-event", "error-event-late", "reset-mid-stream", "cut", "cut-early", "cut-mid-event", "malformed", "malformed-first", "stall",
	"stall-60s", "hold-open", "oddities", "crlf",
}

// geminiShows are those that it shows in another way.
func geminiShows() map[string]Fault {
	return map[string]Fault{
		"bad-key": saying(400, "INVALID_ARGUMENT", "API_KEY_INVALID", "API key not valid. Please pass a valid API key."),
		"context-too-long": saying(400, "INVALID_ARGUMENT", "",
			"The input token count (1200345) exceeds the maximum number of tokens allowed (1048576)."),
		"unsupported-parameter": saying(400, "INVALID_ARGUMENT", "", "Penalty is not enabled for this model"),
		"too-large":             saying(400, "INVALID_ARGUMENT", "", "Request payload size exceeds the limit: 20971520 bytes."),
		"overloaded":            answering(503),
		"rate-limit":            geminiQuota("GenerateRequestsPerMinutePerProjectPerModel", "20s"),
		"rate-limit-long":       geminiQuota("GenerateRequestsPerMinutePerProjectPerModel", "3600s"),
		"rate-limit-no-hint":    answering(429),
		"unavailable-hint": {Effect: Respond, Status: 503, Body: `{"error":{"code":503,"message":"The service is currently unavailable.",` +
			`"status":"UNAVAILABLE","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"30s"}]}}`},
		"error-200": {Effect: Respond, Status: 200, Body: `[{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}]`},
	}
}

// geminiQuota is a 429 whose details, in a list as on streaming paths, say which quota is used up and when it is back.
func geminiQuota(quota, delay string) Fault {
	return Fault{Effect: Respond, Status: 429, Body: `[{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.",` +
		`"status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"` + quota + `"}]},` +
		`{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"` + delay + `"}]}}]`}
}

// withGemini adds the kind to the faults that it has.
func withGemini(all []Scenario) []Scenario {
	shows := geminiShows()
	for i := range all {
		s := &all[i]
		f, ok := shows[s.Name]
		if !ok && slices.Contains(geminiHas, s.Name) {
			f, ok = s.faults[OpenAI]
		}
		if !ok {
			continue
		}
		faults := map[Kind]Fault{Gemini: f}
		for kind, other := range s.faults {
			faults[kind] = other
		}
		s.Kinds, s.faults = append(slices.Clone(s.Kinds), Gemini), faults
	}
	return all
}

// geminiScenarios are faults that only Gemini has. Those inside a 200 come in two forms, because an answer and the event
// of a stream are sent in different ways.
func geminiScenarios() []Scenario {
	inside := func(body string) (unary, stream Fault) {
		return Fault{Effect: Respond, Status: 200, Only: OnlyUnary, Body: body}, Fault{Effect: ErrorEvent, Body: body}
	}
	brokenUnary, brokenStream := inside(`{"candidates":[{"content":{},"finishReason":"MALFORMED_FUNCTION_CALL","index":0}],"usageMetadata":{"promptTokenCount":5,"totalTokenCount":5},"modelVersion":"{{model}}"}`)
	blockedUnary, blockedStream := inside(`{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"},"usageMetadata":{"promptTokenCount":5,"totalTokenCount":5},"modelVersion":"{{model}}"}`)
	return []Scenario{
		only(Gemini, "location-unsupported", "400 FAILED_PRECONDITION: our address belongs to a place that is not served",
			saying(400, "FAILED_PRECONDITION", "", "User location is not supported for the API use.")),
		only(Gemini, "daily-quota", "429 RESOURCE_EXHAUSTED: the quota of the day is used up, with a misleading hint",
			geminiQuota("GenerateRequestsPerDayPerProjectPerModel-FreeTier", "34s")),
		only(Gemini, "malformed-call", "200 with finishReason MALFORMED_FUNCTION_CALL, unary", brokenUnary),
		only(Gemini, "malformed-call-stream", "the same as the first event of a stream", brokenStream),
		only(Gemini, "blocked-prompt", "200 without candidates: the prompt was blocked, unary", blockedUnary),
		only(Gemini, "blocked-prompt-stream", "the same as the only event of a stream", blockedStream),
	}
}
