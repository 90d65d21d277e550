// Package v1alpha1 holds the types of the understudy.dev/v1alpha1 API: what
// users write into a ProviderChain and what the sidecars report back.
//
// Rules that one field's type cannot express (what a type requires, the form
// of an address, the order of durations) are CEL expressions in the markers
// below. They are part of the generated CRD, so that the API server refuses a
// bad object with a sentence that says what to write, and the schema package
// applies the same rules to files without a cluster. In every rule an empty
// string means that the field is absent. The types hold no defaults: those are
// applied in one place, when a chain is compiled.
//
// +kubebuilder:object:generate=true
// +groupName=understudy.dev
package v1alpha1
