// Command sidecar makes an LLM provider's outage invisible to the app beside
// it.
//
// It is the composition root: run.go builds the parts from the flags of
// options.go, starts them in order and stops them in reverse. Everything that
// decides is in internal/failover, everything that watches in
// internal/controller.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/understudy-dev/understudy/internal/simulator"
)

// version is set by the build.
var version = "dev"

const usage = `usage: sidecar COMMAND [flags]

  run       serve http://localhost:8089 from ProviderChains
  demo      run, with simulated providers unless API keys are set
  simulate  serve simulated providers alone
  validate  check ProviderChain files and folders, offline
  version   print the version

"sidecar COMMAND -h" lists a command's flags.
`

func main() {
	ctx, kill, stop := signals()
	err := command(ctx, kill, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "sidecar:", err)
		os.Exit(1)
	}
}

// signals returns a context that ends with the first SIGTERM or SIGINT, and
// one that ends with the second.
func signals() (first, second context.Context, stop func()) {
	first, cancelFirst := context.WithCancel(context.Background())
	second, cancelSecond := context.WithCancel(context.Background())
	ch := make(chan os.Signal, 2)
	signal.Notify(ch, syscall.SIGTERM, os.Interrupt)
	go func() {
		for _, cancel := range []context.CancelFunc{cancelFirst, cancelSecond} {
			select {
			case <-ch:
				cancel()
			case <-second.Done():
				return
			}
		}
	}()
	return first, second, func() {
		signal.Stop(ch)
		cancelFirst()
		cancelSecond()
	}
}

func command(ctx, kill context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return errors.New("no command given; try `sidecar demo`")
	}
	switch name, rest := args[0], args[1:]; name {
	case "run":
		o, err := parseOptions("run", rest, os.Getenv, stdout)
		if err != nil {
			return err
		}
		return run(ctx, kill, o, stderr, nil)
	case "demo":
		return demo(ctx, kill, rest, stdout, stderr)
	case "simulate":
		return simulator.Run(ctx, rest, stdout)
	case "validate":
		return validate(rest, stdout)
	case "version":
		fmt.Fprintln(stdout, version)
		return nil
	case "help", "-h", "--help":
		fmt.Fprint(stdout, usage)
		return nil
	default:
		return fmt.Errorf("%q is no command; there are run, demo, simulate, validate and version", name)
	}
}
