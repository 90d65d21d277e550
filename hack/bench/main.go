// Command bench compares, in one run, the sidecar with a minimal
// httputil.ReverseProxy, with nginx where that is installed, and with no proxy
// at all. It also starts an API server, and measures a sidecar that watches it.
//
// The provider is a stand-in on loopback that answers at once, so that what is
// left is the proxy's own. Each proxy runs alone in a process of its own,
// pinned to one core where taskset exists; load and provider take the other.
// Rounds are interleaved (direct, plain, sidecar, direct, ...), and every
// figure is the median of the rounds: machines are noisy, ratios within one
// run are what counts.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"time"
)

func main() {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "provider":
			log.Fatal(serveProvider(os.Args[2]))
		case "plain":
			log.Fatal(servePlain(os.Args[2], os.Args[3], os.Args[4]))
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type options struct {
	sidecar string
	rounds  int
	streams int
	quick   bool
	after   time.Duration
}

func run(ctx context.Context) error {
	var o options
	flag.StringVar(&o.sidecar, "sidecar", "bin/sidecar", "the binary to measure")
	flag.IntVar(&o.rounds, "rounds", 7, "interleaved rounds; figures are medians")
	flag.IntVar(&o.streams, "streams", 5000, "streams held for the memory figure")
	flag.BoolVar(&o.quick, "quick", false, "a tenth of the work, to see that it runs")
	flag.DurationVar(&o.after, "after", time.Minute, "how long after the streams memory is read again")
	flag.Parse()
	if o.quick {
		o.rounds, o.streams, o.after = 2, 500, 2*time.Second
	}
	b, err := newBench(ctx, o)
	if err != nil {
		return err
	}
	defer b.close()
	if err := b.measure(ctx); err != nil {
		return err
	}
	b.print(os.Stdout)
	return nil
}

// start runs a process pinned to a core, and ends it with the benchmark.
func start(ctx context.Context, core string, env []string, name string, args ...string) (*exec.Cmd, error) {
	if path, err := exec.LookPath("taskset"); err == nil {
		args = append([]string{"-c", core, name}, args...)
		name = path
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	var out strings.Builder
	cmd.Stderr = &out
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return cmd, nil
}
