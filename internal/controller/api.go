package controller

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/understudy-dev/understudy/api/v1alpha1"
)

// watcher follows one object. A cache is narrowed by one field selector for a
// kind, so each chain has a manager of its own; it holds one object and one
// watch.
type watcher struct {
	opts   Options
	name   string
	merger *merger
	rest   *rest.Config
	scheme *runtime.Scheme
	log    *slog.Logger

	memory memory // of the status writes; the reporter's alone
	watch  watchLog

	mu      sync.Mutex
	object  *v1alpha1.ProviderChain // as it was seen last; nil: never, or deleted
	handled handled
}

// handled is the version of the object that was dealt with last.
type handled struct {
	uid        string
	generation int64
	err        error // why it is not used
	notAllowed bool
}

// LogTo points the Kubernetes libraries, which log through variables of the
// process, at log. The composition root calls it once, before anything runs.
func LogTo(log *slog.Logger) {
	handler := log.With("component", "kubernetes").Handler()
	ctrl.SetLogger(logr.FromSlogHandler(handler))
	klog.SetLogger(logr.FromSlogHandler(handler))
}

// newWatchers prepares a watcher for each named chain and applies what the
// disk remembers of it. It does not touch the network.
func newWatchers(o Options, m *merger) ([]*watcher, error) {
	cfg, err := o.RESTConfig()
	if err != nil {
		return nil, fmt.Errorf("--chain needs a cluster: %w", err)
	}
	cfg = rest.CopyConfig(cfg)
	// One object and a few status writes need no more; controller-runtime's
	// default is no limit at all.
	cfg.QPS, cfg.Burst = 2, 5
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	var all []*watcher
	for _, name := range m.named {
		w := &watcher{opts: o, name: name, merger: m, scheme: scheme, log: o.Log.With("chain", name)}
		w.watch.log, w.watch.namespace = w.log, o.Namespace
		w.rest = rest.CopyConfig(cfg)
		w.rest.Wrap(w.watch.around)
		w.restore(m)
		all = append(all, w)
	}
	return all, nil
}

// restore applies the last good object from disk.
func (w *watcher) restore(to sink) {
	pc, err := loadLastGood(w.opts.LastGoodDir, w.opts.Namespace, w.name)
	if err != nil {
		w.log.Warn("the last good chain is not used", "error", err.Error())
	}
	if pc == nil {
		return
	}
	cc, err := Translate(pc, sourceCache)
	if err == nil {
		err = w.opts.allowed(cc)
	}
	if err == nil {
		err = to.offer(cc)
	}
	if err != nil {
		w.log.Warn("the last good chain is not used", "error", err.Error())
	}
}

// Pauses between two lives of a manager.
const (
	firstPause = time.Second
	lastPause  = time.Minute
)

// run keeps a manager alive until ctx ends. A manager ends with an error when
// the API server stays away for long; that is no reason to end anything else.
func (w *watcher) run(ctx context.Context) {
	pause := firstPause
	for ctx.Err() == nil {
		from := time.Now()
		err := w.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(from) > 2*lastPause {
			pause = firstPause
		}
		w.log.Warn("watching the cluster failed; the chains in use stay", "error", fmt.Sprint(err), "again_in", pause)
		wait := time.NewTimer(pause + rand.N(pause/2))
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return
		}
		pause = min(2*pause, lastPause)
	}
}

// follow runs one manager to its end.
func (w *watcher) follow(ctx context.Context) error {
	mgr, err := w.manager()
	if err != nil {
		return fmt.Errorf("make the manager: %w", err)
	}
	reconciler := reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
		return reconcile.Result{}, w.reconcile(ctx, mgr.GetClient(), req)
	})
	if err := ctrl.NewControllerManagedBy(mgr).Named("chain-" + w.name).For(&v1alpha1.ProviderChain{}).Complete(reconciler); err != nil {
		return fmt.Errorf("make the controller: %w", err)
	}
	reporter := &reporter{watcher: w, client: mgr.GetClient(), live: mgr.GetAPIReader()}
	if err := mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
		// The cache is filled by now.
		if err := w.missing(ctx, mgr.GetClient()); err != nil {
			return err
		}
		return reporter.run(ctx)
	})); err != nil {
		return fmt.Errorf("add the status reporter: %w", err)
	}
	return mgr.Start(ctx)
}

