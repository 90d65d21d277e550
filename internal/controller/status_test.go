package controller

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
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
		key = "unmounted"
	}
	e, _ := endpoints{}.Endpoint(failover.ProviderConfig{Name: "one", Auth: failover.SecretRef{Secret: "llm-keys", Key: key}})
	_, err := e.Credential()
	p := failover.ProviderStatus{Name: "one", State: "Closed", CredentialError: err}
	active := "one"
	if missing {
		p.State, p.Reason, active = "Open", failover.NoCredential, ""
	}
	return viewOf(&failover.ChainStatus{Active: active, Providers: []failover.ProviderStatus{p}}, handled{generation: generation})
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

func TestAPodThatCannotWriteDoesNotAskAllTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m memory
		tries := 0
		for range 3600 { // seconds
			if m.decide(view(1, false), v1alpha1.ProviderChainStatus{}, time.Now(), rand.Float64) {
				tries++
				m.failed(time.Now(), rand.Float64)
			}
			time.Sleep(time.Second)
		}
		if tries < 5 || tries > 20 {
			t.Errorf("a pod tried %d times in an hour, want about once in 5 to 10 minutes", tries)
		}
	})
}

func TestFewOfManyPodsWriteAtOnce(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	const pods, delay = 10_000, time.Second // until the others see a write
	waits := make([]time.Duration, pods)
	for i := range waits {
		waits[i] = spread(rng.Float64)
	}
	first, early := slices.Min(waits), 0
	for _, w := range waits {
		if w < 0 || w > newGenerationSpread {
			t.Fatalf("a wait of %v", w)
		}
		if w <= first+delay {
			early++
		}
	}
	if early > 50 {
		t.Errorf("%d of %d pods would write before they see that one has", early, pods)
	}
}

func TestAnObjectThatIsMadeAnewIsReportedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var status v1alpha1.ProviderChainStatus
		p := &pod{view: view(1, false), memory: newMemory("first")}
		run([]*pod{p}, &status, time.Minute)
		p.memory, status = newMemory("second"), v1alpha1.ProviderChainStatus{}
		if n := run([]*pod{p}, &status, 10*time.Second); n != 1 || p.memory.contradicted != 0 {
			t.Errorf("%d writes, contradicted %d times", n, p.memory.contradicted)
		}
	})
}

func TestTheViewOfAChain(t *testing.T) {
	missing := func(err error) *failover.ChainStatus {
		return &failover.ChainStatus{Active: "b", Providers: []failover.ProviderStatus{{Name: "a", Model: "m", CredentialError: err}, {Name: "b"}}}
	}
	for name, tc := range map[string]struct {
		chain *failover.ChainStatus
		h     handled
		want  map[string]string // type -> status reason
		says  string
	}{
		"nothing is in use": {
			nil,
			handled{generation: 1, err: errors.New("spec.providers[0].baseURL: is wrong")},
			map[string]string{"Accepted": "False Invalid", "ResolvedRefs": "Unknown NotAccepted", "Ready": "False NotAccepted"},
			"baseURL: is wrong",
		},
		"not mounted": {
			missing(fmt.Errorf("key: %w", failover.ErrSecretNotMounted)),
			handled{generation: 1},
			map[string]string{"Accepted": "True Accepted", "ResolvedRefs": "False SecretNotMounted", "Ready": "True ProviderAvailable"},
			"restart the pod",
		},
		"no such key": {
			missing(errors.New("key: is not there")),
			handled{generation: 1},
			map[string]string{"ResolvedRefs": "False CredentialNotFound"},
			"a: key: is not there",
		},
		"no model": {missing(nil), handled{generation: 1}, map[string]string{"Accepted": "True Accepted", "ResolvedRefs": "True Resolved"}, "passes over b unless"},
		"all down": {&failover.ChainStatus{}, handled{generation: 1}, map[string]string{"Ready": "False NoProviderAvailable"}, "status of each"},
	} {
		t.Run(name, func(t *testing.T) {
			var said string
			for _, c := range viewOf(tc.chain, tc.h).Conditions {
				said += c.Message + "\n"
				if want, ok := tc.want[c.Type]; ok && want != string(c.Status)+" "+c.Reason || c.ObservedGeneration != 1 {
					t.Errorf("%s is %s %s of generation %d, want %s", c.Type, c.Status, c.Reason, c.ObservedGeneration, want)
				}
			}
			if !strings.Contains(said, tc.says) {
				t.Errorf("the conditions say\n%swithout %q", said, tc.says)
			}
		})
	}
}
