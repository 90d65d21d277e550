package simulator

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// faultOrder is the body of POST /-/faults. Fault is a name of the catalogue, or an effect; all else overrides it.
type faultOrder struct {
	Provider string            `json:"provider"`
	Fault    string            `json:"fault"`
	Model    string            `json:"model,omitempty"`
	Key      string            `json:"key,omitempty"`
	Path     string            `json:"path,omitempty"`
	Only     string            `json:"only,omitempty"`
	Skip     int               `json:"skip,omitempty"`
	Times    int               `json:"times,omitempty"`
	Every    int               `json:"every,omitempty"`
	For      string            `json:"for,omitempty"`
	Status   int               `json:"status,omitempty"`
	Headers  map[string]string `json:"headers,omitempty"`
	Body     string            `json:"body,omitempty"`
	Type     string            `json:"type,omitempty"`
	Code     string            `json:"code,omitempty"`
	Message  string            `json:"message,omitempty"`
	After    *int              `json:"after,omitempty"`
	Delay    string            `json:"delay,omitempty"`
}

// listedFault is an active fault in the list.
type listedFault struct {
	Provider string `json:"provider"`
	Fault    string `json:"fault"`
	Model    string `json:"model,omitempty"`
	Key      string `json:"key,omitempty"`
	Only     string `json:"only,omitempty"`
}

// listedScenario is a fault of the catalogue in the list.
type listedScenario struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Kinds       []Kind `json:"kinds"`
}

// listedCount is one row of GET /-/requests.
type listedCount struct {
	Provider  string `json:"provider"`
	Model     string `json:"model"`
	Status    int    `json:"status"`
	Cancelled bool   `json:"cancelled"`
	Count     int    `json:"count"`
}

// admin serves the paths under /-/.
func (s *Simulator) admin() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /-/faults", func(w http.ResponseWriter, _ *http.Request) {
		var all []listedScenario
		for _, c := range Catalogue() {
			all = append(all, listedScenario{c.Name, c.Description, c.Kinds})
		}
		s.listFaults(w, all)
	})
	mux.HandleFunc("POST /-/faults", s.postFault)
	mux.HandleFunc("DELETE /-/faults", s.deleteFaults)
	mux.HandleFunc("GET /-/requests", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, struct {
			Requests []listedCount `json:"requests"`
		}{s.countRequests()})
	})
	return mux
}

// writeJSON answers an admin request.
func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append([]byte(encode(v)), '\n'))
}

// listFaults answers with the active faults, and with the catalogue where it is asked for.
func (s *Simulator) listFaults(w http.ResponseWriter, catalogue []listedScenario) {
	out := struct {
		Active    []listedFault    `json:"active"`
		Catalogue []listedScenario `json:"catalogue,omitempty"`
	}{[]listedFault{}, catalogue}
	for _, p := range s.providers {
		for _, f := range p.Faults() {
			out.Active = append(out.Active, listedFault{p.Name(), cmp.Or(f.Name, string(f.Effect)), f.Model, f.Key, f.Only})
		}
	}
	writeJSON(w, out)
}

// postFault sets a fault.
func (s *Simulator) postFault(w http.ResponseWriter, r *http.Request) {
	var order faultOrder
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&order); err != nil {
		http.Error(w, fmt.Sprintf("the body is not a fault: %v", err), http.StatusBadRequest)
		return
	}
	p := s.Provider(order.Provider)
	if p == nil {
		http.Error(w, fmt.Sprintf("provider %q does not exist", order.Provider), http.StatusNotFound)
		return
	}
	f, err := order.fault(p.Kind())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.Fail(f)
	s.listFaults(w, nil)
}

// deleteFaults heals one provider, or all.
func (s *Simulator) deleteFaults(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("provider")
	if name != "" && s.Provider(name) == nil {
		http.Error(w, fmt.Sprintf("provider %q does not exist", name), http.StatusNotFound)
		return
	}
	for _, p := range s.providers {
		if name == "" || name == p.Name() {
			p.Heal()
		}
	}
	s.listFaults(w, nil)
}

// effects are what faultOrder takes beside the catalogue's names.
var effects = []Effect{
	Respond, Hang, HangAfterHeaders, KeepAlives, SlowFirstToken, Drip, Stall, Close, Reset, ResetAfterHeaders,
	ResetMidStream, Cut, CutMidEvent, ErrorEvent, Malformed, NoTerminal, HoldOpen, DoubleTerminal, EmptyAnswer,
	ShortBody, Oddities, CRLF,
}

// fault is the fault that was ordered.
func (o faultOrder) fault(kind Kind) (Fault, error) {
	f, err := Lookup(kind, o.Fault)
	if err != nil {
		if !slices.Contains(effects, Effect(o.Fault)) {
			return Fault{}, err
		}
		f = Fault{Name: o.Fault, Effect: Effect(o.Fault)}
	}
	if o.Only != "" && o.Only != OnlyStreams && o.Only != OnlyUnary {
		return Fault{}, fmt.Errorf("only %q: use %q or %q", o.Only, OnlyStreams, OnlyUnary)
	}
	if o.Status != 0 && (o.Status < 200 || o.Status > 599) {
		return Fault{}, fmt.Errorf("status %d: use 200 to 599", o.Status)
	}
	f.Model, f.Key, f.Path, f.Only = o.Model, o.Key, o.Path, o.Only
	f.Skip, f.Times, f.Every = o.Skip, o.Times, o.Every
	f.Status = cmp.Or(o.Status, f.Status)
	f.Body = cmp.Or(o.Body, f.Body)
	f.Type, f.Code, f.Message = cmp.Or(o.Type, f.Type), cmp.Or(o.Code, f.Code), cmp.Or(o.Message, f.Message)
	if o.After != nil {
		f.After = *o.After
	}
	if o.Headers != nil {
		merged := map[string]string{}
		for _, m := range []map[string]string{f.Header, o.Headers} {
			for name, value := range m {
				merged[http.CanonicalHeaderKey(name)] = value
			}
		}
		f.Header = merged
	}
	var errFor, errDelay error
	f.For, errFor = duration("for", o.For, 0)
	f.Delay, errDelay = duration("delay", o.Delay, f.Delay)
	return f, errors.Join(errFor, errDelay)
}

// duration reads an optional duration.
func duration(name, text string, otherwise time.Duration) (time.Duration, error) {
	if text == "" {
		return otherwise, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%s %q: write a duration such as 30s", name, text)
	}
	return d, nil
}

// countRequests counts what all providers answered.
func (s *Simulator) countRequests() []listedCount {
	out := []listedCount{}
	for _, p := range s.providers {
		p.mu.Lock()
		for k, n := range p.counts {
			out = append(out, listedCount{p.config.Name, k.model, k.status, k.cancelled, n})
		}
		p.mu.Unlock()
	}
	slices.SortFunc(out, func(a, b listedCount) int {
		return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Model, b.Model), cmp.Compare(a.Status, b.Status))
	})
	return out
}
