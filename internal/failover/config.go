package failover

import "time"

// Config is everything that a sidecar serves, as plain data. The zero value of
// every optional field means "absent"; the defaults are applied by Compile and
// nowhere else, so that a file and the Kubernetes API give the same result.
type Config struct {
	// Chains in the order in which the sidecar was started with them; the
	// first is the default for requests that name no chain.
	Chains []ChainConfig
}

// ChainConfig is one ordered list of providers and the rules of walking it.
type ChainConfig struct {
	Name      string
	Namespace string // empty for a chain from a file without one
	// Revision tells configurations of one chain apart: the generation of the
	// object, or 0 for a file.
	Revision int64
	// Source tells where the chain came from: "api", "cache" or "file".
	Source string

	Providers     []ProviderConfig
	Timeouts      Timeouts
	Retry         Retry
	Breaker       Breaker
	Notifications Notifications
	Fidelity      Fidelity // default Balanced
}

// ProviderConfig is one entry of a chain.
type ProviderConfig struct {
	Name     string // unique in the chain; label in metrics, headers and messages
	Type     ProviderType
	Model    string     // what the provider is asked for; empty: the app's own model
	ModelMap []ModelMap // wins over Model where From equals the app's model
	BaseURL  string     // empty: the default of the type
	Auth     SecretRef  // the zero value: no credential is sent
	Dialects []Dialect  // spoken natively; empty: the default of the type
	// ContextWindow is the size of the model's context in tokens; 0: unknown.
	ContextWindow int
	// Reasoning marks a model whose first token is slow: firstToken then
	// defaults to 180 s.
	Reasoning bool
	Request   Knobs
	TLS       TLS
	Timeouts  Timeouts // overrides of the chain's
	Breaker   Breaker  // overrides of the chain's
}

// ProviderType is a kind of provider, which fixes its address, its way of
// authentication and the dialects it speaks.
type ProviderType string

// The provider types.
const (
	OpenAI           ProviderType = "OpenAI"
	Anthropic        ProviderType = "Anthropic"
	OpenAICompatible ProviderType = "OpenAICompatible"
	AzureOpenAI      ProviderType = "AzureOpenAI"
	GeminiAPI        ProviderType = "Gemini" // the Gemini API or Vertex AI
	Bedrock          ProviderType = "Bedrock"
)

// ModelMap replaces one model name of the app by one of the provider.
type ModelMap struct{ From, To string }

// SecretRef says where a secret value is found; at most one source is set.
type SecretRef struct {
	Secret, Key string // a mounted Kubernetes Secret: <secrets-dir>/<secret>/<key>
	Env         string // a variable of the sidecar's own environment
	File        string // a path, re-read when it changes
	// App sends the app's own key, in its own dialect, to this entry only.
	App bool
}

// IsZero reports whether no source is set.
func (r SecretRef) IsZero() bool { return r == SecretRef{} }

// TLS is how the connection to an in-house endpoint is trusted. The zero value
// trusts the authorities of the machine, under the name in the address.
type TLS struct {
	CA         SecretRef // certificates in PEM form; where set, no other authority is trusted
	ServerName string    // in the endpoint's certificate; empty: the name in the address
}

// Timeouts bound the stages of one request. Zero means absent.
type Timeouts struct {
	Connect    time.Duration // TCP connect to the provider; default 3 s
	FirstByte  time.Duration // a stream's response head; default 15 s
	FirstToken time.Duration // a stream's first content; default 60 s, 180 s for reasoning
	Idle       time.Duration // silence after the commit; default 120 s
	Response   time.Duration // a unary answer's head; default from max_tokens, see ResponseTimeout
	Chain      time.Duration // the whole walk until the commit; default 10 min
}

// Retry bounds further tries of the same entry before the walk moves on.
type Retry struct {
	Attempts *int          // extra tries after a transient fault; default 1
	MaxDelay time.Duration // longest wait before one, Retry-After included; default 2 s
}

// Breaker sets when an entry is skipped and for how long. It opens at Failures
// within Window and at least FailureRatioPercent of the last 10 finished
// requests.
type Breaker struct {
	Failures            int           // default 3
	Window              time.Duration // default 10 min
	OpenFor             time.Duration // default 5 min
	FailureRatioPercent int           // default 50
}

// Notifications says who is told about a chain's incidents.
type Notifications struct {
	Slack *SlackConfig // nil: nobody
}

// SlackConfig addresses one Slack channel, by webhook or by bot token.
type SlackConfig struct {
	WebhookURL     SecretRef
	Token          SecretRef
	Channel        string        // required with Token
	Events         []string      // empty: all
	RepeatInterval time.Duration // default 4 h
}
