package controller

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

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
	events chan string // chain, source, result
}

func apiClient(t *testing.T) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(envCfg, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func startCluster(t *testing.T, chain, lastGood string) *cluster {
	t.Helper()
	return startBehind(t, envCfg, chain, lastGood)
}

// startBehind starts a controller that reaches the API server in its own way.
func startBehind(t *testing.T, cfg *rest.Config, chain, lastGood string) *cluster {
	t.Helper()
	c := &cluster{t: t, client: apiClient(t), store: newStore(), events: make(chan string, 100)}
	control, err := New(Options{
		Store: c.store, Chains: []string{chain}, Namespace: "default", LastGoodDir: lastGood, Log: discard(),
		RESTConfig: func() (*rest.Config, error) { return cfg, nil },
		Reloaded:   func(_, source, result string) { c.events <- source + " " + result },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { control.Run(ctx) })
	t.Cleanup(func() {
		stop()
		running.Wait()
		http.DefaultClient.CloseIdleConnections()
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
			c.t.Fatalf("waited in vain for %q", want)
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
	c := startCluster(t, "status", "")
	if err := c.client.Create(t.Context(), object("status", "missing", "one")); err != nil {
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
	way := newRoad(t)
	first := startBehind(t, way.config(), "stable", dir)
	if err := first.client.Create(t.Context(), object("stable", "one")); err != nil {
		t.Fatal(err)
	}
	first.await("api applied")
	first.condition("stable", 1, v1alpha1.ConditionAccepted, metav1.ConditionTrue, v1alpha1.ReasonAccepted)

	way.cut()
	expect(t, first.store, "stable: one")
	second := startBehind(t, way.config(), "stable", dir) // starts while it is away
	second.await("cache applied")
	expect(t, second.store, "stable: one")
	if got := second.store.Load().Chains()[0].Config.Source; got != sourceCache {
		t.Errorf("the chain comes from %q", got)
	}
	way.mend()
	second.await("api applied")
	second.update("stable", func(pc *v1alpha1.ProviderChain) { pc.Spec.Providers = list("two") })
	second.await("api applied")
	first.await("api applied")
	expect(t, second.store, "stable: two")
	expect(t, first.store, "stable: two")
}

func TestADamagedLastGoodChainIsLeftOut(t *testing.T) {
	dir := t.TempDir()
	write(t, lastGoodPath(dir, "default", "x"), `{"chain":`)
	if _, err := loadLastGood(dir, "default", "x"); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("loading gave %v", err)
	}
	if pc, err := loadLastGood(dir, "default", "never"); pc != nil || err != nil {
		t.Errorf("a chain that was never saved gave %v, %v", pc, err)
	}
}
