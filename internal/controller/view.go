package controller

import (
	"errors"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/understudy-dev/understudy/api/v1alpha1"
	"github.com/understudy-dev/understudy/internal/failover"
)

// viewOf is the status as this pod would write it. chain is nil where no
// version of it is in use.
func viewOf(chain *failover.ChainStatus, h handled) v1alpha1.ProviderChainStatus {
	v := v1alpha1.ProviderChainStatus{ObservedGeneration: h.generation}
	accepted := condition(v1alpha1.ConditionAccepted, metav1.ConditionTrue, v1alpha1.ReasonAccepted, "The chain is in use.")
	if h.err != nil {
		accepted = condition(v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonInvalid, h.err.Error())
		if h.notAllowed {
			accepted.Reason = v1alpha1.ReasonNotAllowed
		}
	}
	resolved := condition(v1alpha1.ConditionResolvedRefs, metav1.ConditionUnknown, v1alpha1.ReasonNotAccepted, "No version of the chain was accepted yet.")
	ready := condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonNotAccepted, "No version of the chain was accepted yet.")
	if chain != nil {
		v.ActiveProvider = chain.Active
		var names []string
		for _, p := range chain.Providers {
			ps := v1alpha1.ProviderStatus{Name: p.Name, State: v1alpha1.ProviderState(p.State), Reason: string(p.Reason)}
			if p.Since != nil {
				ps.Since = new(metav1.NewTime(*p.Since))
			}
			v.Providers = append(v.Providers, ps)
			names = append(names, p.Name)
		}
		v.Order = strings.Join(names, ", ") // a printed column shows one value, not a list
		resolved, ready = resolvedRefs(chain), readiness(chain)
		if names := withoutModel(chain); h.err == nil && len(names) > 0 {
			accepted.Message += " Warning: a request that has to be translated passes over " + strings.Join(names, ", ") + " unless modelMap names its model; write model to let it through."
		}
	}
	for _, c := range []metav1.Condition{accepted, resolved, ready} {
		c.ObservedGeneration = h.generation
		meta.SetStatusCondition(&v.Conditions, c)
	}
	return v
}

func condition(kind string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message}
}

func resolvedRefs(chain *failover.ChainStatus) metav1.Condition {
	var missing []string
	reason, hint := v1alpha1.ReasonCredentialNotFound, ""
	for _, p := range chain.Providers {
		if p.CredentialError == nil {
			continue
		}
		missing = append(missing, p.Name+": "+p.CredentialError.Error())
		if errors.Is(p.CredentialError, failover.ErrSecretNotMounted) {
			reason, hint = v1alpha1.ReasonSecretNotMounted, "; restart the pod to mount a Secret that the chain did not name when the pod was made"
		}
	}
	if len(missing) == 0 {
		return condition(v1alpha1.ConditionResolvedRefs, metav1.ConditionTrue, v1alpha1.ReasonResolved, "Every reference holds a value.")
	}
	return condition(v1alpha1.ConditionResolvedRefs, metav1.ConditionFalse, reason, strings.Join(missing, "; ")+hint)
}

func readiness(chain *failover.ChainStatus) metav1.Condition {
	if chain.Active == "" {
		return condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonNoProviderAvailable, "Every provider is skipped now; the status of each says why.")
	}
	return condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonProviderAvailable, "At least one provider can be used.")
}

// withoutModel names the entries that no translated request can be sent to.
func withoutModel(chain *failover.ChainStatus) []string {
	var names []string
	for _, p := range chain.Providers {
		if p.Model == "" {
			names = append(names, p.Name)
		}
	}
	return names
}
