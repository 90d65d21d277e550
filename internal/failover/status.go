package failover

import "time"

// Status is what a sidecar knows of its chains at one moment, in a form that
// holds nothing secret: it is served to people and written into the object.
type Status struct {
	Chains []ChainStatus `json:"chains"`
}

// ChainStatus is the state of one chain.
type ChainStatus struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace,omitempty"`
	Revision  int64  `json:"revision,omitempty"`
	Source    string `json:"source,omitempty"`
	// Active is the first provider that would be tried now; empty when none.
	Active    string           `json:"activeProvider"`
	Providers []ProviderStatus `json:"providers"`
}

// ProviderStatus is the state of one entry.
type ProviderStatus struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	Host   string `json:"host"`
	Model  string `json:"model,omitempty"`
	State  string `json:"state"` // Closed, HalfOpen or Open
	Reason Class  `json:"reason,omitempty"`
	Detail string `json:"detail,omitempty"`
	// Since and Until are absent while the circuit is closed.
	Since *time.Time `json:"since,omitempty"`
	Until *time.Time `json:"until,omitempty"`

	// Circuit is the state itself, for code.
	Circuit CircuitState `json:"-"`
	// CredentialError says why there is no credential; nil where there is one
	// or none is needed.
	CredentialError error `json:"-"`
}

// Usable reports whether the entry would be tried now.
func (p ProviderStatus) Usable() bool { return p.CredentialError == nil && p.Circuit.Usable() }

// Status asks every circuit for its state.
func (s *Snapshot) Status() Status {
	st := Status{Chains: make([]ChainStatus, 0, len(s.Chains()))}
	for _, c := range s.Chains() {
		st.Chains = append(st.Chains, c.Status())
	}
	return st
}

// Status asks the circuits of one chain for their state.
func (c *Chain) Status() ChainStatus {
	cs := ChainStatus{Name: c.Config.Name, Namespace: c.Config.Namespace, Revision: c.Config.Revision, Source: c.Config.Source}
	for _, e := range c.entries {
		p := e.status()
		if cs.Active == "" && p.Usable() {
			cs.Active = p.Name
		}
		cs.Providers = append(cs.Providers, p)
	}
	return cs
}

func (e *entry) status() ProviderStatus {
	p := ProviderStatus{Name: e.cfg.Name, Type: string(e.cfg.Type), Host: e.endpoint.Host(), Model: e.cfg.Model}
	cred, err := e.endpoint.Credential()
	if err != nil {
		p.CredentialError = err
		p.State, p.Reason, p.Detail = Open.String(), NoCredential, err.Error()
		return p
	}
	p.Circuit = e.circuit.State(cred.Fingerprint)
	p.State = p.Circuit.Phase.String()
	if p.Circuit.Phase != Closed {
		p.Reason, p.Detail = p.Circuit.Reason, p.Circuit.Detail
		p.Since, p.Until = optional(p.Circuit.Since), optional(p.Circuit.Until)
	}
	return p
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
