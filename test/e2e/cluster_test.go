package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// TestKubectlApplyChangesTheRunningProxy runs the sidecar against a real API
// server, as it runs in a pod, and changes its chain with kubectl.
func TestKubectlApplyChangesTheRunningProxy(t *testing.T) {
	env := &envtest.Environment{CRDDirectoryPaths: []string{"../../config/crd"}, ErrorIfCRDPathMissing: true}
	if _, err := env.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Error(err)
		}
	})
	user, err := env.AddUser(envtest.User{Name: "sidecar", Groups: []string{"system:masters"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig, err := user.KubeConfig()
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(config, kubeconfig, 0o600); err != nil {
		t.Fatal(err)
	}
	kubectl := func(stdin string, args ...string) (string, error) {
		cmd := exec.Command(filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl"), append([]string{"--kubeconfig", config}, args...)...)
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	apply := func(chain string) {
		t.Helper()
		if out, err := kubectl(chain, "apply", "-f", "-"); err != nil {
			t.Fatalf("kubectl apply: %v: %s", err, out)
		}
	}

	w := newWorld(t)
	apply(w.chainOfThree("2s"))
	w.env = []string{"KUBECONFIG=" + config}
	w.run("--chain", "support-bot", "--namespace", "default", "--last-good-dir", t.TempDir())
	w.output.await(t, "chain applied")
	askOpenAI(t.Context(), w.url, prompt).provider(t, "anthropic", "false", answer)

	memory, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", w.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(memory)) {
		if strings.HasPrefix(line, "Rss:") || strings.HasPrefix(line, "Anonymous:") {
			t.Logf("watching the API: %s", strings.TrimSpace(line))
		}
	}

	changed := strings.Replace(w.chainOfThree("2s"), "gpt-4o-mini", "gpt-4o", 1)
	from := time.Now()
	apply(changed)
	eventually(t, "the changed chain", func() bool { return strings.Contains(w.get("/status"), `"model": "gpt-4o"`) })
	t.Logf("from kubectl apply to the changed proxy, kubectl's own time included: %v", time.Since(from).Round(time.Millisecond))

	out, err := kubectl(strings.Replace(changed, "type: OpenAI", "type: Nonsense", 1), "apply", "-f", "-")
	if err == nil || !strings.Contains(out, "type") {
		t.Errorf("a bad chain was taken: %s", out)
	}
	eventually(t, "the status", func() bool {
		out, _ = kubectl("", "get", "providerchains", "support-bot")
		return strings.Contains(out, "anthropic") && strings.Contains(out, "True")
	})
	t.Logf("kubectl get providerchains:\n%s", out)

	if out, err := kubectl("", "delete", "providerchain", "support-bot"); err != nil {
		t.Fatalf("kubectl delete: %v: %s", err, out)
	}
	w.output.await(t, "chain deleted")
	askOpenAI(t.Context(), w.url, prompt).provider(t, "anthropic", "false", answer)
}
