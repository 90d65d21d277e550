package controller

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
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
	newGenerationJitter = 2 * time.Second
	differsFor          = 60 * time.Second // and as much again as jitter
	betweenWrites       = 5 * time.Minute
	longestBetween      = time.Hour
)

// memory is what one pod remembers of its writes to one object.
type memory struct {
	generation int64     // that the rest is about
	due        time.Time // of the write that is wanted; zero: none is
	last       time.Time // of the last write
	written    *v1alpha1.ProviderChainStatus
	// contradicted counts how often another pod replaced what this one wrote:
	// the two see different things, and neither will convince the other.
	contradicted int
}

// decide says whether this pod writes its view now. It is called about once a
// second and keeps time by now alone.
func (m *memory) decide(view, observed v1alpha1.ProviderChainStatus, now time.Time, jitter func() float64) bool {
	if m.generation != view.ObservedGeneration {
		*m = memory{generation: view.ObservedGeneration}
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
			wait = time.Duration(jitter() * float64(newGenerationJitter))
		}
		m.due = now.Add(wait)
	}
	if now.Before(m.due) {
		return false
	}
	pause := min(betweenWrites<<min(m.contradicted, 4), longestBetween)
	return behind || m.last.IsZero() || now.Sub(m.last) >= pause
}

// wrote notes a write, or a try of one.
func (m *memory) wrote(status *v1alpha1.ProviderChainStatus, now time.Time) {
	m.due, m.last, m.written = time.Time{}, now, status
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

// viewOf is the status as this pod would write it.
func viewOf(chain failover.ChainStatus, h handled) v1alpha1.ProviderChainStatus {
	v := v1alpha1.ProviderChainStatus{ObservedGeneration: h.generation, ActiveProvider: chain.Active}
	var missing []string
	reason := v1alpha1.ReasonResolved
	for _, p := range chain.Providers {
		ps := v1alpha1.ProviderStatus{Name: p.Name, State: v1alpha1.ProviderState(p.State), Reason: string(p.Reason)}
		if p.Since != nil {
			ps.Since = new(metav1.NewTime(*p.Since))
		}
		v.Providers = append(v.Providers, ps)
		if p.CredentialError != nil {
			missing = append(missing, p.Name+": "+p.CredentialError.Error())
			reason = v1alpha1.ReasonCredentialNotFound
			if strings.Contains(p.CredentialError.Error(), "Secret") {
				reason = v1alpha1.ReasonSecretNotMounted
			}
		}
	}
	accepted := metav1.Condition{Type: v1alpha1.ConditionAccepted, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonAccepted, Message: "The chain is in use."}
	if h.err != nil {
		accepted.Status, accepted.Reason, accepted.Message = metav1.ConditionFalse, v1alpha1.ReasonInvalid, h.err.Error()
		if h.notAllowed {
			accepted.Reason = v1alpha1.ReasonNotAllowed
		}
	}
	resolved := metav1.Condition{Type: v1alpha1.ConditionResolvedRefs, Status: metav1.ConditionTrue, Reason: reason, Message: "Every reference holds a value."}
	if len(missing) > 0 {
		resolved.Status, resolved.Message = metav1.ConditionFalse, strings.Join(missing, "; ")
		if reason == v1alpha1.ReasonSecretNotMounted {
			resolved.Message += "; restart the pod if the Secret was added after it started"
		}
	}
	ready := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonProviderAvailable, Message: "At least one provider can be used."}
	if chain.Active == "" {
		ready.Status, ready.Reason, ready.Message = metav1.ConditionFalse, v1alpha1.ReasonNoProviderAvailable, "Every provider is skipped now; the status of each says why."
	}
	for _, c := range []metav1.Condition{accepted, resolved, ready} {
		c.ObservedGeneration = h.generation
		meta.SetStatusCondition(&v.Conditions, c)
	}
	return v
}

// reporter writes the status of one object, when it has to.
type reporter struct {
	watcher *watcher
	client  client.Client
	live    client.Reader
	memory  memory
}

// run looks once a second until ctx ends.
func (r *reporter) run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := r.step(ctx, time.Now()); err != nil && ctx.Err() == nil {
				r.watcher.log.Debug("status not written", "error", err.Error())
			}
		case <-ctx.Done():
			return nil
		}
	}
}

func (r *reporter) step(ctx context.Context, now time.Time) error {
	object, h := r.watcher.version()
	chain := r.watcher.opts.Store.Load().Chain(r.watcher.name)
	if object == nil || h.generation != object.Generation {
		return nil
	}
	var local failover.ChainStatus
	if chain != nil {
		local = chain.Status()
	}
	view := viewOf(local, h)
	if !r.memory.decide(view, object.Status, now, rand.Float64) {
		return nil
	}
	// Somebody else may have been faster: look at the object itself.
	var fresh v1alpha1.ProviderChain
	if err := r.live.Get(ctx, client.ObjectKeyFromObject(object), &fresh); err != nil {
		return err
	}
	if fresh.Generation != h.generation || sameStatus(view, fresh.Status) {
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
		r.memory.wrote(&view, now)
		return nil
	}
	if apierrors.IsConflict(err) { // another pod wrote: its word stands
		r.memory.due = time.Time{}
	}
	return err
}
