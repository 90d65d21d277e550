package failover

import (
	"slices"
	"strings"
	"time"
)

// row is one fault of the catalogue: how it is recognised, what follows, and
// why. All conditions that are set must hold; among the words and the phrases
// one is enough.
type row struct {
	fault    string
	statuses []int    // nil: any
	words    []string // the error's type or code, exactly
	phrases  []string // parts of its message, lower case
	when     func(*facts) bool

	class  Class
	blame  Scope
	action Action
	strike bool // one failure of the breaker
	retry  bool // once more on the same entry
	hold   hold
	why    string // for readers of the table and of its documentation
}

// hold says how long a gate is closed: the provider's own hint within bounds,
// or a default. The zero value closes none.
type hold struct {
	without time.Duration // where the provider gave no hint
	least   time.Duration // bounds of a hint; most 0: hints are ignored
	most    time.Duration
}

func (h hold) duration(hint time.Duration) time.Duration {
	if hint > 0 && h.most > 0 {
		return min(max(hint, h.least), h.most)
	}
	return h.without
}

// The holds. None is longer than an hour, so that every entry is looked at
// again.
var (
	holdRate    = hold{without: 5 * time.Second, least: time.Second, most: 120 * time.Second}
	holdRamp    = hold{without: 15 * time.Second, least: time.Second, most: 60 * time.Second}
	holdMoney   = hold{without: 15 * time.Minute, least: time.Minute, most: time.Hour}
	holdQuota   = hold{without: 15 * time.Minute, least: time.Second, most: time.Hour}
	holdKey     = hold{without: 10 * time.Minute}
	holdModel   = hold{without: time.Hour}
	holdToken   = hold{without: time.Minute}
	holdReady   = hold{without: 30 * time.Second, least: time.Second, most: 120 * time.Second}
	holdPath    = hold{without: time.Minute}
	holdBlocked = hold{without: 2 * time.Minute}
	holdBilling = hold{without: 5 * time.Minute}
	holdTLS     = hold{without: 5 * time.Minute}
	holdHinted  = hold{least: time.Second, most: 120 * time.Second} // only where the provider asks for it
)

// unknownFault is for evidence that no row knows, which is a 2xx or 1xx where
// neither was expected.
var unknownFault = row{fault: "F59", class: UnexpectedContent, blame: Entry, strike: true}

func (r *row) matches(f *facts) bool {
	if r.statuses != nil && !slices.Contains(r.statuses, f.status) {
		return false
	}
	if r.words != nil && !slices.ContainsFunc(r.words, func(w string) bool { return slices.Contains(f.words, w) }) {
		return false
	}
	if r.phrases != nil && !slices.ContainsFunc(r.phrases, f.mentions) {
		return false
	}
	return r.when == nil || r.when(f)
}

func (r *row) verdict(f *facts) Verdict {
	v := Verdict{
		Fault: r.fault, Class: r.class, Blame: r.blame, Action: r.action, Strike: r.strike, Retry: r.retry,
		Hold: r.hold.duration(f.hint), RetryAfter: f.hint, Detail: f.detail(),
	}
	if v.Detail == "" {
		v.Detail = string(r.class)
	}
	return v
}

// overLongQuota reports that one of Google's quotas of a day or longer is used
// up, which its name says.
func (f *facts) overLongQuota() bool {
	return slices.ContainsFunc(f.words, func(w string) bool { return strings.Contains(w, "PerDay") || strings.Contains(w, "PerMonth") })
}

func (f *facts) mentions(phrase string) bool { return strings.Contains(f.message, phrase) }

// namesModel reports an error about the model that was asked for.
func (f *facts) namesModel() bool {
	return slices.Contains(f.words, "model_not_found") || f.param == "model" ||
		strings.HasPrefix(f.message, "model:") || f.mentions("model") && (f.mentions("does not exist") || f.mentions("not found"))
}
