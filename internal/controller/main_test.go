package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/circuit"
	"github.com/understudy-dev/understudy/internal/failover/dialect"
)

// server is one real API server for the package.
var server *apiServer

func TestMain(m *testing.M) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		fmt.Fprintln(os.Stderr, "KUBEBUILDER_ASSETS is not set; run `make test`, or set it to the output of hack/envtest/assets.sh")
		os.Exit(1)
	}
	LogTo(discard())
	var err error
	if server, err = startAPIServer(); err != nil {
		fmt.Fprintln(os.Stderr, "the API server did not start:", err)
		os.Exit(1)
	}
	code := m.Run()
	if err := server.close(); err != nil {
		fmt.Fprintln(os.Stderr, "the API server did not stop:", err)
		code = 1
	}
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, "goroutines are left:", err)
		code = 1
	}
	os.Exit(code)
}

// endpoints is a way to nowhere; a key that is called "missing" is not there.
type endpoints struct{}

func (endpoints) Endpoint(p failover.ProviderConfig) (failover.Endpoint, error) {
	if p.BaseURL == "https://refused.example.com" {
		return nil, errors.New("baseURL: this one is refused; write another")
	}
	return endpoint{p}, nil
}

type endpoint struct{ cfg failover.ProviderConfig }

func (e endpoint) Host() string                 { return "https://" + e.cfg.Name + ":443" }
func (e endpoint) Dialects() []failover.Dialect { return []failover.Dialect{failover.OpenAIChat} }
func (e endpoint) Quirks() failover.Quirks      { return failover.Quirks{MaxTokensField: "max_tokens"} }

func (e endpoint) Send(context.Context, failover.Call) (*http.Response, error) {
	return nil, errors.New("nobody is there")
}

func (e endpoint) Credential() (failover.Credentials, error) {
	if e.cfg.Auth.Key == "unmounted" {
		return failover.Credentials{}, fmt.Errorf(`key "unmounted" of Secret "llm-keys": %w`, failover.ErrSecretNotMounted)
	}
	if e.cfg.Auth.Key == "missing" {
		return failover.Credentials{}, errors.New(`key "missing" of Secret "llm-keys": is not there`)
	}
	return failover.NewCredentials("f", "v"), nil
}

// ignore is an observer.
type ignore struct{}

func (ignore) Attempted(failover.Attempt)                  {}
func (ignore) Bypassed(_, _ string, _ failover.Class)      {}
func (ignore) FailedOver(_, _, _ string, _ failover.Class) {}
func (ignore) Finished(failover.RequestReport)             {}
func (ignore) Applied(*failover.Snapshot)                  {}

func newStore() *failover.Store {
	return failover.NewStore(failover.Deps{Circuits: circuit.NewRegistry(), Dialects: dialect.New(), Endpoints: endpoints{}}, ignore{})
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// chainYAML is a chain with one provider per name.
func chainYAML(name string, providers ...string) string {
	out := fmt.Sprintf("apiVersion: understudy.dev/v1alpha1\nkind: ProviderChain\nmetadata: {name: %s}\nspec:\n  providers:\n", name)
	for _, p := range providers {
		out += fmt.Sprintf("  - {name: %s, type: OpenAI, model: m, auth: {secretKeyRef: {name: llm-keys, key: %s}}}\n", p, p)
	}
	return out
}
