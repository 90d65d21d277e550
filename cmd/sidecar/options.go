package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
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

func parseOptions(name string, args []string, getenv func(string) string, stderr io.Writer) (options, error) {
	o := options{getenv: getenv}
	f := flag.NewFlagSet("sidecar "+name, flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Var((*list)(&o.chains), "chain", "name of a ProviderChain in the cluster; repeatable, the first is the default")
	f.Var((*list)(&o.chainFiles), "chain-file", "file or folder with ProviderChains; repeatable")
	f.StringVar(&o.namespace, "namespace", "", "namespace of the chains (default: the pod's)")
	f.StringVar(&o.secretsDir, "secrets-dir", "", "folder of mounted Secrets: <dir>/<secret>/<key>")
	f.StringVar(&o.listen, "listen", "127.0.0.1:8089", "address of the app's port; loopback only")
	f.StringVar(&o.adminListen, "admin-listen", ":8090", "address of probes, metrics and the status page")
	f.StringVar(&o.lastGoodDir, "last-good-dir", "", "folder that keeps the last good chains for a restart without the API server")
	f.Var((*list)(&o.allowEnv), "allow-env", "environment variable that chains of the cluster may take keys from; repeatable")
	f.DurationVar(&o.drainTimeout, "drain-timeout", 25*time.Second, "how long open answers may go on after SIGTERM")
	f.TextVar(&o.logLevel, "log-level", slog.LevelInfo, "debug, info, warn or error")
	f.StringVar(&o.logFormat, "log-format", "json", "json or text")
	f.StringVar(&o.slackAPI, "slack-api", "", "base URL of Slack's Web API, for tests (default: Slack's own)")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q; every setting is a flag, see -h", f.Arg(0))
	}
	return o, o.complete()
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
	case o.drainTimeout <= 0:
		return errors.New("--drain-timeout: must be longer than 0s")
	}
	return nil
}

func (o *options) logger(w io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: o.logLevel}
	if o.logFormat == "text" {
		return slog.New(slog.NewTextHandler(w, opts))
	}
	return slog.New(slog.NewJSONHandler(w, opts))
}
