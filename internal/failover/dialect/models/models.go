// Package models holds what is known of single models: facts as a table, so
// that no other code compares the names of models.
//
// A row is found by the model's plain name, without the prefixes and suffixes
// under which clouds sell it. A fact that is not known of a family is the
// careful one: what its models might refuse is not sent.
package models

import (
	"path"
	"strings"

	"github.com/understudy-dev/understudy/internal/failover/dialect/neutral"
)

// Of returns what a model accepts.
func Of(model string) neutral.Caps {
	name := plain(model)
	for _, r := range rows {
		if ok, err := path.Match(r.match, name); ok && err == nil {
			caps := r.Caps
			caps.Claude = strings.HasPrefix(r.match, "claude")
			return caps
		}
	}
	return neutral.Caps{}
}

// plain is a model's name as its maker writes it: "us.anthropic.claude-opus-4-1-20250805-v1:0",
// "anthropic/claude-opus-4.1" and "claude-opus-4-1@20250805" are all of one model.
func plain(model string) string {
	name := strings.ToLower(model)
	name = name[strings.LastIndexByte(name, '/')+1:]
	for {
		head, tail, ok := strings.Cut(name, ".")
		if !ok || head == "" || strings.ContainsAny(head, "0123456789-") {
			break
		}
		name = tail
	}
	return strings.NewReplacer(".", "-", "@", "-").Replace(name)
}
