package failover

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
)

// ErrSecretNotMounted is part of the error of a credential whose Secret is not
// mounted into the sidecar at all, which only a new pod can change.
var ErrSecretNotMounted = errors.New("the Secret is not mounted into the sidecar")

// ErrNoCredential is part of the error of a call that could not be sent because
// whoever issues its credential gave none.
var ErrNoCredential = errors.New("no credential could be had")

// Endpoints builds the way to a provider. Package provider implements it.
type Endpoints interface {
	// Endpoint prepares one entry. The error names the field and the fix. The
	// connections of an equal entry are shared with earlier snapshots.
	Endpoint(p ProviderConfig) (Endpoint, error)
}

// Endpoint is how one entry is reached. Safe for concurrent use.
type Endpoint interface {
	// Host identifies the fault domain: scheme, host and port.
	Host() string
	// Dialects are those that the provider speaks natively, in order of
	// preference for translation.
	Dialects() []Dialect
	// Quirks are what the provider expects of a translated request.
	Quirks() Quirks
	// Credential returns the present credential. The error says, without the
	// value, why there is none. For an entry without auth it is the zero value.
	Credential() (Credentials, error)
	// Send makes one HTTP request of the call and returns the response head.
	// Redirects are not followed. The request's headers are built from scratch
	// for this provider; the error never contains a secret.
	Send(ctx context.Context, call Call) (*http.Response, error)
}

// Credentials is a secret with a name that can be shown. It prints as its
// fingerprint only.
type Credentials struct {
	Fingerprint string // short hash; equal for equal values; empty where there is none
	value       string
}

// NewCredentials pairs a secret with its fingerprint.
func NewCredentials(fingerprint, value string) Credentials {
	return Credentials{Fingerprint: fingerprint, value: value}
}

// Reveal returns the secret itself, for the one place that sends it.
func (c Credentials) Reveal() string { return c.value }

// String names the credential without its value.
func (c Credentials) String() string { return "credential " + c.Fingerprint }

// Format implements fmt.Formatter, so that no verb prints the value.
func (c Credentials) Format(f fmt.State, _ rune) { io.WriteString(f, c.String()) }

// LogValue implements slog.LogValuer without the value.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalText keeps the value out of every encoder.
func (c Credentials) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// Call is one request to a provider.
type Call struct {
	Operation   Operation   // in the provider's dialect
	Model       string      // what the provider is asked for, where it stands in the path; empty: unknown
	Query       string      // the app's raw query, same dialect only
	Header      http.Header // the app's headers; read only
	Body        *Replay
	Stream      bool
	Credentials Credentials
	// Translated marks a body that is not the app's own: its dialect's
	// headers (anthropic-version, OpenAI-Beta) are not the app's either.
	Translated bool
}
