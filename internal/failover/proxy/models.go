package proxy

import (
	"net/http"
	"strings"
	"time"

	"github.com/understudy-dev/understudy/internal/failover"
)

// models answers GET /v1/models, and GET /v1/models/ID for what is listed
// there, in the dialect of the caller. It reports false for an id that it does
// not know: a provider may.
func (s *Server) models(w http.ResponseWriter, rt route) bool {
	snap := s.opts.Store.Load()
	if snap == nil {
		return false
	}
	chains := snap.Chains()
	if rt.chain != "" {
		c := snap.Chain(rt.chain)
		if c == nil {
			return false
		}
		chains = []*failover.Chain{c}
	}
	shape := openAIModel
	if rt.op.Dialect == failover.AnthropicMessages {
		shape = anthropicModel
	}
	served := modelsOf(chains)
	if id, ok := strings.CutPrefix(rt.models, "/models/"); ok {
		for _, m := range served {
			if m.id == id {
				writeJSON(w, shape(m, s.started))
				return true
			}
		}
		return false
	}
	list := make([]map[string]any, 0, len(served))
	for _, m := range served {
		list = append(list, shape(m, s.started))
	}
	out := map[string]any{"object": "list", "data": list}
	if rt.op.Dialect == failover.AnthropicMessages {
		out = map[string]any{"data": list, "has_more": false, "first_id": nil, "last_id": nil}
		if len(served) > 0 {
			out["first_id"], out["last_id"] = served[0].id, served[len(served)-1].id
		}
	}
	writeJSON(w, out)
	return true
}

// servedModel is a name that the app may ask for.
type servedModel struct{ id, owner string }

// modelsOf lists the chains, then the models that their entries map or ask for.
func modelsOf(chains []*failover.Chain) []servedModel {
	var list []servedModel
	seen := map[string]bool{"": true}
	add := func(id, owner string) {
		if !seen[id] {
			seen[id] = true
			list = append(list, servedModel{id, owner})
		}
	}
	for _, c := range chains {
		add(c.Name(), "understudy")
	}
	for _, c := range chains {
		for _, p := range c.Config.Providers {
			for _, m := range p.ModelMap {
				add(m.From, c.Name())
			}
			add(p.Model, p.Name)
		}
	}
	return list
}

func openAIModel(m servedModel, since time.Time) map[string]any {
	return map[string]any{"id": m.id, "object": "model", "created": since.Unix(), "owned_by": m.owner}
}

func anthropicModel(m servedModel, since time.Time) map[string]any {
	return map[string]any{"type": "model", "id": m.id, "display_name": m.id, "created_at": since.UTC().Format(time.RFC3339)}
}
