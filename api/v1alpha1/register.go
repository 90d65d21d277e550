package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Kind is the kind of a ProviderChain object.
const Kind = "ProviderChain"

// GroupVersion names this version of the API.
var GroupVersion = schema.GroupVersion{Group: "understudy.dev", Version: "v1alpha1"}

// AddToScheme registers the types of this version with a scheme.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion, &ProviderChain{}, &ProviderChainList{})
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}
