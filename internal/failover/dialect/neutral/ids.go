package neutral

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
)

// IDRule is what a dialect demands of the ids of tool calls.
type IDRule struct {
	MaxLength int
	// WordOnly allows letters, digits, underscores and hyphens only.
	WordOnly bool
	// ExactLength is the only length that is taken; 0: any up to MaxLength.
	ExactLength int
	// Alphanumeric allows letters and digits only.
	Alphanumeric bool
}

// ok reports whether an id may be sent as it is.
func (r IDRule) ok(id string) bool {
	return id != "" && len(id) <= r.MaxLength && (r.ExactLength == 0 || len(id) == r.ExactLength) && (!r.WordOnly || IsWord(id)) &&
		(!r.Alphanumeric || IsWord(id) && !strings.ContainsAny(id, "_-"))
}

// Sanitize returns an id that keeps the rule: the id itself where it does,
// else a hash of it, which is the same in every later request.
func (r IDRule) Sanitize(id string) string {
	if r.ok(id) {
		return id
	}
	if r.ExactLength > 0 {
		return digest(id)[:r.ExactLength]
	}
	return "call_" + digest(id)
}

// IsWord reports whether s consists of letters, digits, underscores and
// hyphens, and of at least one.
func IsWord(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == ""
}

// Rewrite makes the ids of all calls keep the rule and differ from each other,
// and lets the results follow. Where an id is repeated, results go to the
// calls in order.
func (r IDRule) Rewrite(turns []Turn) {
	used := map[string]int{}
	waiting := map[string][]string{} // ids of calls without result, by the app's id
	last := map[string]string{}
	for _, turn := range turns {
		for i := range turn.Blocks {
			switch b := &turn.Blocks[i]; b.Kind {
			case ToolCall:
				old := b.Call.ID
				b.Call.ID = r.unique(old, used)
				waiting[old] = append(waiting[old], b.Call.ID)
				last[old] = b.Call.ID
			case ToolResult:
				old := b.Result.CallID
				switch queue := waiting[old]; {
				case len(queue) > 0:
					b.Result.CallID, waiting[old] = queue[0], queue[1:]
				case last[old] != "":
					b.Result.CallID = last[old]
				default:
					b.Result.CallID = r.Sanitize(old)
				}
			}
		}
	}
}

// unique sanitizes an id and adds an ordinal where it was used before. used
// counts how often each id was asked for, so that a history that repeats one
// endlessly takes no longer than another.
func (r IDRule) unique(id string, used map[string]int) string {
	base := r.Sanitize(id)
	fresh := base
	for used[fresh] > 0 {
		used[base]++
		fresh = r.Sanitize(id + "_" + strconv.Itoa(used[base]))
	}
	used[fresh]++
	return fresh
}

// CallID mints the id of a call that came without one.
func CallID(answerID string, ordinal int) string {
	if answerID == "" {
		return "call_" + rand.Text()
	}
	return "call_" + digest(answerID+"/"+strconv.Itoa(ordinal))
}

// AnswerID returns the id of an answer in a dialect whose ids begin with
// prefix: the provider's own where it does, else one derived from it, else a
// random one.
func AnswerID(prefix, id string) string {
	switch {
	case strings.HasPrefix(id, prefix):
		return id
	case id == "":
		return prefix + rand.Text()
	}
	return prefix + digest(id)
}

// ItemID mints the id of a part of an answer, the same for the same ordinal.
func ItemID(prefix, answerID string, ordinal int) string {
	return prefix + digest(answerID+"/"+strconv.Itoa(ordinal))
}

// Digest is a short, stable stand-in for a text that is too long.
func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:12])
}

// Shorten returns s, or a stable hash of it where it is longer than limit.
func Shorten(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return digest(s)
}
