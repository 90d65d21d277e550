package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	"github.com/understudy-dev/understudy/internal/simulator"
)

// demo is run with a chain of its own: the real providers where both keys are
// in the environment, else simulated ones in this process.
func demo(ctx, kill context.Context, args []string, stdout, stderr io.Writer) error {
	dir, err := os.MkdirTemp("", "understudy-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "chain.yaml")
	getenv, simulated := os.Getenv, os.Getenv("ANTHROPIC_API_KEY") == "" || os.Getenv("OPENAI_API_KEY") == ""
	if simulated {
		getenv = simulatedKeys
	}
	args = append([]string{"--chain-file", file, "--admin-listen", "127.0.0.1:8090", "--log-format", "text"}, args...)
	o, err := parseOptions("demo", args, getenv, stdout)
	if err != nil {
		return err
	}
	chain, outage := demoChain("", ""), ""
	if simulated {
		pair, err := simulatedPair()
		if err != nil {
			return err
		}
		defer pair.Close()
		chain = demoChain(pair.Anthropic.URL(), pair.OpenAI.URL()+"/v1")
		outage = fmt.Sprintf(demoOutage, pair.Anthropic.URL(), pair.Anthropic.URL())
	}
	if err := os.WriteFile(file, []byte(chain), 0o600); err != nil {
		return err
	}
	return run(ctx, kill, o, stderr, func(app, admin string) {
		_, port, _ := net.SplitHostPort(app)
		fmt.Fprintf(stdout, demoHelp, port, outage, admin)
	})
}

func simulatedKeys(name string) string {
	if name == "ANTHROPIC_API_KEY" || name == "OPENAI_API_KEY" {
		return "simulated"
	}
	return os.Getenv(name)
}

func simulatedPair() (*simulator.Pair, error) {
	openai, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	anthropic, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		openai.Close()
		return nil, err
	}
	return simulator.StartPair(openai, anthropic, simulator.Options{})
}

const demoHelp = `
Ask (as often as you like; the header X-Understudy-Provider says who answered):

  curl -is http://localhost:%s/v1/chat/completions -H 'content-type: application/json' -d '{"model":"demo","messages":[{"role":"user","content":"Hello"}]}'

%sWatch:            http://%s/
End:              Ctrl-C

`

const demoOutage = `ANTHROPIC_API_KEY and OPENAI_API_KEY are not both set, so the providers are simulated. Take the primary down, and ask again:

  curl -s %s/-/faults -d '{"provider":"anthropic","fault":"overloaded"}'

Bring it back:    curl -s -X DELETE '%s/-/faults?provider=anthropic'
`

func demoChain(anthropicURL, openAIURL string) string {
	return fmt.Sprintf(`apiVersion: understudy.dev/v1alpha1
kind: ProviderChain
metadata: {name: demo}
spec:
  providers:
  - {name: anthropic, type: Anthropic, model: claude-haiku-4-5, baseURL: %q, auth: {env: ANTHROPIC_API_KEY}}
  - {name: openai, type: OpenAI, model: gpt-4o-mini, baseURL: %q, auth: {env: OPENAI_API_KEY}}
  - {name: anthropic-opus, type: Anthropic, model: claude-opus-4-5, baseURL: %q, auth: {env: ANTHROPIC_API_KEY}}
`, anthropicURL, openAIURL, anthropicURL)
}
