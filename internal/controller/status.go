package controller

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/understudy-dev/understudy/api/v1alpha1"
	"github.com/understudy-dev/understudy/internal/failover"
)

// Pace of the status writes. Every pod with the chain sees the same object, so
// all of them would write at once, and each write goes to all of them.
const (
	newGenerationSpread = 5 * time.Second
	differsFor          = 60 * time.Second // and as much again as jitter
	betweenWrites       = 5 * time.Minute
	longestBetween      = time.Hour
	afterFailure        = 10 * time.Second // doubled up to betweenWrites
)

// mostPods is the number of pods for which spread keeps few from writing at
// once.
const mostPods = 10_000

// spread is the wait before the first word about a new generation. Its
// logarithm lets few of many pods wait little: they write before the others
// come to it, and those see that it was done.
func spread(jitter func() float64) time.Duration {
	share := 1 + math.Log(jitter())/math.Log(mostPods)
	return time.Duration(max(0, share) * float64(newGenerationSpread))
}

// memory is what one pod remembers of its writes to one object.
type memory struct {
	uid        string    // of the object
	generation int64     // that the rest is about
	due        time.Time // of the write that is wanted; zero: none is
	last       time.Time // of the last write
	written    *v1alpha1.ProviderChainStatus
	// contradicted counts how often another pod replaced what this one wrote:
	// the two see different things, and neither will convince the other.
	contradicted int
	failures     int // since the last write
}

func newMemory(uid string) memory { return memory{uid: uid} }

// decide says whether this pod writes its view now. It is called about once a
// second and keeps time by now alone.
func (m *memory) decide(view, observed v1alpha1.ProviderChainStatus, now time.Time, jitter func() float64) bool {
	if m.generation != view.ObservedGeneration {
		*m = memory{uid: m.uid, generation: view.ObservedGeneration, last: m.last}
	}
	if m.written != nil && !sameStatus(*m.written, observed) {
		m.written = nil
		m.contradicted++
	}
	behind := observed.ObservedGeneration < view.ObservedGeneration
	if !behind && sameStatus(view, observed) {
		m.due = time.Time{}
		return false
	}
	if m.due.IsZero() {
		wait := differsFor + time.Duration(jitter()*float64(differsFor))
		if behind {
			wait = spread(jitter)
		}
		m.due = now.Add(wait)
	}
	if now.Before(m.due) {
		return false
	}
	pause := min(betweenWrites<<min(m.contradicted, 4), longestBetween)
	return behind || m.last.IsZero() || now.Sub(m.last) >= pause
}

// wrote notes a write.
func (m *memory) wrote(status *v1alpha1.ProviderChainStatus, now time.Time) {
	m.due, m.last, m.written, m.failures = time.Time{}, now, status, 0
}

// failed notes a try that came to nothing: a pod that may not write, or cannot
// now, must not ask for it every second.
func (m *memory) failed(now time.Time, jitter func() float64) {
	wait := min(afterFailure<<min(m.failures, 10), betweenWrites)
	m.failures++
	m.due = now.Add(wait + time.Duration(jitter()*float64(wait)))
}

// sameStatus compares what is worth a write: states and reasons, not times and
// wording.
func sameStatus(a, b v1alpha1.ProviderChainStatus) bool {
	return a.ObservedGeneration == b.ObservedGeneration && a.ActiveProvider == b.ActiveProvider &&
		slices.EqualFunc(a.Providers, b.Providers, func(x, y v1alpha1.ProviderStatus) bool {
			return x.Name == y.Name && x.State == y.State && x.Reason == y.Reason
		}) &&
		slices.EqualFunc(conditions(a), conditions(b), func(x, y metav1.Condition) bool {
			return x.Type == y.Type && x.Status == y.Status && x.Reason == y.Reason
		})
}

// conditions are ours, in a fixed order.
func conditions(s v1alpha1.ProviderChainStatus) []metav1.Condition {
	var out []metav1.Condition
	for _, t := range []string{v1alpha1.ConditionAccepted, v1alpha1.ConditionResolvedRefs, v1alpha1.ConditionReady} {
		if c := meta.FindStatusCondition(s.Conditions, t); c != nil {
			out = append(out, *c)
		}
	}
	return out
}

// reporter writes the status of one object, when it has to.
type reporter struct {
	watcher *watcher
	client  client.Client
	live    client.Reader
	trouble string // as it was told last
}

// run looks once a second until ctx ends.
func (r *reporter) run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			err := r.step(ctx, time.Now())
			if err != nil && ctx.Err() == nil && !apierrors.IsConflict(err) {
				r.watcher.memory.failed(time.Now(), rand.Float64)
				r.tell(err)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// tell says why the status is not written, once for each reason. Traffic does
// not depend on it.
func (r *reporter) tell(err error) {
	if text := err.Error(); text != r.trouble {
		r.trouble = text
		r.watcher.log.Warn("the status of the chain is not written; its pods need get on providerchains and patch on providerchains/status", "error", text)
	}
}

func (r *reporter) step(ctx context.Context, now time.Time) error {
	object, h := r.watcher.version()
	chain := r.watcher.opts.Store.Load().Chain(r.watcher.name)
	if object == nil || h.generation != object.Generation || h.uid != string(object.UID) {
		return nil
	}
	memory := &r.watcher.memory
	if memory.uid != h.uid {
		*memory = newMemory(h.uid) // made anew under its name
	}
	var local *failover.ChainStatus
	if chain != nil {
		local = new(chain.Status())
	}
	view := viewOf(local, h)
	if !memory.decide(view, object.Status, now, rand.Float64) {
		return nil
	}
	// Somebody else may have been faster: look at the object itself.
	var fresh v1alpha1.ProviderChain
	if err := r.live.Get(ctx, client.ObjectKeyFromObject(object), &fresh); err != nil {
		return err
	}
	if string(fresh.UID) != h.uid || fresh.Generation != h.generation || sameStatus(view, fresh.Status) {
		return nil
	}
	if behind := fresh.Status.ObservedGeneration < view.ObservedGeneration; !behind && object.Status.ObservedGeneration < view.ObservedGeneration {
		return nil // written meanwhile; wait for the watch to say so
	}
	return r.write(ctx, &fresh, view, now)
}

// write replaces the status if nobody else has since it was read.
func (r *reporter) write(ctx context.Context, fresh *v1alpha1.ProviderChain, view v1alpha1.ProviderChainStatus, now time.Time) error {
	before := fresh.DeepCopy()
	for _, c := range view.Conditions {
		meta.SetStatusCondition(&fresh.Status.Conditions, c)
	}
	view.Conditions = fresh.Status.Conditions
	fresh.Status = view
	err := r.client.Status().Patch(ctx, fresh, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	if err == nil {
		r.watcher.memory.wrote(&view, now)
		r.trouble = ""
		return nil
	}
	if apierrors.IsConflict(err) { // another pod wrote: its word stands
		r.watcher.memory.due = time.Time{}
	}
	return err
}
