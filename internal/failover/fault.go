package failover

import "time"

// Class is the closed set of reasons that appears alike in logs, metrics,
// Kubernetes conditions, error bodies and Slack messages.
type Class string

// The classes. OK is the class of an attempt that answered.
const (
	OK Class = "OK"

	// The caller's own mistakes.
	InvalidRequest  Class = "InvalidRequest"
	ContextTooLong  Class = "ContextTooLong"
	ContentPolicy   Class = "ContentPolicy"
	RequestTooLarge Class = "RequestTooLarge"
	NotFound        Class = "NotFound"
	Conflict        Class = "Conflict"
	ClientClosed    Class = "ClientClosed"

	// Credential, permission, money.
	Unauthorized     Class = "Unauthorized"
	PermissionDenied Class = "PermissionDenied"
	QuotaExceeded    Class = "QuotaExceeded"
	RateLimited      Class = "RateLimited"
	ModelNotFound    Class = "ModelNotFound"

	// The provider failing to answer.
	Overloaded         Class = "Overloaded"
	ServerError        Class = "ServerError"
	BadGateway         Class = "BadGateway"
	ServiceUnavailable Class = "ServiceUnavailable"
	GatewayTimeout     Class = "GatewayTimeout"
	Redirected         Class = "Redirected"
	Blocked            Class = "Blocked" // a CDN's challenge or block page
	UnexpectedContent  Class = "UnexpectedContent"
	EmptyAnswer        Class = "EmptyAnswer"

	// Time.
	ConnectTimeout    Class = "ConnectTimeout"
	FirstByteTimeout  Class = "FirstByteTimeout"
	FirstTokenTimeout Class = "FirstTokenTimeout"
	ResponseTimeout   Class = "ResponseTimeout"
	IdleTimeout       Class = "IdleTimeout"
	DeadlineExceeded  Class = "DeadlineExceeded" // the walk's own deadline

	// Transport.
	ConnectionRefused Class = "ConnectionRefused"
	ConnectionReset   Class = "ConnectionReset"
	DNSError          Class = "DNSError"
	TLSError          Class = "TLSError"
	EgressDown        Class = "EgressDown" // our own DNS or network
	Truncated         Class = "Truncated"  // the stream ended without its terminal event

	// Passed over without an attempt.
	CircuitOpen   Class = "CircuitOpen"
	NoCredential  Class = "NoCredential"
	NoModel       Class = "NoModel"
	Ineligible    Class = "Ineligible"
	NotConfigured Class = "NotConfigured" // the sidecar has no chain yet
	Exhausted     Class = "Exhausted"
	Internal      Class = "Internal"
)

// Scope is where the blame for a fault lands.
type Scope uint8

// The scopes, from the narrowest to the widest.
const (
	Nobody Scope = iota
	Caller
	Self
	Entry
	Credential
	Host
)

// String names the scope in logs.
func (s Scope) String() string {
	return [...]string{"nobody", "caller", "self", "entry", "credential", "host"}[s]
}

// Action is what the walk does about a fault.
type Action uint8

// The actions.
const (
	// Next tries the next entry.
	Next Action = iota
	// Return gives the provider's answer to the app: it is the caller's own
	// mistake. From a later entry of the walk it is a portability fault, and
	// the walk goes on.
	Return
	// Drop ends the walk: nobody is listening.
	Drop
)

// Verdict is what one fault means. It is decided by Classify alone.
type Verdict struct {
	Fault  string // row of the catalogue, for example "F31"
	Class  Class
	Blame  Scope
	Action Action
	// Strike counts the fault as one failure of the breaker at Blame.
	Strike bool
	// Retry allows one more try of the same entry before moving on.
	Retry bool
	// Hold closes the gate at Blame for that long; 0 holds nothing.
	Hold time.Duration
	// RetryAfter is the provider's own hint, unclamped; 0: none was given.
	RetryAfter time.Duration
	// Connection identifies the connection that broke where others may have
	// shared it; nil where none did. It counts once, however many answers it
	// took along.
	Connection any
	// Detail is safe to show to people: the status and the provider's error
	// type or code ("529 overloaded_error"), never its message.
	Detail string
}

// ofAppsKey is the verdict about a fault of a key that is the app's own. A key
// that is not known is the app's own mistake, which it is told at once; what
// its account lacks is no reason to stop. Neither holds back the calls of
// anybody who sends another key.
func (v Verdict) ofAppsKey() Verdict {
	if v.Blame != Credential {
		return v
	}
	v.Blame, v.Action, v.Strike, v.Hold = Nobody, Next, false, 0
	if v.Class == Unauthorized {
		v.Blame, v.Action = Caller, Return
	}
	return v
}
