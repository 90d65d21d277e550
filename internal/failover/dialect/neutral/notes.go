package neutral

import (
	"slices"
	"strings"

	"github.com/understudy-dev/understudy/internal/failover"
)

// Notes collects what a translation could not carry as it was. The names go
// into a response header, so they are few, short and harmless.
type Notes struct{ failover.Degraded }

const (
	maxNotes      = 24
	maxNoteLength = 64
)

// Drop notes a field that is left out and may be missed.
func (n *Notes) Drop(field string) { n.Dropped = note(n.Dropped, field) }

// Approximate notes a field that is carried in another shape.
func (n *Notes) Approximate(field string) { n.Approximated = note(n.Approximated, field) }

// DropParams notes those of the params that were set.
func (n *Notes) DropParams(params ...Param) {
	for _, p := range params {
		if p.Set() {
			n.Drop(p.Field)
		}
	}
}

func note(list []string, field string) []string {
	field = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '.', r == '-', r == '[', r == ']':
			return r
		}
		return '?'
	}, field)
	field = field[:min(len(field), maxNoteLength)]
	if len(list) >= maxNotes || slices.Contains(list, field) {
		return list
	}
	return append(list, field)
}

// Refuse makes the error that skips an entry.
func Refuse(field, reason string) error {
	return &failover.IneligibleError{Field: field, Reason: reason}
}
