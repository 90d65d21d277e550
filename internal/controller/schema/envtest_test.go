package schema_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// TestTheAPIServerAgrees applies every file with kubectl to a real API server
// and checks that both say the same.
func TestTheAPIServerAgrees(t *testing.T) {
	kubectl := startAPIServer(t)
	v := newValidator(t)
	for _, path := range files(t, goodFiles, sampleFiles, badFiles) {
		data := read(t, path)
		bad := filepath.Base(filepath.Dir(path)) == "bad"
		t.Run(filepath.Base(filepath.Dir(path))+"/"+filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			_, offline := v.Decode(data)
			out, err := kubectl("apply", "--validate=strict", "-f", path)
			if (err == nil) != (offline == nil) {
				t.Fatalf("the API server says %v, the offline rules say %v:\n%s", err, offline, out)
			}
			if !bad {
				if err != nil {
					t.Errorf("refused: %v\n%s", err, out)
				}
				return
			}
			if want := sentence(t, data); !strings.Contains(out, want) {
				t.Errorf("kubectl apply\n prints: %s\nwant in it: %s", out, want)
			}
		})
	}
}

// startAPIServer starts an API server with the CRD and returns a kubectl that
// talks to it.
func startAPIServer(t *testing.T) (kubectl func(args ...string) (string, error)) {
	t.Helper()
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		t.Fatal(`KUBEBUILDER_ASSETS is not set: run "make test", or KUBEBUILDER_ASSETS=$(hack/envtest/assets.sh) go test ./...`)
	}
	env := &envtest.Environment{
		CRDDirectoryPaths:     []string{"../../../config/crd"},
		ErrorIfCRDPathMissing: true,
	}
	if _, err := env.Start(); err != nil {
		t.Fatalf("starting the API server: %v", err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Errorf("stopping the API server: %v", err)
		}
	})
	config := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(config, env.KubeConfig, 0o600); err != nil {
		t.Fatal(err)
	}
	return func(args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), filepath.Join(assets, "kubectl"), append([]string{"--kubeconfig", config}, args...)...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
}
