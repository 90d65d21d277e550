package dialect

import (
	"errors"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
)

// faithful holds a translation to the chain's fidelity: Strict takes no loss
// that would be worth a note.
func faithful(f failover.Fidelity, notes *neutral.Notes) error {
	if f != failover.Strict {
		return nil
	}
	for _, field := range notes.Dropped {
		return neutral.Refuse(field, "this provider would not get it, and the chain's fidelity is Strict")
	}
	for _, field := range notes.Approximated {
		return neutral.Refuse(field, "this provider would get it in another form only, and the chain's fidelity is Strict")
	}
	return nil
}

// relaxed is what a request may lose under Lenient, one field at a time, where
// an encoder refuses it: shapes and guarantees that the app asked for, but no
// content. It reports whether the field was one of those.
func relaxed(req *neutral.Request, err error, notes *neutral.Notes) bool {
	refusal, ok := errors.AsType[*failover.IneligibleError](err)
	if !ok {
		return false
	}
	for _, p := range []*neutral.Param{&req.Count, &req.Logprobs} {
		if p.Set() && p.Field == refusal.Field {
			*p = neutral.Param{}
			notes.Drop(refusal.Field)
			return true
		}
	}
	switch {
	case len(req.Stop.Sequences) > 0 && req.Stop.Field == refusal.Field:
		req.Stop = neutral.Stop{}
		notes.Drop(refusal.Field)
	case refusal.Field == "tool_choice" && (req.Choice.Mode == neutral.Required || req.Choice.Mode == neutral.Named):
		req.Choice = neutral.Choice{Mode: neutral.Auto}
		notes.Approximate(refusal.Field)
	default:
		return false
	}
	return true
}
