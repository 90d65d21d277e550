package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"

	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/client/config"

	"github.com/understudy-dev/understudy/internal/controller"
	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/circuit"
	"github.com/understudy-dev/understudy/internal/failover/dialect"
	"github.com/understudy-dev/understudy/internal/failover/metrics"
	"github.com/understudy-dev/understudy/internal/failover/notify"
	"github.com/understudy-dev/understudy/internal/failover/provider"
	"github.com/understudy-dev/understudy/internal/failover/proxy"
)

// run serves until ctx ends and what is in flight is done, or until kill ends.
//
// The order of the start: sockets first, because a port in use is the error
// that a person sees most; then the chains, so that the first request finds
// one; then everything that runs. The proxy is the parent: it ends last, and
// nothing else that ends or fails takes it along. ready, where given, is told
// both addresses once they are served.
func run(ctx, kill context.Context, o options, stderr io.Writer, ready func(app, admin string)) error {
	log := o.logger(stderr)
	controller.LogTo(log)
	maxHeld := limitMemory(memoryMax, log)
	p, err := build(o, log)
	if err != nil {
		return err
	}
	server, err := proxy.Listen(proxy.Options{
		Engine: p.engine, Store: p.store, Listen: o.listen, AdminListen: o.adminListen,
		Metrics: p.metrics.Handler(), DrainTimeout: o.drainTimeout, MaxHeld: maxHeld, Log: log, Version: version,
	})
	if err != nil {
		return err
	}
	control, err := controller.New(controller.Options{
		Store: p.store, Files: o.chainFiles, Chains: o.chains, Namespace: o.namespace,
		RESTConfig:  ctrlconfig.GetConfig,
		LastGoodDir: o.lastGoodDir, SecretsDir: o.secretsDir, AllowEnv: o.allowEnv, Log: log,
		Rejected: p.notifier.ConfigRejected, Reloaded: p.metrics.Reloaded,
	})
	if err != nil {
		server.Close()
		return err
	}
	// The keys are looked at once, so that a missing one is told at the start
	// and not by the first request.
	_ = p.store.Load().Status()
	giveBack()
	log.Info("serving", "app", server.Addr(), "admin", server.AdminAddr(), "version", version)
	if ready != nil {
		ready(server.Addr(), server.AdminAddr())
	}

	background, stop := context.WithCancel(context.Background())
	var children sync.WaitGroup
	children.Go(func() { _ = control.Run(background) })
	children.Go(func() { _ = p.notifier.Run(background) })
	children.Go(func() { keepSmall(background, server.InFlight) })
	err = server.Run(ctx, kill)
	stop()
	children.Wait()
	p.provider.CloseIdle()
	return err
}

// parts are what a sidecar is made of, without sockets.
type parts struct {
	store    *failover.Store
	engine   *failover.Engine
	provider *provider.Provider
	metrics  *metrics.Metrics
	notifier *notify.Notifier
}

func build(o options, log *slog.Logger) (*parts, error) {
	own, err := ownPorts(o.listen, o.adminListen)
	if err != nil {
		return nil, err
	}
	p := &parts{metrics: metrics.New(version)}
	p.provider = provider.New(provider.Options{SecretsDir: o.secretsDir, Getenv: o.getenv, OwnPorts: own, Log: log})
	p.notifier = notify.New(notify.Options{
		Snapshot: func() *failover.Snapshot { return p.store.Load() },
		Secret:   p.provider.Secret, SlackAPI: o.slackAPI, Log: log, Sent: p.metrics.Notified, Pod: o.pod,
	})
	p.metrics.Expect(notify.Events(), notify.Results())
	observer := failover.Observers{p.metrics, p.notifier, failover.LogObserver(log)}
	dialects := dialect.New()
	p.store = failover.NewStore(failover.Deps{Circuits: circuit.NewRegistry(), Dialects: dialects, Endpoints: p.provider}, observer)
	p.engine = failover.NewEngine(p.store, dialects, observer)
	return p, nil
}

// ownPorts are the ports that no provider may be found at on this machine.
func ownPorts(addresses ...string) ([]string, error) {
	var ports []string
	for _, a := range addresses {
		_, port, err := net.SplitHostPort(a)
		if err != nil {
			return nil, fmt.Errorf("%q is not an address; write --listen and --admin-listen as host:port, such as 127.0.0.1:8089", a)
		}
		ports = append(ports, port)
	}
	return ports, nil
}
