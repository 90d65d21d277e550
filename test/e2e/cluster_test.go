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

	"github.com/understudy-dev/understudy/internal/simulator"
	"github.com/understudy-dev/understudy/internal/simulator/slack"
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

	w, lastGood := newWorld(t), t.TempDir()
	apply(w.chainOfThree("2s"))
	w.env = []string{"KUBECONFIG=" + config}
	w.run("--chain", "support-bot", "--namespace", "default", "--last-good-dir", lastGood)
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
	finish := streamsInFlight(t, w, 20)
	from := time.Now()
	apply(changed)
	eventually(t, "the changed chain", func() bool { return strings.Contains(w.get("/status"), `"model": "gpt-4o"`) })
	t.Logf("from kubectl apply to the changed proxy, kubectl's own time included: %v", time.Since(from).Round(time.Millisecond))
	finish()

	out, err := kubectl(strings.Replace(changed, "type: OpenAI", "type: Nonsense", 1), "apply", "-f", "-")
	if err == nil || !strings.Contains(out, "type") {
		t.Errorf("a bad chain was taken: %s", out)
	}
	eventually(t, "the status", func() bool {
		out, _ = kubectl("", "get", "providerchains", "support-bot")
		return strings.Contains(out, "anthropic") && strings.Contains(out, "True")
	})
	t.Logf("kubectl get providerchains:\n%s", out)
	if out, _ = kubectl("", "get", "pchain", "-o", "wide"); !strings.Contains(out, "openai") || !strings.Contains(out, "anthropic-opus") {
		t.Errorf("the wide columns do not name every provider:\n%s", out)
	}
	if out, _ = kubectl("", "explain", "providerchain.spec.providers.auth"); !strings.Contains(out, "secretKeyRef") || !strings.Contains(out, "--allow-env") {
		t.Errorf("kubectl explain:\n%s", out)
	}

	// A key in the place of a variable's name: the schema cannot know.
	const misplaced = "gsk_canary0misplaced"
	apply(strings.Replace(changed, "auth: {secretKeyRef: {name: llm-keys, key: openai}}", "auth: {env: "+misplaced+"}", 1))
	eventually(t, "the refusal in the status", func() bool {
		out, _ = kubectl("", "get", "providerchain", "support-bot", "-o", "jsonpath={.status}")
		return strings.Contains(out, "NotAllowed")
	})
	whole, err := kubectl("", "get", "providerchain", "support-bot", "-o", "yaml", "--show-managed-fields")
	if err != nil {
		t.Fatal(err)
	}
	for where, text := range map[string]string{"status": out, "log": w.output.text()} {
		if strings.Contains(text, misplaced) {
			t.Errorf("the %s repeats the misplaced key: %s", where, text)
		}
	}
	noSecretsIn(t, "object", whole)
	noSecretsIn(t, "last good chain", readFolder(t, lastGood))

	if out, err := kubectl("", "delete", "providerchain", "support-bot"); err != nil {
		t.Fatalf("kubectl delete: %v: %s", err, out)
	}
	w.output.await(t, "chain deleted")
	askOpenAI(t.Context(), w.url, prompt).provider(t, "anthropic", "false", answer)
}

// streamsInFlight opens streams that take a while; the returned function waits
// until they have ended, each whole.
func streamsInFlight(t *testing.T, w *world, n int) (finish func()) {
	t.Helper()
	w.anthropic.Fail(simulator.Fault{Effect: simulator.Drip, Delay: 50 * time.Millisecond})
	problems, begun := make(chan error, n), make(chan struct{}, n)
	for i := range n {
		text := strings.TrimSpace(strings.Repeat(fmt.Sprintf("stream-%d ", i), 60))
		go func() { problems <- readStream(w.url, text, begun) }()
	}
	for range n {
		<-begun
	}
	return func() {
		t.Helper()
		for range n {
			if err := <-problems; err != nil {
				t.Errorf("a stream in flight: %v", err)
			}
		}
		w.anthropic.Heal()
	}
}

// noSecretsIn fails the test if a text holds a key or a prompt.
func noSecretsIn(t *testing.T, where, text string) {
	t.Helper()
	if text == "" {
		t.Errorf("the %s is empty", where)
	}
	for _, secret := range []string{anthropicKey, openAIKey, slackToken, slack.DefaultWebhook, "canary-prompt"} {
		if strings.Contains(text, secret) {
			t.Errorf("the %s holds %q", where, secret)
		}
	}
}

// readFolder returns all that the files of a folder hold.
func readFolder(t *testing.T, dir string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String()
}
