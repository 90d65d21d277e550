package v1alpha1

// Duration is a GEP-2257 duration such as 500ms, 3s or 1h30m. Empty: absent.
//
// +kubebuilder:validation:MaxLength=32
// +kubebuilder:validation:Pattern=`^(|([0-9]{1,5}(h|m|s|ms)){1,4})$`
// +kubebuilder:validation:XValidation:rule=`self == "" || self.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$')`,message="not a duration: write whole numbers with the units h, m, s and ms, such as 500ms, 3s or 1h30m"
// +kubebuilder:validation:XValidation:rule=`!self.matches('^[0hms]*0[0hms]*$')`,message="a duration of zero: write a longer one, or leave it out for the default"
type Duration string

// Timeouts bound the stages of one attempt at one provider.
//
// +kubebuilder:validation:XValidation:rule=`[has(self.connect) ? self.connect : "", has(self.firstByte) ? self.firstByte : ""].exists(d, !d.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$')) || duration(self.connect) <= duration(self.firstByte)`,message="connect is longer than firstByte, which includes it: write a shorter connect or a longer firstByte",fieldPath=".connect"
// +kubebuilder:validation:XValidation:rule=`[has(self.firstByte) ? self.firstByte : "", has(self.firstToken) ? self.firstToken : ""].exists(d, !d.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$')) || duration(self.firstByte) <= duration(self.firstToken)`,message="firstByte is longer than firstToken, which includes it: write a shorter firstByte or a longer firstToken",fieldPath=".firstByte"
// +kubebuilder:validation:XValidation:rule=`[has(self.connect) ? self.connect : "", has(self.firstToken) ? self.firstToken : ""].exists(d, !d.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$')) || duration(self.connect) <= duration(self.firstToken)`,message="connect is longer than firstToken, which includes it: write a shorter connect or a longer firstToken",fieldPath=".connect"
type Timeouts struct {
	// connect bounds the TCP connection to the provider. Default: 3s.
	// +optional
	Connect Duration `json:"connect,omitempty"`

	// firstByte bounds the wait for the response head of a stream. Default: 15s.
	// +optional
	FirstByte Duration `json:"firstByte,omitempty"`

	// firstToken bounds the wait for the first content of a stream. Default: 60s,
	// 180s for a provider with reasoning.
	// +optional
	FirstToken Duration `json:"firstToken,omitempty"`

	// idle bounds the silence in a stream after its first content. Default: 120s.
	// +optional
	Idle Duration `json:"idle,omitempty"`

	// response bounds the wait for the head of an answer that is not a stream.
	// Default: from the request's max_tokens, at least 15s.
	// +optional
	Response Duration `json:"response,omitempty"`
}

// ChainTimeouts are the timeouts of a chain.
type ChainTimeouts struct {
	Timeouts `json:",inline"`

	// chain bounds the whole walk along the providers, until one answers.
	// Default: 10m.
	// +optional
	Chain Duration `json:"chain,omitempty"`
}

// Retry bounds further tries of the same provider after a transient fault.
type Retry struct {
	// attempts is the number of further tries; 0 moves on at once. Default: 1.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=5
	Attempts *int32 `json:"attempts,omitempty"`

	// maxDelay is the longest wait before a further try, a Retry-After of the
	// provider included. Default: 2s.
	// +optional
	MaxDelay Duration `json:"maxDelay,omitempty"`
}

// Breaker says when a provider is skipped, and for how long.
type Breaker struct {
	// failures within window that open the circuit. Default: 3.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	Failures int32 `json:"failures,omitempty"`

	// window in which failures are counted. Default: 10m.
	// +optional
	Window Duration `json:"window,omitempty"`

	// openFor is how long the provider is skipped before one request tries it
	// again. Default: 5m.
	// +optional
	OpenFor Duration `json:"openFor,omitempty"`

	// failureRatioPercent is the share of the last 10 finished requests that
	// must have failed as well. Default: 50.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	FailureRatioPercent int32 `json:"failureRatioPercent,omitempty"`
}
