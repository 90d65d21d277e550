package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"
)

// output is what a command wrote so far.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
	// said is closed once the text contains wanted.
	wanted string
	said   chan struct{}
}

func newOutput(wanted string) *output { return &output{wanted: wanted, said: make(chan struct{})} }

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	before := strings.Contains(o.buf.String(), o.wanted)
	o.buf.Write(b)
	if !before && strings.Contains(o.buf.String(), o.wanted) {
		close(o.said)
	}
	return len(b), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

func TestAWrongCommandLineIsOneSentence(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	dir := t.TempDir()
	good := "../../config/samples/laptop.yaml"
	bad := filepath.Join(dir, "bad.yaml")
	text, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(bad, bytes.Replace(text, []byte("type: OpenAI"), []byte("baseURL: llm.example.com/v1\n    type: OpenAI"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string]string{
		"no command given; try `sidecar demo`":            "",
		`"start" is no command`:                           "start",
		"no chain is named; give --chain-file PATH":       "run",
		"not defined: -kubeconfig; `sidecar run -h`":      "run --kubeconfig x",
		"write a time such as 25s":                        "run --drain-timeout 25 --chain-file " + good,
		`invalid value "-1s"`:                             "run --drain-timeout -1s --chain-file " + good,
		"write debug, info, warn or error":                "run --log-level loud --chain-file " + good,
		"write json or text":                              "run --log-format xml --chain-file " + good,
		`unexpected argument "chain.yaml"`:                "run --chain-file " + good + " chain.yaml",
		"--chain needs a namespace":                       "run --chain support-bot",
		"is the port of --listen":                         "run --listen localhost:8089 --admin-listen :8089 --chain-file " + good,
		"only localhost and 127.0.0.1 are served":         "run --listen 0.0.0.0:8089 --chain-file " + good,
		"write --listen and --admin-listen as host:port":  "run --listen 8089 --chain-file " + good,
		"the port is in use; stop the other process":      "run --listen localhost:" + port + " --admin-listen 127.0.0.1:0 --chain-file " + good,
		"--admin-listen 127.0.0.1:" + port + ": the port": "run --listen localhost:0 --admin-listen 127.0.0.1:" + port + " --chain-file " + good,
		"--chain-file /nowhere: no such file":             "run --listen localhost:0 --admin-listen 127.0.0.1:0 --chain-file /nowhere",
		"the folder holds no .yaml file":                  "validate " + t.TempDir(),
		"/nowhere: no such file":                          "validate /nowhere",
		"no file is named":                                "validate",
		"is not an http or https URL":                     "validate " + bad,
	} {
		var stderr bytes.Buffer
		err := command(t.Context(), t.Context(), strings.Fields(args), io.Discard, &stderr)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("sidecar %s: %v, want %q", args, err, want)
		}
		if args != "" && strings.Contains(stderr.String(), "usage") {
			t.Errorf("sidecar %s printed its help: %s", args, &stderr)
		}
	}
}

func TestHelpIsPrintedAndNothingElse(t *testing.T) {
	for args, want := range map[string]string{
		"help": "validate  check", "-h": "demo ", "run -h": "--listen ADDRESS", "demo --help": "--listen ADDRESS", "validate -h": "FILE...", "version": version,
	} {
		var stdout, stderr bytes.Buffer
		err := command(t.Context(), t.Context(), strings.Fields(args), &stdout, &stderr)
		if err != nil && !errors.Is(err, flag.ErrHelp) || !strings.Contains(stdout.String(), want) || stderr.Len() > 0 {
			t.Errorf("sidecar %s: %v\n%s%s", args, err, &stdout, &stderr)
		}
		if strings.Contains(stdout.String(), "curl") {
			t.Errorf("sidecar %s does more than to help:\n%s", args, &stdout)
		}
	}
}

func TestTheSamplesAreValid(t *testing.T) {
	var stdout bytes.Buffer
	if err := validate([]string{"../../config/samples"}, &stdout); err != nil {
		t.Error(err)
	}
	if n := strings.Count(stdout.String(), "is valid"); n < 4 {
		t.Errorf("%d chains were checked: %s", n, &stdout)
	}
}

func TestTheContainersMemoryIsKnown(t *testing.T) {
	before := debug.SetMemoryLimit(math.MaxInt64)
	defer debug.SetMemoryLimit(before)
	dir := t.TempDir()
	for content, want := range map[string][2]int64{
		"max\n": {math.MaxInt64, maxHeldWithoutLimit}, "134217728\n": {120795955, 32 << 20}, "nonsense": {math.MaxInt64, maxHeldWithoutLimit},
	} {
		debug.SetMemoryLimit(math.MaxInt64)
		file := filepath.Join(dir, "memory.max")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		held := limitMemory(file, slog.New(slog.DiscardHandler))
		if got := debug.SetMemoryLimit(-1); got != want[0] || held != want[1] {
			t.Errorf("%q: heap %d, bodies %d, want %v", content, got, held, want)
		}
	}
	debug.SetMemoryLimit(64 << 20) // as GOMEMLIMIT does
	if held := limitMemory(filepath.Join(dir, "memory.max"), slog.New(slog.DiscardHandler)); held != 16<<20 || debug.SetMemoryLimit(-1) != 64<<20 {
		t.Errorf("GOMEMLIMIT was overruled; bodies %d", held)
	}
	if held := limitMemory(filepath.Join(dir, "none"), slog.New(slog.DiscardHandler)); held == 0 {
		t.Error("without a file nothing bounds the bodies")
	}
}

// TestTheDemoDoesWhatItSays runs the printed commands.
func TestTheDemoDoesWhatItSays(t *testing.T) {
	t.Setenv("ANTHROPIC_API_KEY", "")
	t.Setenv("TMPDIR", t.TempDir())
	ctx, stop := context.WithCancel(t.Context())
	kill, end := context.WithCancel(t.Context())
	defer end()
	stdout, stderr := newOutput("Ctrl-C"), newOutput("stopped")
	ended := make(chan error, 1)
	go func() {
		ended <- command(ctx, kill, []string{"demo", "--listen", "localhost:0", "--admin-listen", "127.0.0.1:0"}, stdout, stderr)
	}()
	select {
	case <-stdout.said:
	case err := <-ended:
		t.Fatalf("it ended with %v: %s", err, stderr)
	}
	said := stdout.String()
	find := func(pattern string) string {
		t.Helper()
		found := regexp.MustCompile(pattern).FindStringSubmatch(said)
		if found == nil {
			t.Fatalf("it does not say %s: %s", pattern, said)
		}
		return found[1]
	}
	app, body := find(`(http://localhost:\d+/v1/chat/completions)`), find(`application/json' -d '(.*)'`)
	faults, fault := find(`(http://127\.0\.0\.1:\d+/-/faults) -d`), find(`/-/faults -d '(.*)'`)
	client := &http.Client{Timeout: 30 * time.Second}
	defer client.CloseIdleConnections()
	ask := func(url, body string) *http.Response {
		t.Helper()
		resp, err := client.Post(url, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 200 {
			t.Errorf("%s: %s", url, resp.Status)
		}
		return resp
	}
	if resp := ask(app, body); resp.Header.Get("X-Understudy-Provider") != "anthropic" || resp.Header.Get("X-Understudy-Failover") != "false" {
		t.Errorf("the first answer is %v", resp.Header)
	}
	ask(faults, fault)
	if resp := ask(app, body); resp.Header.Get("X-Understudy-Provider") != "openai" || resp.Header.Get("X-Understudy-Failover") != "true" {
		t.Errorf("with the primary down the answer is %v", resp.Header)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v: %s", err, stderr)
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "understudy-demo-*")); len(left) > 0 {
		t.Errorf("it left %v behind", left)
	}
}
