package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"
)

// options are the facts of the process; what a chain does is in the chain.
type options struct {
	chains       []string
	chainFiles   []string
	namespace    string
	secretsDir   string
	listen       string
	adminListen  string
	lastGoodDir  string
	allowEnv     []string
	drainTimeout time.Duration
	logLevel     slog.Level
	logFormat    string
	slackAPI     string
	pod          string
	getenv       func(string) string
}

// list is a flag that may be given several times, and holds commas.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

func (l *list) Set(v string) error {
	for part := range strings.SplitSeq(v, ",") {
		if part = strings.TrimSpace(part); part != "" {
			*l = append(*l, part)
		}
	}
	return nil
}

// namespaceFile is where the kubelet writes a pod's namespace.
const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// parseOptions reads the flags of run and of what builds on it. Asked for help
// it writes that to help and returns flag.ErrHelp.
func parseOptions(name string, args []string, getenv func(string) string, help io.Writer) (options, error) {
	o := options{getenv: getenv, drainTimeout: 25 * time.Second}
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(io.Discard) // an error is one sentence
	f.Var((*list)(&o.chains), "chain", "`NAME` of a ProviderChain in the cluster; repeatable, the first is the default")
	f.Var((*list)(&o.chainFiles), "chain-file", "`PATH` of a file or folder with ProviderChains; repeatable, read again when it changes")
	f.StringVar(&o.namespace, "namespace", "", "`NAME` of the chains' namespace (default: the pod's)")
	f.StringVar(&o.secretsDir, "secrets-dir", "", "`FOLDER` of mounted Secrets: FOLDER/secret/key")
	f.StringVar(&o.listen, "listen", "127.0.0.1:8089", "`ADDRESS` of the app's port; loopback only, on IPv4 and IPv6")
	f.StringVar(&o.adminListen, "admin-listen", ":8090", "`ADDRESS` of probes, metrics and the status page")
	f.StringVar(&o.lastGoodDir, "last-good-dir", "", "`FOLDER` that keeps the last good chains for a restart without the API server")
	f.Var((*list)(&o.allowEnv), "allow-env", "`NAME` of an environment variable that chains of the cluster may take keys from; repeatable")
	f.Func("drain-timeout", "`TIME` that open answers may go on after SIGTERM (default 25s)", o.setDrainTimeout)
	f.Func("log-level", "`LEVEL`: debug, info, warn or error (default info)", o.setLogLevel)
	f.StringVar(&o.logFormat, "log-format", "json", "`FORMAT`: json or text")
	f.StringVar(&o.slackAPI, "slack-api", "", "`URL` of Slack's Web API, for tests (default: Slack's own)")
	switch err := f.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		printFlags(help, f)
		return o, err
	case err != nil:
		return o, fmt.Errorf("%w; `sidecar %s -h` lists the flags", err, name)
	case f.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q; every setting is a flag, `sidecar %s -h` lists them", f.Arg(0), name)
	}
	return o, o.complete()
}

func (o *options) setDrainTimeout(v string) error {
	d, err := time.ParseDuration(v)
	if err != nil || d <= 0 {
		return errors.New("write a time such as 25s")
	}
	o.drainTimeout = d
	return nil
}

func (o *options) setLogLevel(v string) error {
	if o.logLevel.UnmarshalText([]byte(v)) != nil {
		return errors.New("write debug, info, warn or error")
	}
	return nil
}

// printFlags lists a command's flags as they are written in a manifest.
func printFlags(w io.Writer, f *flag.FlagSet) {
	fmt.Fprintf(w, "usage: sidecar %s [flags]\n\n", f.Name())
	f.VisitAll(func(fl *flag.Flag) {
		value, text := flag.UnquoteUsage(fl)
		if fl.DefValue != "" {
			text += " (default " + fl.DefValue + ")"
		}
		fmt.Fprintf(w, "  --%s %s\n        %s\n", fl.Name, value, text)
	})
}

// complete fills in what the pod itself tells, and checks the whole.
func (o *options) complete() error {
	if o.namespace == "" {
		if b, err := os.ReadFile(namespaceFile); err == nil {
			o.namespace = strings.TrimSpace(string(b))
		}
	}
	if o.pod = o.getenv("POD_NAME"); o.pod == "" {
		o.pod = o.getenv("HOSTNAME")
	}
	if o.namespace != "" && o.pod != "" {
		o.pod = o.namespace + "/" + o.pod
	}
	switch {
	case len(o.chains) == 0 && len(o.chainFiles) == 0:
		return errors.New("no chain is named; give --chain-file PATH, or --chain NAME in a cluster")
	case len(o.chains) > 0 && o.namespace == "":
		return errors.New("--chain needs a namespace outside of a pod; give --namespace")
	case o.logFormat != "json" && o.logFormat != "text":
		return fmt.Errorf("--log-format: %q is not known; write json or text", o.logFormat)
	case samePort(o.listen, o.adminListen):
		return fmt.Errorf("--admin-listen %s: is the port of --listen, which only the app may reach; choose another port", o.adminListen)
	}
	return nil
}

// samePort reports whether two addresses name the same fixed port.
func samePort(a, b string) bool {
	_, one, errOne := net.SplitHostPort(a)
	_, other, errOther := net.SplitHostPort(b)
	return errOne == nil && errOther == nil && one == other && one != "0"
}

func (o *options) logger(w io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: o.logLevel}
	if o.logFormat == "text" {
		return slog.New(slog.NewTextHandler(w, opts))
	}
	return slog.New(slog.NewJSONHandler(w, opts))
}
