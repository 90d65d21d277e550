package controller

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/understudy-dev/understudy/api/v1alpha1"
	"github.com/understudy-dev/understudy/internal/failover"
)

// cluster is a client of the API server and a sidecar's controller beside it.
type cluster struct {
	t      *testing.T
	client client.Client
	store  *failover.Store
	events chan string // source, result
	log    *journal
}

// journal keeps what is logged.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func apiClient(t *testing.T) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	if err := rbacv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(server.cfg, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func startCluster(t *testing.T, chain, lastGood string) *cluster {
	t.Helper()
	return startWith(t, server.cfg, Options{Chains: []string{chain}, LastGoodDir: lastGood})
}

// startWith starts a controller that reaches the API server in its own way.
func startWith(t *testing.T, cfg *rest.Config, o Options) *cluster {
	t.Helper()
	c := &cluster{t: t, client: apiClient(t), store: newStore(), events: make(chan string, 100), log: &journal{}}
	o.Store, o.Namespace, o.Log = c.store, "default", slog.New(slog.NewTextHandler(c.log, nil))
	o.RESTConfig = func() (*rest.Config, error) { return cfg, nil }
	o.Reloaded = func(_, source, result string) { c.events <- source + " " + result }
	control, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { control.Run(ctx) })
	t.Cleanup(func() {
		stop()
		running.Wait()
	})
	return c
}

// await waits for an event of the controller.
func (c *cluster) await(want string) {
	c.t.Helper()
	deadline := time.After(60 * time.Second)
	for {
		select {
		case got := <-c.events:
			if got == want {
				return
			}
		case <-deadline:
			c.t.Fatalf("waited in vain for %q; the log is\n%s", want, c.log)
		}
	}
}

// says waits until the log holds a text.
func (c *cluster) says(want string) {
	c.t.Helper()
	deadline := time.After(60 * time.Second)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(c.log.String(), want) {
		select {
		case <-tick.C:
		case <-deadline:
			c.t.Fatalf("the log does not say %q:\n%s", want, c.log)
		}
	}
}

func object(name string, providers ...string) *v1alpha1.ProviderChain {
	pc := &v1alpha1.ProviderChain{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default"}}
	pc.Spec.Providers = list(providers...)
	return pc
}

func list(names ...string) []v1alpha1.Provider {
	var out []v1alpha1.Provider
	for _, n := range names {
		out = append(out, v1alpha1.Provider{Name: n, Type: "OpenAI", Model: "m", Auth: &v1alpha1.Auth{SecretKeyRef: &v1alpha1.SecretKeyRef{Name: "llm-keys", Key: n}}})
	}
	return out
}

// update changes an object whatever its resource version is.
func (c *cluster) update(name string, change func(*v1alpha1.ProviderChain)) {
	c.t.Helper()
	for range 20 {
		var pc v1alpha1.ProviderChain
		if err := c.client.Get(c.t.Context(), client.ObjectKey{Namespace: "default", Name: name}, &pc); err != nil {
			c.t.Fatal(err)
		}
		change(&pc)
		if err := c.client.Update(c.t.Context(), &pc); err == nil {
			return
		}
	}
	c.t.Fatal("the object could not be changed")
}

func TestTheSnapshotFollowsTheObject(t *testing.T) {
	t.Parallel()
	c := startCluster(t, "follow", t.TempDir())
	if err := c.client.Create(t.Context(), object("follow", "one", "missing")); err != nil {
		t.Fatal(err)
	}
	c.await("api applied")
	expect(t, c.store, "follow: one missing")

	c.update("follow", func(pc *v1alpha1.ProviderChain) { pc.Spec.Providers = list("two") })
	c.await("api applied")
	expect(t, c.store, "follow: two")

	c.update("follow", func(pc *v1alpha1.ProviderChain) {
		pc.Spec.Providers[0].Auth = &v1alpha1.Auth{Env: "HOME"}
	})
	c.await("api rejected")
	expect(t, c.store, "follow: two")
	c.condition("follow", 3, v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonNotAllowed)

	if err := c.client.Delete(t.Context(), object("follow")); err != nil {
		t.Fatal(err)
	}
	c.await("api deleted")
	expect(t, c.store, "follow: two")
}

// condition waits until the status says so about a generation.
func (c *cluster) condition(name string, generation int64, kind string, status metav1.ConditionStatus, reason string) {
	c.t.Helper()
	deadline := time.After(60 * time.Second)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		var pc v1alpha1.ProviderChain
		if err := c.client.Get(c.t.Context(), client.ObjectKey{Namespace: "default", Name: name}, &pc); err != nil {
			c.t.Fatal(err)
		}
		got := meta.FindStatusCondition(pc.Status.Conditions, kind)
		if got != nil && pc.Status.ObservedGeneration == generation && got.Status == status && got.Reason == reason {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			c.t.Fatalf("%s did not become %s, %s; the status is %+v", kind, status, reason, pc.Status)
		}
	}
}

func TestTheStatusSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	c := startCluster(t, "status", "")
	if err := c.client.Create(t.Context(), object("status", "unmounted", "one")); err != nil {
		t.Fatal(err)
	}
	c.await("api applied")
	c.condition("status", 1, v1alpha1.ConditionAccepted, metav1.ConditionTrue, v1alpha1.ReasonAccepted)
	c.condition("status", 1, v1alpha1.ConditionResolvedRefs, metav1.ConditionFalse, v1alpha1.ReasonSecretNotMounted)
	c.condition("status", 1, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonProviderAvailable)
	var pc v1alpha1.ProviderChain
	if err := c.client.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "status"}, &pc); err != nil {
		t.Fatal(err)
	}
	if pc.Status.ActiveProvider != "one" || len(pc.Status.Providers) != 2 || pc.Status.Providers[0].Reason != "NoCredential" {
		t.Errorf("the status is %+v", pc.Status)
	}
}

func TestWithoutTheAPIServerTheLastGoodChainServes(t *testing.T) {
	dir := t.TempDir()
	first := startCluster(t, "stable", dir)
	if err := first.client.Create(t.Context(), object("stable", "one")); err != nil {
		t.Fatal(err)
	}
	first.await("api applied")
	first.condition("stable", 1, v1alpha1.ConditionAccepted, metav1.ConditionTrue, v1alpha1.ReasonAccepted)

	if err := server.kill(); err != nil {
		t.Fatal(err)
	}
	second := startCluster(t, "stable", dir) // starts while it is away
	second.await("cache applied")
	file := filepath.Join(t.TempDir(), "chain.yaml")
	write(t, file, chainYAML("stable", "of-the-file"))
	third := startWith(t, server.cfg, Options{Chains: []string{"stable"}, Files: []string{file}, LastGoodDir: t.TempDir()})
	for _, c := range []*cluster{first, second, third} {
		c.says("the API server cannot be reached")
	}
	expect(t, first.store, "stable: one")
	expect(t, second.store, "stable: one")
	expect(t, third.store, "stable: of-the-file")
	if got := second.store.Load().Chains()[0].Config.Source; got != sourceCache {
		t.Errorf("the chain comes from %q", got)
	}

	if err := server.restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	second.await("api applied")
	third.await("api applied")
	expect(t, third.store, "stable: one")
	second.update("stable", func(pc *v1alpha1.ProviderChain) { pc.Spec.Providers = list("two") })
	for _, c := range []*cluster{first, second, third} {
		c.await("api applied")
		expect(t, c.store, "stable: two")
		c.says("the cluster is followed again")
	}
}

func TestAChainFollowsItsNameAndNotItsIdentity(t *testing.T) {
	t.Parallel()
	c := startCluster(t, "again", "")
	c.says("the cluster has no ProviderChain of this name")
	if err := c.client.Create(t.Context(), object("again", "one")); err != nil {
		t.Fatal(err)
	}
	c.await("api applied")
	c.condition("again", 1, v1alpha1.ConditionAccepted, metav1.ConditionTrue, v1alpha1.ReasonAccepted)
	if err := c.client.Delete(t.Context(), object("again")); err != nil {
		t.Fatal(err)
	}
	c.await("api deleted")
	if err := c.client.Create(t.Context(), object("again", "two")); err != nil {
		t.Fatal(err)
	}
	c.await("api applied")
	expect(t, c.store, "again: two")
	c.condition("again", 1, v1alpha1.ConditionAccepted, metav1.ConditionTrue, v1alpha1.ReasonAccepted)
}

func TestAGenerationThatDoesNotCompileLeavesTheFormerOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := startCluster(t, "refused", dir)
	bad := object("refused", "one")
	bad.Spec.Providers[0].BaseURL = "https://refused.example.com"
	if err := c.client.Create(t.Context(), bad); err != nil {
		t.Fatal(err)
	}
	c.await("api rejected")
	c.condition("refused", 1, v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonInvalid)
	c.condition("refused", 1, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonNotAccepted)
	c.condition("refused", 1, v1alpha1.ConditionResolvedRefs, metav1.ConditionUnknown, v1alpha1.ReasonNotAccepted)

	c.update("refused", func(pc *v1alpha1.ProviderChain) { pc.Spec.Providers = list("two") })
	c.await("api applied")
	c.update("refused", func(pc *v1alpha1.ProviderChain) { pc.Spec.Providers[0].BaseURL = "https://refused.example.com" })
	c.await("api rejected")
	expect(t, c.store, "refused: two")
	c.condition("refused", 3, v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonInvalid)
	c.condition("refused", 3, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonProviderAvailable)
	if kept, err := loadLastGood(dir, "default", "refused"); err != nil || kept.Generation != 2 {
		t.Errorf("on the disk is %+v, %v, want generation 2", kept, err)
	}
}

func TestSeveralChainsOfWhichOneIsNamedTwice(t *testing.T) {
	t.Parallel()
	c := startWith(t, server.cfg, Options{Chains: []string{"second", "first", "second"}})
	for _, name := range []string{"first", "second"} {
		if err := c.client.Create(t.Context(), object(name, name)); err != nil {
			t.Fatal(err)
		}
	}
	c.await("api applied")
	c.await("api applied")
	expect(t, c.store, "second: second", "first: first")
}
