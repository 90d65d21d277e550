// Package crd holds the CustomResourceDefinition that is generated from the
// API types, so that the binary checks files with the same schema and rules as
// the API server.
package crd

import _ "embed" // For the definition below.

// ProviderChains is the definition of ProviderChain, as YAML.
//
//go:embed understudy.dev_providerchains.yaml
var ProviderChains []byte
