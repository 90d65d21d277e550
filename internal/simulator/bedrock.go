package simulator

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Bedrock is the kind of Amazon Bedrock's runtime: Converse and ConverseStream for every model, InvokeModel and
// CountTokens for Claude ones. Its streams come in frames. A call is signed with AWS keys, which ProviderConfig.Keys
// gives as ID:SECRET or ID:SECRET:SESSIONTOKEN, or has a Bedrock API key as its bearer token.
const Bedrock Kind = "bedrock"

// bedrockModels are what is listed where no models are configured; all ids with a vendor's prefix are known then.
var bedrockModels = []string{"amazon.nova-pro-v1:0", "us.anthropic.claude-haiku-4-5-20251001-v1:0"}

// bedrockActions are the last segments of the paths, and whether the answer is streamed.
var bedrockActions = map[string]bool{
	"converse": false, "converse-stream": true, "invoke": false, "invoke-with-response-stream": true, "count-tokens": false,
}

// bedrockTarget reads model and action from the path as it came: the model is one segment of it.
func (x *exchange) bedrockTarget() {
	raw := strings.TrimPrefix(x.r.URL.EscapedPath(), "/"+x.p.config.Name)
	parts := strings.Split(strings.TrimPrefix(raw, "/"), "/")
	if len(parts) != 3 || parts[0] != "model" {
		return
	}
	model, err := url.PathUnescape(parts[1])
	stream, ok := bedrockActions[parts[2]]
	if err == nil && ok {
		x.model, x.stream, x.action = model, stream, parts[2]
	}
}

// bedrock answers a request of Bedrock's runtime.
func (x *exchange) bedrock() error {
	if e := x.bedrockGate(); e != nil {
		return x.sendError(*e)
	}
	o, ok := parse(x.body)
	if !ok {
		return x.sendError(*refusal("The request body is not valid JSON."))
	}
	if !x.p.knows(x.model) {
		return x.sendError(*refusal("The provided model identifier is invalid."))
	}
	switch x.action {
	case "invoke", "invoke-with-response-stream":
		return x.invoke(o)
	case "count-tokens":
		return x.countTokens(o)
	}
	if e := checkConverse(o, x.model); e != nil {
		return x.sendError(*e)
	}
	return x.play(x.converse(o, conversePrompt(x, o)))
}

// refusal is Bedrock's answer to an invalid request.
func refusal(message string) *apiError {
	return &apiError{status: 400, kind: "ValidationException", message: message}
}

// denied is an answer to a request that nobody stands for.
func denied(kind, message string) *apiError {
	return &apiError{status: 403, kind: kind, message: message}
}

// bedrockGate checks path, method and identity.
func (x *exchange) bedrockGate() *apiError {
	h := x.r.Header
	authorization := h.Get("Authorization")
	switch {
	case x.action == "":
		return &apiError{status: 404, kind: "UnknownOperationException", message: "Not Found"}
	case x.r.Method != http.MethodPost:
		return &apiError{status: 405, kind: "UnknownOperationException", message: "Method Not Allowed"}
	case authorization == "":
		return denied("MissingAuthenticationTokenException", "Missing Authentication Token")
	case strings.HasPrefix(authorization, signatureScheme+" "):
		if e := x.checkSignature(); e != nil {
			return e
		}
	case x.key == "":
		return denied("AccessDeniedException", "Authentication failed: Please make sure your API Key is valid.")
	}
	for _, name := range []string{"X-Api-Key", "Anthropic-Version", "Anthropic-Beta"} {
		if h.Get(name) != "" { // Bedrock ignores it; a client that sends it has mixed up providers.
			return refusal("The header " + name + " belongs to another provider.")
		}
	}
	if !isJSON(h) {
		return refusal("Content-Type must be application/json.")
	}
	return nil
}

// knowsBedrock reports whether an id could be one of Bedrock's.
func knowsBedrock(model string) bool {
	vendor, name, ok := strings.Cut(model, ".")
	return strings.HasPrefix(model, "arn:aws:bedrock:") || ok && vendor != "" && name != "" && !strings.ContainsAny(vendor, "-/ ")
}

// isClaude reports whether a model is Anthropic's.
func isClaude(model string) bool { return strings.Contains(model, "anthropic.claude-") }

// invoke answers InvokeModel, whose body is a Messages one with three changes.
func (x *exchange) invoke(o object) error {
	if !isClaude(x.model) {
		return x.sendError(*refusal("Malformed input request, please reformat your input and try again."))
	}
	if e := checkInvoke(o, x.model); e != nil {
		return x.sendError(*e)
	}
	return x.play(x.message(o, x.anthropicPrompt(o)))
}

// checkInvoke checks the changes, and the rest by Anthropic's rules.
func checkInvoke(o object, model string) *apiError {
	for _, name := range []string{"model", "stream"} {
		if _, ok := o[name]; ok {
			return refusal("Malformed input request: #: extraneous key [" + name + "] is not permitted, please reformat your input and try again.")
		}
	}
	if str(o, "anthropic_version") != "bedrock-2023-05-31" {
		return refusal("anthropic_version: Field required")
	}
	if betas, ok := o["anthropic_beta"].([]any); o["anthropic_beta"] != nil && (!ok || len(betas) == 0) {
		return refusal("anthropic_beta: Input should be a valid list")
	}
	rest := object{"model": model}
	for name, value := range o {
		if !slices.Contains([]string{"anthropic_version", "anthropic_beta", "user_profile_id"}, name) {
			rest[name] = value
		}
	}
	if e := checkMessages(rest, "2023-06-01", false); e != nil {
		return refusal(e.message)
	}
	return nil
}

