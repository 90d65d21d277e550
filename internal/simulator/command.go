package simulator

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/understudy-dev/understudy/internal/simulator/slack"
)

// Run is the command sidecar simulate: it serves an OpenAI and an Anthropic provider, and Gemini, Bedrock and Slack if
// asked for, until ctx ends. It fails on a bad flag, and on an address that is not loopback or not free.
func Run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("simulate", flag.ContinueOnError)
	flags.SetOutput(stdout)
	openAIAddr := flags.String("listen-openai", "127.0.0.1:9101", "loopback address of the OpenAI provider")
	anthropicAddr := flags.String("listen-anthropic", "127.0.0.1:9102", "loopback address of the Anthropic provider")
	geminiAddr := flags.String("listen-gemini", "", "loopback address of the Gemini provider; none if empty")
	bedrockAddr := flags.String("listen-bedrock", "", "loopback address of the Amazon Bedrock provider; none if empty")
	slackAddr := flags.String("slack-listen", "", "loopback address of the Slack stand-in; none if empty")
	delay := flags.Duration("token-delay", 30*time.Millisecond, "pause between the tokens of an answer")
	list := flags.Bool("list", false, "print the faults that can be set, and exit")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("simulate takes flags only, not %q", flags.Arg(0))
	}
	if *list {
		return printCatalogue(stdout)
	}
	return simulate(ctx, stdout, *delay, [5]string{*openAIAddr, *anthropicAddr, *geminiAddr, *bedrockAddr, *slackAddr})
}

// simulate serves OpenAI, Anthropic, Gemini, Bedrock and Slack on these addresses until ctx ends; the last three only
// where they have one.
func simulate(ctx context.Context, stdout io.Writer, delay time.Duration, addresses [5]string) error {
	sim, err := New(Options{TokenDelay: delay})
	if err != nil {
		return err
	}
	defer sim.Close()
	workspace := slack.New(slack.Options{})
	defer workspace.Close()
	handlers := [5]http.Handler{
		sim.Provider("openai").Handler(), sim.Provider("anthropic").Handler(), sim.Provider("gemini").Handler(),
		sim.Provider("bedrock").Handler(), workspace.Handler(),
	}
	var servers [5]*Server
	for i, name := range [5]string{"listen-openai", "listen-anthropic", "listen-gemini", "listen-bedrock", "slack-listen"} {
		if addresses[i] == "" && i >= 2 {
			continue
		}
		s, err := NewServer(handlers[i], ServerOptions{Address: addresses[i]})
		if err == nil {
			err = s.Start()
		}
		if err != nil {
			return fmt.Errorf("--%s: %w", name, err)
		}
		defer s.Stop()
		servers[i] = s
	}
	if err := announce(stdout, servers); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// announce prints where things are and how to break them.
func announce(w io.Writer, servers [5]*Server) error {
	openAI, anthropic := servers[0].URL(), servers[1].URL()
	var b strings.Builder
	fmt.Fprintf(&b, "openai     %s/v1   (any key)\n", openAI)
	fmt.Fprintf(&b, "anthropic  %s      (any key)\n", anthropic)
	if s := servers[2]; s != nil {
		fmt.Fprintf(&b, "gemini     %s      (any key)\n", s.URL())
	}
	if s := servers[3]; s != nil {
		fmt.Fprintf(&b, "bedrock    %s      (any key)\n", s.URL())
	}
	if s := servers[4]; s != nil {
		fmt.Fprintf(&b, "slack      %s%s\n", s.URL(), slack.DefaultWebhook)
	}
	fmt.Fprintf(&b, "\nBreak a provider, and heal it again (simulate --list shows all faults):\n\n")
	fmt.Fprintf(&b, "  curl -s %s/-/faults -d '{\"provider\":\"anthropic\",\"fault\":\"overloaded\"}'\n", anthropic)
	fmt.Fprintf(&b, "  curl -s -X DELETE '%s/-/faults?provider=anthropic'\n", anthropic)
	_, err := io.WriteString(w, b.String())
	return err
}

// printCatalogue prints the catalogue as a table.
func printCatalogue(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FAULT\tPROVIDERS\tWHAT HAPPENS")
	for _, s := range Catalogue() {
		kinds := make([]string, len(s.Kinds))
		for i, k := range s.Kinds {
			kinds[i] = string(k)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", s.Name, strings.Join(kinds, ", "), s.Description)
	}
	return t.Flush()
}
