package responses

import (
	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
	"github.com/understudy-dev/understudy/internal/failover/dialect/wire"
)

// EncodeAnswer writes a whole response.
func EncodeAnswer(a *neutral.Answer) []byte {
	r := newResponse(a.ID, a.Model, a.Echo)
	r.usage = a.Usage
	calls, cut := 0, false
	for _, b := range a.Blocks {
		switch b.Kind {
		case neutral.Text, neutral.Refusal:
			if b.Text != "" {
				r.addText(b.Text, b.Kind == neutral.Refusal)
			}
		case neutral.ToolCall:
			it := r.addCall(calls, b.Call.ID, b.Call.Name)
			arguments, exact := b.Call.Object()
			it.arguments, cut = neutral.Compact(arguments), !exact
			calls++
		}
	}
	if a.Finish.Explanation != "" {
		r.addText(a.Finish.Explanation, true)
	}
	status := statusOf(a.Finish)
	for i, it := range r.items {
		it.status = completed
		// What was being written when the answer was cut is the last item.
		if status == incomplete && i == len(r.items)-1 && (!it.isCall || cut) {
			it.status = incomplete
		}
	}
	var w wire.Writer
	r.write(&w, status, a.Finish, nil)
	return w.Buf
}