// countTokens answers CountTokens for the body of an InvokeModel.
func (x *exchange) countTokens(o object) error {
	input, _ := o["input"].(object)
	inner, _ := input["invokeModel"].(object)
	body, err := base64.StdEncoding.DecodeString(str(inner, "body"))
	messages, ok := parse(body)
	if err != nil || !ok || !isClaude(x.model) {
		return x.sendError(*refusal("The provided request is not valid."))
	}
	if e := checkInvoke(messages, x.model); e != nil {
		return x.sendError(*e)
	}
	x.header(http.StatusOK, "application/json")
	return x.finish(encode(struct {
		InputTokens int `json:"inputTokens"`
	}{x.anthropicPrompt(messages).chars/4 + 1}))
}

// bedrockErrors are Bedrock's errors by status.
var bedrockErrors = map[int]apiError{
	400: {kind: "ValidationException", message: "The input fails to satisfy the constraints specified by Amazon Bedrock."},
	401: {kind: "UnrecognizedClientException", message: "The security token included in the request is invalid."},
	403: {kind: "AccessDeniedException", message: "You don't have access to the model with the specified model ID."},
	404: {kind: "ResourceNotFoundException", message: "This model version has reached the end of its life. Please refer to the AWS documentation for more details."},
	408: {kind: "ModelTimeoutException", message: "The request took too long to process. Processing time exceeded the model timeout length."},
	424: {kind: "ModelErrorException", message: "The system encountered an unexpected error during processing. Try your request again."},
	429: {kind: "ThrottlingException", message: "Too many requests, please wait before trying again."},
	500: {kind: "InternalServerException", message: "The system encountered an unexpected error during processing. Try your request again."},
	503: {kind: "ServiceUnavailableException", message: "Bedrock is unable to process your request."},
}

// bedrockErrorFor is the error of a status. AWS answers 403 where others answer 401.
func bedrockErrorFor(status int) apiError {
	e := bedrockErrors[status]
	if e.message == "" {
		e = apiError{kind: "InternalServerException", message: http.StatusText(status)}
		if status < 500 {
			e.kind = "ValidationException"
		}
	}
	return e
}

// exceptionFor is the frame with which a stream fails.
func exceptionFor(e apiError) event {
	kind := e.kind
	if e.status == http.StatusFailedDependency {
		kind = "ModelStreamErrorException"
	}
	return event{name: strings.ToLower(kind[:1]) + kind[1:], data: encode(awsMessage{e.message}), phase: exception}
}

// awsMessage is the body of all errors.
type awsMessage struct {
	Message string `json:"message"`
}

// withBedrock adds Bedrock to what any provider does, as far as it does it.
func withBedrock(scenarios []Scenario) []Scenario {
	for i, s := range scenarios {
		f, ok := s.faults[OpenAI]
		if !ok || f.Effect == Respond && f.Body != "" && f.Header["Content-Type"] == "" || f.Type != "" || f.Effect == CRLF || f.Effect == KeepAlives ||
			slices.Contains([]int{401, 402, 409, 413, 422, 502, 504}, f.Status) && f.Body == "" {
			continue
		}
		s.faults[Bedrock] = f
		scenarios[i].Kinds = append(slices.Clone(s.Kinds), Bedrock)
	}
	return scenarios
}

// bedrockScenarios are what Bedrock alone does.
func bedrockScenarios() []Scenario {
	say := func(status int, kind, message string) Fault { return saying(status, kind, "", message) }
	return []Scenario{
		only(Bedrock, "expired-token", "403 ExpiredTokenException: temporary keys are over",
			say(403, "ExpiredTokenException", "The security token included in the request is expired")),
		only(Bedrock, "tokens-per-day", "429 ThrottlingException about a whole day",
			say(429, "ThrottlingException", "Too many tokens per day, please wait before trying again.")),
		only(Bedrock, "model-not-ready", "429 ModelNotReadyException: the model is being loaded",
			say(429, "ModelNotReadyException", "Model is not ready for inference. Wait and try your request again.")),
		only(Bedrock, "on-demand", "400 ValidationException: the model needs an inference profile",
			say(400, "ValidationException", "Invocation of model ID {{model}} with on-demand throughput isn\u2019t supported. Retry your request with the ID or ARN of an inference profile that contains this model.")),
		only(Bedrock, "model-error", "424 ModelErrorException: the model failed", answering(424)),
		only(Bedrock, "throttled-in-stream", "a throttlingException after 3 content events", Fault{Effect: ErrorEvent, Status: 429, After: 3}),
		only(Bedrock, "model-error-in-stream", "a modelStreamErrorException before any content", Fault{Effect: ErrorEvent, Status: 424}),
		only(Bedrock, "bad-checksum", "a frame with a wrong checksum after 3 content events", Fault{Effect: BadChecksum, After: 3}),
	}
}
