// Package schema applies the CRD's own schema and rules without a cluster, so
// that `sidecar validate` and every chain file meet the sentences that
// `kubectl apply` would print.
//
// New compiles the embedded CRD. Validate then takes the steps of the API
// server in its order: unknown fields, nulls, metadata, the OpenAPI schema,
// unique list entries and, unless one of those makes it pointless, the CEL
// rules. Decode does so for each document of a file and returns the typed
// chains. A Validator costs a few megabytes; it belongs to its caller, and
// nothing stays behind once the caller drops it.
package schema

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	"github.com/understudy-dev/understudy/api/v1alpha1"
	"github.com/understudy-dev/understudy/config/crd"
)

// Validator checks objects against the CRD of ProviderChain. It is safe for
// concurrent use.
type Validator struct {
	structural *structural.Structural
	openAPI    validation.SchemaValidator
	rules      *cel.Validator
}

// New compiles the schema and the rules of the embedded CRD.
func New() (*Validator, error) {
	props, err := embeddedSchema()
	if err != nil {
		return nil, fmt.Errorf("reading the embedded CRD: %w", err)
	}
	s, err := structural.NewStructural(props)
	if err != nil {
		return nil, fmt.Errorf("reading the embedded CRD: %w", err)
	}
	openAPI, _, err := validation.NewSchemaValidator(props)
	if err != nil {
		return nil, fmt.Errorf("reading the embedded CRD: %w", err)
	}
	rules := cel.NewValidator(s, true, celconfig.PerCallLimit)
	return &Validator{structural: s, openAPI: openAPI, rules: rules}, nil
}

// embeddedSchema returns the schema of the version that the API types describe.
func embeddedSchema() (*apiextensions.JSONSchemaProps, error) {
	var def apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(crd.ProviderChains, &def); err != nil {
		return nil, err
	}
	i := slices.IndexFunc(def.Spec.Versions, func(v apiextensionsv1.CustomResourceDefinitionVersion) bool {
		return v.Name == v1alpha1.GroupVersion.Version
	})
	if i < 0 {
		return nil, errors.New("it has no version " + v1alpha1.GroupVersion.Version)
	}
	props := new(apiextensions.JSONSchemaProps)
	err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(def.Spec.Versions[i].Schema.OpenAPIV3Schema, props, nil)
	return props, err
}

// Validate checks one object, as decoded from JSON with whole numbers as
// int64, and returns all of its faults joined, one sentence each, such as
// "spec.providers[0].baseURL: Required value: provider a has no address: ...".
// Status is not checked, since users cannot write it. The object is not
// changed.
func (v *Validator) Validate(obj map[string]any) error {
	_, errs := v.check(obj)
	return errors.Join(errs...)
}

// check returns the object as the API server would store it, and its faults.
func (v *Validator) check(obj map[string]any) (map[string]any, []error) {
	if err := checkKind(obj); err != nil {
		return nil, []error{err}
	}
	obj = runtime.DeepCopyJSON(obj)
	delete(obj, "status")

	meta, found, unknown, err := objectmeta.GetObjectMetaWithOptions(obj, objectmeta.ObjectMetaOptions{ReturnUnknownFieldPaths: true})
	if err != nil {
		return nil, []error{fmt.Errorf("metadata: %w", err)}
	}
	unknown = append(unknown, pruning.PruneWithOptions(obj, v.structural, true, structural.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})...)
	var errs []error
	for _, path := range unknown {
		errs = append(errs, fmt.Errorf("unknown field %q: correct its spelling or take it out", path))
	}
	defaulting.PruneNonNullableNullsWithoutDefaults(obj, v.structural)

	var faults field.ErrorList
	if found {
		// A file may leave the namespace to kubectl or to the sidecar.
		if meta.Namespace == "" {
			meta.Namespace = "default"
		}
		faults = apivalidation.ValidateObjectMeta(meta, true, apivalidation.NameIsDNSSubdomain, field.NewPath("metadata"))
	} else {
		faults = field.ErrorList{field.Required(field.NewPath("metadata", "name"), "write the name of the chain")}
	}
	faults = append(faults, v.checkSchema(obj)...)
	for _, f := range faults {
		errs = append(errs, f)
	}
	return obj, errs
}

// checkSchema applies the schema, and the rules unless a fault of the schema
// could make them fail for a reason that is not the user's.
func (v *Validator) checkSchema(obj map[string]any) field.ErrorList {
	faults := validation.ValidateCustomResource(nil, obj, v.openAPI)
	faults = append(faults, listtype.ValidateListSetsAndMaps(nil, v.structural, obj)...)
	if slices.ContainsFunc(faults, blocksRules) {
		return faults
	}
	// The rules bound themselves by their cost, not by time.
	found, _ := v.rules.Validate(context.Background(), nil, v.structural, obj, nil, celconfig.RuntimeCELCostBudget)
	return append(faults, found...)
}

// blocksRules mirrors the API server, which does not run rules on an object
// with such a fault.
func blocksRules(f *field.Error) bool {
	switch f.Type {
	case field.ErrorTypeNotSupported, field.ErrorTypeRequired, field.ErrorTypeTooLong, field.ErrorTypeTooMany, field.ErrorTypeTypeInvalid:
		return true
	default:
		return false
	}
}

// checkKind refuses everything but a ProviderChain of this version.
func checkKind(obj map[string]any) error {
	kind, _ := obj["kind"].(string)
	version, _ := obj["apiVersion"].(string)
	want := v1alpha1.GroupVersion.String()
	switch {
	case kind == v1alpha1.Kind && version == want:
		return nil
	case kind == "" && version == "":
		return fmt.Errorf("no kind: write apiVersion: %s and kind: %s", want, v1alpha1.Kind)
	case kind == v1alpha1.Kind:
		return fmt.Errorf("apiVersion is %q: write %s", version, want)
	default:
		return fmt.Errorf("kind is %q: only a %s (%s) may stand here, take the document out", kind, v1alpha1.Kind, want)
	}
}