func (w *watcher) manager() (ctrl.Manager, error) {
	return ctrl.NewManager(w.rest, ctrl.Options{
		Scheme: w.scheme,
		// Discovery would fail at once while the API server is away, and cost
		// every start two requests.
		MapperProvider: func(*rest.Config, *http.Client) (meta.RESTMapper, error) {
			m := meta.NewDefaultRESTMapper(nil)
			m.Add(v1alpha1.GroupVersion.WithKind(v1alpha1.Kind), meta.RESTScopeNamespace)
			return m, nil
		},
		// The default addresses would collide with the app's own ports.
		Metrics:                 metricsserver.Options{BindAddress: "0"},
		HealthProbeBindAddress:  "0",
		GracefulShutdownTimeout: new(time.Second),
		Cache: cache.Options{
			DefaultWatchErrorHandler: w.watch.failed,
			DefaultNamespaces:        map[string]cache.Config{w.opts.Namespace: {}},
			ByObject: map[client.Object]cache.ByObject{&v1alpha1.ProviderChain{}: {
				Field:     fields.OneTermEqualSelector("metadata.name", w.name),
				Transform: cache.TransformStripManagedFields(),
			}},
		},
		Controller: config.Controller{
			// The controller is made anew in one process, and may wait long for
			// an API server.
			SkipNameValidation: new(true),
			CacheSyncTimeout:   time.Hour,
		},
	})
}

// reconcile takes the object as it is now.
func (w *watcher) reconcile(ctx context.Context, c client.Client, req reconcile.Request) error {
	var pc v1alpha1.ProviderChain
	err := c.Get(ctx, req.NamespacedName, &pc)
	switch {
	case apierrors.IsNotFound(err):
		if w.see(nil) {
			w.merger.gone(w.name, sourceAPI)
		}
		return nil
	case err != nil:
		return err
	}
	w.see(&pc)
	if w.known(&pc) {
		return nil
	}
	return w.take(ctx, &pc)
}

// missing tells of an object that is not there when the watch begins, which no
// event will tell of: it was deleted while nobody looked, or never made.
func (w *watcher) missing(ctx context.Context, c client.Client) error {
	var pc v1alpha1.ProviderChain
	err := c.Get(ctx, client.ObjectKey{Namespace: w.opts.Namespace, Name: w.name}, &pc)
	if !apierrors.IsNotFound(err) {
		return err
	}
	if w.see(nil); w.opts.Store.Load().Chain(w.name) != nil {
		w.merger.gone(w.name, sourceAPI)
		return nil
	}
	w.log.Warn("the cluster has no ProviderChain of this name; create it, or correct --chain or --namespace", "namespace", w.opts.Namespace)
	return nil
}

// see remembers the object, and reports whether there was one before.
func (w *watcher) see(pc *v1alpha1.ProviderChain) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.object != nil
	if w.object = pc; pc == nil {
		w.handled = handled{}
	}
	return before
}

// known reports a version that was dealt with already: a change of the status
// alone is none.
func (w *watcher) known(pc *v1alpha1.ProviderChain) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.handled.uid == string(pc.UID) && w.handled.generation == pc.Generation
}

// take tries to put a version into use. An error says that it was not tried.
func (w *watcher) take(ctx context.Context, pc *v1alpha1.ProviderChain) error {
	h := handled{uid: string(pc.UID), generation: pc.Generation}
	cc, err := Translate(pc, sourceAPI)
	if err == nil {
		if err = w.opts.allowed(cc); err != nil {
			h.notAllowed = true
		}
	}
	if err == nil {
		err = handover{ctx, w.merger}.offer(cc)
	} else {
		w.merger.report(w.name, sourceAPI, err)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	h.err = err
	w.mu.Lock()
	w.handled = h
	w.mu.Unlock()
	if err != nil {
		return nil // it will not get better by itself
	}
	if err := saveLastGood(w.opts.LastGoodDir, pc, time.Now()); err != nil {
		w.log.Warn("the chain is in use but was not saved for a restart", "error", err.Error())
	}
	return nil
}

// version returns what is known of the object now.
func (w *watcher) version() (*v1alpha1.ProviderChain, handled) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.object, w.handled
}
