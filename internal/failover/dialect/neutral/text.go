package neutral

import (
	"strconv"

	"github.com/understudy-dev/understudy/internal/failover"
)

// Joiner reads the texts of a stream's fragments. A provider that counts in
// UTF-16 may cut a character of two halves, an emoji say, between two
// fragments; each half by itself is no character, so the first one waits for
// the second. The zero value is ready to use.
type Joiner struct{ half string } // the escape that waits, as it was written

// halfLength is the length of an escape like \ud83d.
const halfLength = 6

// Text returns the text of the next fragment, "" where it is no string.
func (j *Joiner) Text(v failover.RawJSON) string {
	if !v.IsString() || v.IsEmptyString() {
		return ""
	}
	if j.half != "" {
		v = append(failover.RawJSON(`"`+j.half), v[1:]...)
		j.half = ""
	}
	if endsInHalf(v) {
		cut := len(v) - 1 - halfLength
		j.half = string(v[cut : len(v)-1])
		v = append(failover.RawJSON(nil), v[:cut]...)
		v = append(v, '"')
	}
	return v.Text()
}

// Rest returns what stands for a half whose other one never came.
func (j *Joiner) Rest() string {
	if j.half == "" {
		return ""
	}
	j.half = ""
	return "\ufffd"
}

// endsInHalf reports whether the last thing in a string is the escape of the
// first half of a character.
func endsInHalf(v failover.RawJSON) bool {
	at := len(v) - 1 - halfLength
	if at < 1 || v[at] != '\\' || v[at+1] != 'u' {
		return false
	}
	slashes := 0
	for v[at-1-slashes] == '\\' {
		slashes++
	}
	n, err := strconv.ParseUint(string(v[at+2:at+halfLength]), 16, 16)
	return slashes%2 == 0 && err == nil && n >= 0xd800 && n < 0xdc00
}
