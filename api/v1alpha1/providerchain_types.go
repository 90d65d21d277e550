package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ProviderChain names the LLM providers that may answer for an app, in order.
// When the first fails, the sidecar beside the app goes on with the next.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=providerchains,singular=providerchain,scope=Namespaced,shortName=pchain,categories=llm
// +kubebuilder:printcolumn:name="Active",type=string,JSONPath=`.status.activeProvider`,description="The provider that answers now."
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`,description="Whether a provider can be used."
// +kubebuilder:printcolumn:name="Since",type=date,JSONPath=`.status.conditions[?(@.type=="Ready")].lastTransitionTime`,description="How long Ready has had this value."
// +kubebuilder:printcolumn:name="Providers",type=string,priority=1,JSONPath=`.status.order`,description="The providers in order of priority."
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ProviderChain struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says who may answer, and when to move on.
	// +required
	Spec ProviderChainSpec `json:"spec"`
	// status is what the sidecars of this chain report.
	// +optional
	Status ProviderChainStatus `json:"status,omitzero"`
}

// ProviderChainList is a list of ProviderChains.
//
// +kubebuilder:object:root=true
type ProviderChainList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []ProviderChain `json:"items"`
}

// ProviderChainSpec is what users write. Only providers is required.
type ProviderChainSpec struct {
	// providers in order of priority: the first is the lead, the others stand
	// in for it. Names are unique. Let one owner apply this list, since several
	// appliers may reorder it.
	//
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Providers []Provider `json:"providers"`

	// timeouts of every provider that does not set its own, and of the chain.
	// +optional
	Timeouts *ChainTimeouts `json:"timeouts,omitempty"`

	// retry says how often the same provider is asked again before the next one.
	// +optional
	Retry *Retry `json:"retry,omitempty"`

	// breaker says when a provider is skipped, for every provider that does not
	// set its own.
	// +optional
	Breaker *Breaker `json:"breaker,omitempty"`

	// fidelity says how much of a request may be lost where it has to be
	// translated for a provider, before that provider is skipped. Strict:
	// nothing that the app could notice. Balanced, also where
	// nothing is written: hints, but no shape and no guarantee that the app's
	// code relies on. Lenient: those, too.
	// +optional
	Fidelity Fidelity `json:"fidelity,omitempty"`

	// notifications says who is told about a failover.
	// +optional
	Notifications *Notifications `json:"notifications,omitempty"`
}

// Fidelity is how much a translation may lose. Empty: Balanced.
//
// +kubebuilder:validation:Enum="";Strict;Balanced;Lenient
type Fidelity string

// The degrees of fidelity.
const (
	Strict   Fidelity = "Strict"
	Balanced Fidelity = "Balanced"
	Lenient  Fidelity = "Lenient"
)

// ProviderChainStatus is what the sidecars report.
type ProviderChainStatus struct {
	// observedGeneration is the generation of the spec that this status is about.
	// +optional
	// +kubebuilder:validation:Minimum=0
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// activeProvider is the first provider that would be tried now; empty when
	// none can be used.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	ActiveProvider string `json:"activeProvider,omitempty"`

	// order names the providers in use in order of priority, such as
	// "anthropic, openai".
	// +optional
	// +kubebuilder:validation:MaxLength=1200
	Order string `json:"order,omitempty"`

	// providers holds the state of each provider, in the order of the spec.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Providers []ProviderStatus `json:"providers,omitempty"`

	// conditions are Accepted, ResolvedRefs and Ready.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ProviderStatus is the state of one provider.
type ProviderStatus struct {
	// name of the provider in spec.providers.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`

	// state of its circuit: Closed is in use, Open is skipped, HalfOpen is being
	// tried with one request.
	// +required
	State ProviderState `json:"state"`

	// reason says in one CamelCase word why the provider is not Closed.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Reason string `json:"reason,omitempty"`

	// since is when the provider left Closed.
	// +optional
	Since *metav1.Time `json:"since,omitempty"`
}

// ProviderState is the state of a provider's circuit.
//
// +kubebuilder:validation:Enum=Closed;HalfOpen;Open
type ProviderState string

// The states of a provider.
const (
	StateClosed   ProviderState = "Closed"
	StateHalfOpen ProviderState = "HalfOpen"
	StateOpen     ProviderState = "Open"
)
