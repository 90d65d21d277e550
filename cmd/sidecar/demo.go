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
	getenv := os.Getenv
	chain := demoChain("", "")
	if os.Getenv("ANTHROPIC_API_KEY") == "" || os.Getenv("OPENAI_API_KEY") == "" {
		openai, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		anthropic, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			openai.Close()
			return err
		}
		pair, err := simulator.StartPair(openai, anthropic, simulator.Options{})
		if err != nil {
			return err
		}
		defer pair.Close()
		chain = demoChain(pair.Anthropic.URL(), pair.OpenAI.URL()+"/v1")
		getenv = func(name string) string {
			if name == "ANTHROPIC_API_KEY" || name == "OPENAI_API_KEY" {
				return "simulated"
			}
			return os.Getenv(name)
		}
		fmt.Fprintf(stdout, demoHelp, pair.Anthropic.URL(), pair.Anthropic.URL())
	} else {
		fmt.Fprint(stdout, realHelp)
	}
	file := filepath.Join(dir, "chain.yaml")
	if err := os.WriteFile(file, []byte(chain), 0o600); err != nil {
		return err
	}
	args = append([]string{"--chain-file", file, "--admin-listen", "127.0.0.1:8090", "--log-format", "text"}, args...)
	o, err := parseOptions("demo", args, getenv, stderr)
	if err != nil {
		return err
	}
	return run(ctx, kill, o, stderr)
}

const demoHelp = `No ANTHROPIC_API_KEY and OPENAI_API_KEY are set, so the providers are simulated.

Ask (as often as you like; the header x-understudy-provider says who answered):

  curl -is http://localhost:8089/v1/chat/completions -H 'content-type: application/json' -d '{"model":"demo","messages":[{"role":"user","content":"Hello"}]}'

Take the primary down, and ask again:

  curl -s %s/-/faults -d '{"provider":"anthropic","fault":"overloaded"}'

Bring it back:    curl -s -X DELETE '%s/-/faults?provider=anthropic'
Watch:            http://127.0.0.1:8090/
End:              Ctrl-C

`

const realHelp = `Ask (the header x-understudy-provider says who answered):

  curl -is http://localhost:8089/v1/chat/completions -H 'content-type: application/json' -d '{"model":"demo","messages":[{"role":"user","content":"Hello"}]}'

Watch:  http://127.0.0.1:8090/
End:    Ctrl-C

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
