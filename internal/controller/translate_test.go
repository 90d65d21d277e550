package controller

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/understudy-dev/understudy/internal/controller/schema"
	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/circuit"
	"github.com/understudy-dev/understudy/internal/failover/dialect"
	"github.com/understudy-dev/understudy/internal/failover/provider"
)

func sample(t *testing.T, name string) failover.ChainConfig {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	chains, err := schema.Decode(data)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	cc, err := Translate(&chains[0], sourceFile)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return cc
}

// TestEveryFieldOfAProviderReachesTheCore reads the sample that has them all.
func TestEveryFieldOfAProviderReachesTheCore(t *testing.T) {
	cc := sample(t, "../../config/samples/full.yaml")
	if cc.Fidelity != failover.Balanced {
		t.Errorf("fidelity is %q", cc.Fidelity)
	}
	if diff := cmp.Diff(failover.Knobs{Drop: []string{"top_k"}, Set: []failover.Member{{Name: "service_tier", Value: failover.RawJSON(`"standard_only"`)}}}, cc.Providers[0].Request); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(failover.TLS{CA: failover.SecretRef{Secret: "corp-ca", Key: "ca.crt"}, ServerName: "vllm.corp.example"}, cc.Providers[2].TLS); diff != "" {
		t.Errorf("tls (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(failover.SecretRef{App: true}, cc.Providers[3].Auth); diff != "" {
		t.Errorf("auth (-want +got):\n%s", diff)
	}
}

func TestWhatIsSetKeepsItsDigits(t *testing.T) {
	chains, err := schema.Decode([]byte(`
apiVersion: understudy.dev/v1alpha1
kind: ProviderChain
metadata: {name: a}
spec:
  providers:
  - {name: a, type: OpenAI, auth: {env: KEY}, request: {set: {seed: 9007199254740993, top_p: 0.10, store: null, tags: {b: ["<x>"]}}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	cc, err := Translate(&chains[0], sourceFile)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, m := range cc.Providers[0].Request.Set {
		got[m.Name] = string(m.Value)
	}
	if got["seed"] != "9007199254740993" || got["store"] != "null" || len(got) != 4 {
		t.Errorf("got %v", got)
	}
}

// TestEveryGoodFileCompiles takes the samples, and the files that the schema's
// tests accept, through everything that a sidecar does with them before it
// serves.
func TestEveryGoodFileCompiles(t *testing.T) {
	p := provider.New(provider.Options{SecretsDir: t.TempDir(), Getenv: func(string) string { return "eu-west-1" }})
	store := failover.NewStore(failover.Deps{Circuits: circuit.NewRegistry(), Dialects: dialect.New(), Endpoints: p}, failover.Observers{})
	for _, pattern := range []string{"../../config/samples/*.yaml", "../../api/v1alpha1/testdata/good/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("no files match %s", pattern)
		}
		for _, file := range files {
			if err := store.CheckChain(sample(t, file)); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
}
