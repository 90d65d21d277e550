package v1alpha1

// Types of conditions in the status of a ProviderChain.
const (
	// ConditionAccepted says whether the spec was compiled and is in use. While
	// it is False, the sidecars go on with the last generation that they
	// accepted.
	ConditionAccepted = "Accepted"
	// ConditionResolvedRefs says whether every Secret, variable and file that
	// the spec names holds a value. A provider without its key is skipped.
	ConditionResolvedRefs = "ResolvedRefs"
	// ConditionReady says whether at least one provider can be used now.
	ConditionReady = "Ready"
)

// Reasons of ConditionAccepted.
const (
	// ReasonAccepted: the spec is in use.
	ReasonAccepted = "Accepted"
	// ReasonInvalid: the spec cannot be compiled; the message names the field.
	ReasonInvalid = "Invalid"
	// ReasonNotAccepted: no version of the chain was accepted yet, so that there
	// is nothing to say of its references and providers.
	ReasonNotAccepted = "NotAccepted"
	// ReasonNotAllowed: the spec asks for a variable or a file that this
	// sidecar was not started to give away (--allow-env, --secrets-dir).
	ReasonNotAllowed = "NotAllowed"
)

// Reasons of ConditionResolvedRefs.
const (
	// ReasonResolved: every reference holds a value.
	ReasonResolved = "Resolved"
	// ReasonSecretNotMounted: the Secret was first named after the pod had been
	// made; restarting the pod mounts it.
	ReasonSecretNotMounted = "SecretNotMounted"
	// ReasonCredentialNotFound: a variable, a file or a Secret's key is missing
	// or empty.
	ReasonCredentialNotFound = "CredentialNotFound"
)

// Reasons of ConditionReady.
const (
	// ReasonProviderAvailable: at least one provider can be used.
	ReasonProviderAvailable = "ProviderAvailable"
	// ReasonNoProviderAvailable: every provider is skipped; the status of each
	// says why.
	ReasonNoProviderAvailable = "NoProviderAvailable"
)
