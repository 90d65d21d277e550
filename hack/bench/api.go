package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// settle is how long a sidecar that watches the API is left alone before its
// memory is read: it gives back what the connecting needed after 20 s.
const settle = 25 * time.Second

// api measures a sidecar that watches a real API server: its memory, and its
// start from the last good chain.
func (b *bench) api(ctx context.Context) error {
	config := filepath.Join(b.dir, "kubeconfig")
	stop, err := startAPIServer(ctx, config)
	if err != nil {
		return err
	}
	defer stop()
	kubectl := exec.CommandContext(ctx, filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl"), "--kubeconfig", config, "apply", "-f", "-")
	kubectl.Stdin = strings.NewReader(fmt.Sprintf(`apiVersion: understudy.dev/v1alpha1
kind: ProviderChain
metadata: {name: bench}
spec:
  providers:
  - {name: primary, type: OpenAICompatible, baseURL: "%s/v1"}
`, b.direct.client.url))
	if out, err := kubectl.CombinedOutput(); err != nil {
		return fmt.Errorf("kubectl apply: %w: %s", err, out)
	}
	watching := func() (*target, time.Duration, error) {
		return b.runSidecar(ctx, []string{"KUBECONFIG=" + config}, "--chain", "bench", "--namespace", "default", "--last-good-dir", b.dir)
	}
	t, _, err := watching()
	if err != nil {
		return err
	}
	select {
	case <-time.After(settle):
	case <-ctx.Done():
	}
	rss, anonymous, err := t.memory()
	t.stop()
	if err != nil {
		return err
	}
	b.sample("RSS idle, watching the API", "MiB", "sidecar", rss/1024)
	b.sample("of it anonymous, watching the API", "MiB", "sidecar", anonymous/1024)
	t, took, err := watching()
	if err != nil {
		return err
	}
	t.stop()
	b.sample("start to serving from the last good chain", "ms", "sidecar", float64(took.Milliseconds()))
	return nil
}

// startAPIServer runs the API server's command until stop is called.
func startAPIServer(ctx context.Context, kubeconfig string) (stop func(), err error) {
	cmd := exec.CommandContext(ctx, "go", "run", "./hack/bench/apiserver", kubeconfig)
	cmd.Stderr = os.Stderr
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		input.Close()
		cmd.Wait()
	}
	if line, err := bufio.NewReader(output).ReadString('\n'); err != nil || line != "ready\n" {
		stop()
		return nil, errors.New("the API server did not start; is KUBEBUILDER_ASSETS set to the output of hack/envtest/assets.sh?")
	}
	return stop, nil
}
