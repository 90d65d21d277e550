package failover

import "bytes"

// ValidJSON reports whether b is one JSON value, like json.Valid but at a
// fraction of its cost: texts are most of a body, and they are jumped over.
// Nesting deeper than 1000 is not valid here.
func ValidJSON(b []byte) bool {
	end := skipValue(b, skipSpace(b, 0))
	return end >= 0 && trailing(b, end) == nil && validStrings(b)
}

// validStrings checks the texts of a body whose structure is sound: no control
// characters, no escapes that JSON does not know.
func validStrings(b []byte) bool {
	for i := 0; ; i++ {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return true
		}
		for i += n + 1; b[i] != '"'; i++ {
			switch c := b[i]; {
			case c < 0x20:
				return false
			case c != '\\':
			case b[i+1] == 'u':
				if _, ok := hex4(b[i+2:]); !ok {
					return false
				}
				i += 5
			case bytes.IndexByte([]byte(`"\/bfnrt`), b[i+1]) < 0:
				return false
			default:
				i++
			}
		}
	}
}

// skipString returns the index behind the string that starts at b[i], or -1.
func skipString(b []byte, i int) int {
	if i >= len(b) || b[i] != '"' {
		return -1
	}
	for i++; i < len(b); i++ {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return -1
		}
		i += n
		slashes := 0
		for b[i-1-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return i + 1
		}
	}
	return -1
}

// maxDepth bounds nesting, so that a hostile body cannot make the reader keep
// an unbounded stack; encoding/json has a like limit.
const maxDepth = 1000

// nesting is the way into a value: one bit a level, set for an object.
type nesting struct {
	bits  [maxDepth / 8]byte
	depth int
}

func (n *nesting) push(object bool) bool {
	if n.depth == maxDepth {
		return false
	}
	bit := byte(1) << (n.depth % 8)
	if n.bits[n.depth/8] &^= bit; object {
		n.bits[n.depth/8] |= bit
	}
	n.depth++
	return true
}

// inObject reports whether the innermost level is an object.
func (n *nesting) inObject() bool {
	d := n.depth - 1
	return n.bits[d/8]>>(d%8)&1 == 1
}

// skipValue returns the index behind the value that starts at b[i], or -1
// where its structure is not JSON's. What a text holds is not looked at.
func skipValue(b []byte, i int) int {
	var in nesting
	for i >= 0 && i < len(b) {
		switch c := b[i]; c {
		case '"':
			i = skipString(b, i)
		case '{', '[':
			if !in.push(c == '{') {
				return -1
			}
			i = skipSpace(b, i+1)
			if i < len(b) && b[i] == closing(c == '{') {
				in.depth--
				i++
				break
			}
			if c == '{' {
				i = skipName(b, i)
			}
			continue
		default:
			i = skipScalar(b, i)
		}
		if i = skipEnds(b, i, &in); in.depth == 0 {
			return i
		}
	}
	return -1
}

func closing(object bool) byte {
	if object {
		return '}'
	}
	return ']'
}

// skipEnds goes on behind a value: over the ends of what it closes and the
// comma and name that lead to the next value.
func skipEnds(b []byte, i int, in *nesting) int {
	for in.depth > 0 && i >= 0 {
		if i = skipSpace(b, i); i >= len(b) {
			return -1
		}
		switch b[i] {
		case ',':
			if i = skipSpace(b, i+1); in.inObject() {
				i = skipName(b, i)
			}
			return i
		case closing(in.inObject()):
			in.depth--
			i++
		default:
			return -1
		}
	}
	return i
}

// skipName returns the index of the value behind a member's name, or -1.
func skipName(b []byte, i int) int {
	if i = skipString(b, i); i < 0 {
		return -1
	}
	if i = skipSpace(b, i); i >= len(b) || b[i] != ':' {
		return -1
	}
	return skipSpace(b, i+1)
}

// skipScalar returns the index behind a number, true, false or null, or -1.
func skipScalar(b []byte, i int) int {
	for _, word := range [...]string{"true", "false", "null"} {
		if b[i] == word[0] {
			if len(b)-i < len(word) || string(b[i:i+len(word)]) != word {
				return -1
			}
			return i + len(word)
		}
	}
	return skipNumber(b, i)
}

func skipNumber(b []byte, i int) int {
	if b[i] == '-' {
		i++
	}
	start := i
	if i = skipDigits(b, i); i == start || b[start] == '0' && i > start+1 {
		return -1
	}
	if i < len(b) && b[i] == '.' {
		start = i + 1
		if i = skipDigits(b, start); i == start {
			return -1
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		start = i
		if i = skipDigits(b, i); i == start {
			return -1
		}
	}
	return i
}

func skipDigits(b []byte, i int) int {
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		i++
	}
	return i
}
