package controller

import (
	"bytes"
	"fmt"
	"time"

	"github.com/understudy-dev/understudy/api/v1alpha1"
	"github.com/understudy-dev/understudy/internal/failover"
)

// Sources of a chain, as they stand in the status and in metrics.
const (
	sourceAPI   = "api"
	sourceCache = "cache"
	sourceFile  = "file"
)

// Translate turns an object into the core's configuration. It is pure, and
// applies no default: that is done where the chain is compiled. The error
// names the field.
func Translate(pc *v1alpha1.ProviderChain, source string) (failover.ChainConfig, error) {
	d := durations{}
	spec := pc.Spec
	cc := failover.ChainConfig{
		Name: pc.Name, Namespace: pc.Namespace, Revision: pc.Generation, Source: source,
		Fidelity: failover.Fidelity(spec.Fidelity),
	}
	if t := spec.Timeouts; t != nil {
		cc.Timeouts = d.timeouts("spec.timeouts", &t.Timeouts)
		cc.Timeouts.Chain = d.parse("spec.timeouts.chain", t.Chain)
	}
	if r := spec.Retry; r != nil {
		if r.Attempts != nil {
			cc.Retry.Attempts = new(int(*r.Attempts))
		}
		cc.Retry.MaxDelay = d.parse("spec.retry.maxDelay", r.MaxDelay)
	}
	cc.Breaker = d.breaker("spec.breaker", spec.Breaker)
	if n := spec.Notifications; n != nil && n.Slack != nil {
		cc.Notifications.Slack = d.slack(n.Slack)
	}
	for i := range spec.Providers {
		cc.Providers = append(cc.Providers, d.provider(fmt.Sprintf("spec.providers[%d]", i), &spec.Providers[i]))
	}
	return cc, d.err
}

// durations parses GEP-2257 durations and keeps the first error.
type durations struct{ err error }

func (d *durations) parse(field string, v v1alpha1.Duration) time.Duration {
	if v == "" {
		return 0
	}
	parsed, err := time.ParseDuration(string(v))
	if (err != nil || parsed <= 0) && d.err == nil {
		d.err = fmt.Errorf("%s: %q is not a duration; write it like 15s or 2m30s", field, v)
	}
	return parsed
}

func (d *durations) timeouts(field string, t *v1alpha1.Timeouts) failover.Timeouts {
	if t == nil {
		return failover.Timeouts{}
	}
	return failover.Timeouts{
		Connect:    d.parse(field+".connect", t.Connect),
		FirstByte:  d.parse(field+".firstByte", t.FirstByte),
		FirstToken: d.parse(field+".firstToken", t.FirstToken),
		Idle:       d.parse(field+".idle", t.Idle),
		Response:   d.parse(field+".response", t.Response),
	}
}

func (d *durations) breaker(field string, b *v1alpha1.Breaker) failover.Breaker {
	if b == nil {
		return failover.Breaker{}
	}
	return failover.Breaker{
		Failures: int(b.Failures), FailureRatioPercent: int(b.FailureRatioPercent),
		Window: d.parse(field+".window", b.Window), OpenFor: d.parse(field+".openFor", b.OpenFor),
	}
}

func (d *durations) slack(s *v1alpha1.Slack) *failover.SlackConfig {
	out := &failover.SlackConfig{Channel: s.Channel, RepeatInterval: d.parse("spec.notifications.slack.repeatInterval", s.RepeatInterval)}
	if s.WebhookURL != nil {
		out.WebhookURL = secretRef(&s.WebhookURL.SecretKeyRef)
	}
	if s.Token != nil {
		out.Token = secretRef(&s.Token.SecretKeyRef)
	}
	for _, e := range s.Events {
		out.Events = append(out.Events, string(e))
	}
	return out
}

func secretRef(r *v1alpha1.SecretKeyRef) failover.SecretRef {
	if r == nil {
		return failover.SecretRef{}
	}
	return failover.SecretRef{Secret: r.Name, Key: r.Key}
}

func (d *durations) provider(field string, p *v1alpha1.Provider) failover.ProviderConfig {
	out := failover.ProviderConfig{
		Name: p.Name, Type: failover.ProviderType(p.Type), Model: p.Model, BaseURL: p.BaseURL,
		ContextWindow: int(p.ContextWindow), Reasoning: p.Reasoning,
		Timeouts: d.timeouts(field+".timeouts", p.Timeouts), Breaker: d.breaker(field+".breaker", p.Breaker),
	}
	for _, m := range p.ModelMap {
		out.ModelMap = append(out.ModelMap, failover.ModelMap{From: m.From, To: m.To})
	}
	for _, dialect := range p.Dialects {
		out.Dialects = append(out.Dialects, failover.Dialect(dialect))
	}
	if k := p.Request; k != nil {
		out.Request = knobs(k)
	}
	if t := p.TLS; t != nil {
		out.TLS = failover.TLS{CA: secretRef(t.CASecretKeyRef), ServerName: t.ServerName}
	}
	if a := p.Auth; a != nil {
		if out.Auth = secretRef(a.SecretKeyRef); out.Auth.IsZero() {
			out.Auth = failover.SecretRef{Env: a.Env, File: a.File, App: a.Passthrough}
		}
	}
	return out
}

// knobs keeps the values of set as they were written.
func knobs(k *v1alpha1.RequestKnobs) failover.Knobs {
	out := failover.Knobs{Drop: k.Drop}
	if k.Set != nil {
		_ = failover.EachMember(k.Set.Raw, func(name []byte, value failover.RawJSON) bool {
			out.Set = append(out.Set, failover.Member{Name: string(name), Value: bytes.Clone(value)})
			return true
		})
	}
	return out
}
