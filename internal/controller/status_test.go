package controller

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/understudy-dev/understudy/api/v1alpha1"
	"github.com/understudy-dev/understudy/internal/failover"
)

// pod is one sidecar in front of a shared object.
type pod struct {
	view   v1alpha1.ProviderChainStatus
	memory memory
}

// run lets pods look at one status once a second, and counts the writes.
func run(pods []*pod, status *v1alpha1.ProviderChainStatus, for_ time.Duration) int {
	rng := rand.New(rand.NewPCG(1, 2))
	writes := 0
	for end := time.Now().Add(for_); time.Now().Before(end); time.Sleep(time.Second) {
		for _, p := range pods {
			if p.memory.decide(p.view, *status, time.Now(), rng.Float64) {
				*status = p.view
				p.memory.wrote(&p.view, time.Now())
				writes++
			}
		}
	}
	return writes
}

func view(generation int64, missing bool) v1alpha1.ProviderChainStatus {
	key := "there"
	if missing {
		key = "missing"
	}
	e, _ := endpoints{}.Endpoint(failover.ProviderConfig{Name: "one", Auth: failover.SecretRef{Secret: "llm-keys", Key: key}})
	_, err := e.Credential()
	p := failover.ProviderStatus{Name: "one", State: "Closed", CredentialError: err}
	active := "one"
	if missing {
		p.State, p.Reason, active = "Open", failover.NoCredential, ""
	}
	return viewOf(failover.ChainStatus{Active: active, Providers: []failover.ProviderStatus{p}}, handled{generation: generation})
}

func TestPodsThatDisagreeDoNotFightOverTheStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var status v1alpha1.ProviderChainStatus
		pods := []*pod{{view: view(1, false)}, {view: view(1, true)}}
		if n := run(pods, &status, 10*time.Minute); n < 1 || n > 3 {
			t.Errorf("two pods made %d writes in 10 minutes, want 1 to 3", n)
		}
	})
}

func TestPodsThatAgreeWriteOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var status v1alpha1.ProviderChainStatus
		pods := make([]*pod, 50)
		for i := range pods {
			pods[i] = &pod{view: view(1, false)}
		}
		if n := run(pods, &status, 10*time.Minute); n != 1 {
			t.Errorf("50 pods made %d writes, want 1", n)
		}
		for _, p := range pods {
			p.view = view(2, false)
		}
		if n := run(pods, &status, 10*time.Minute); n != 1 || status.ObservedGeneration != 2 {
			t.Errorf("a new generation made %d writes, want 1", n)
		}
	})
}

func TestAStateIsWrittenOnlyOnceItHasLasted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var status v1alpha1.ProviderChainStatus
		p := &pod{view: view(1, false)}
		run([]*pod{p}, &status, 10*time.Minute)
		p.view = view(1, true)
		if n := run([]*pod{p}, &status, 50*time.Second); n != 0 {
			t.Error("a state of 50 s was written")
		}
		p.view = view(1, false)
		run([]*pod{p}, &status, time.Minute)
		p.view = view(1, true)
		if n := run([]*pod{p}, &status, 3*time.Minute); n != 1 {
			t.Errorf("a state that lasted was written %d times, want once", n)
		}
		for _, c := range status.Conditions {
			if c.Type == v1alpha1.ConditionResolvedRefs && (c.Status != "False" || c.Reason != v1alpha1.ReasonSecretNotMounted) {
				t.Errorf("ResolvedRefs is %s, %s", c.Status, c.Reason)
			}
		}
	})
}
