package failover

import (
	"bytes"
	"errors"
	"strconv"
	"unicode/utf8"
)

// RawJSON is the text of one JSON value, without white space around it. It
// points into the body that it was read from; numbers, key order and unknown
// members stay as they were written.
type RawJSON []byte

var errJSON = errors.New("not valid JSON")

// EachMember calls f for every member of the object in b, in order, with the
// decoded name and the raw value; f returns false to stop early, and the rest
// is then not looked at. The error says that b is not an object. Everything but
// the inside of texts is checked.
//
// It is what keeps the fast path fast: finding `model` in a body of 100 kB
// costs a fraction of decoding it.
func EachMember(b []byte, f func(name []byte, value RawJSON) bool) error {
	return eachMember(b, func(name []byte, start, end int) bool {
		return f(name, RawJSON(b[start:end:end]))
	})
}

// eachMember is EachMember with the place of each value.
func eachMember(b []byte, f func(name []byte, start, end int) bool) error {
	i := skipSpace(b, 0)
	if i >= len(b) || b[i] != '{' {
		return errJSON
	}
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == '}' {
		return trailing(b, i+1)
	}
	for {
		nameEnd := skipString(b, i)
		if nameEnd < 0 {
			return errJSON
		}
		name := RawJSON(b[i:nameEnd]).bytes()
		if i = skipSpace(b, nameEnd); i >= len(b) || b[i] != ':' {
			return errJSON
		}
		i = skipSpace(b, i+1)
		end := skipValue(b, i)
		if end < 0 {
			return errJSON
		}
		if !f(name, i, end) {
			return nil
		}
		if i = skipSpace(b, end); i >= len(b) {
			return errJSON
		}
		switch b[i] {
		case ',':
			i = skipSpace(b, i+1)
		case '}':
			return trailing(b, i+1)
		default:
			return errJSON
		}
	}
}

// EachElement calls f for every element of the array in b, in order, until f
// returns false.
func EachElement(b []byte, f func(value RawJSON) bool) error {
	i := skipSpace(b, 0)
	if i >= len(b) || b[i] != '[' {
		return errJSON
	}
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == ']' {
		return trailing(b, i+1)
	}
	for {
		end := skipValue(b, i)
		if end < 0 {
			return errJSON
		}
		if !f(RawJSON(b[i:end:end])) {
			return nil
		}
		if i = skipSpace(b, end); i >= len(b) {
			return errJSON
		}
		switch b[i] {
		case ',':
			i = skipSpace(b, i+1)
		case ']':
			return trailing(b, i+1)
		default:
			return errJSON
		}
	}
}

// Member returns the last member of that name, which is the one that servers
// read, or nil.
func (v RawJSON) Member(name string) RawJSON {
	var found RawJSON
	if len(v) == 0 || v[0] != '{' {
		return nil
	}
	err := EachMember(v, func(n []byte, value RawJSON) bool {
		if string(n) == name {
			found = value
		}
		return true
	})
	if err != nil {
		return nil
	}
	return found
}

// Present reports whether there is a value other than null.
func (v RawJSON) Present() bool { return len(v) > 0 && string(v) != "null" }

// IsString reports whether the value is a string.
func (v RawJSON) IsString() bool { return len(v) > 0 && v[0] == '"' }

// IsObject reports whether the value is an object.
func (v RawJSON) IsObject() bool { return len(v) > 0 && v[0] == '{' }

// IsArray reports whether the value is an array.
func (v RawJSON) IsArray() bool { return len(v) > 0 && v[0] == '[' }

// IsEmptyString reports whether the value is "".
func (v RawJSON) IsEmptyString() bool { return len(v) == 2 && v[0] == '"' }

// Bool returns the value of a literal true.
func (v RawJSON) Bool() bool { return string(v) == "true" }

// Int returns the value of an integer, and false for anything else.
func (v RawJSON) Int() (int64, bool) {
	n, err := strconv.ParseInt(string(v), 10, 64)
	return n, err == nil
}

// Text returns the decoded string, or "" for any other value.
func (v RawJSON) Text() string {
	if !v.IsString() {
		return ""
	}
	return string(v.bytes())
}

// bytes decodes a string's escapes. Without one it returns the text in place.
func (v RawJSON) bytes() []byte {
	inner := v[1 : len(v)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner
	}
	out := make([]byte, 0, len(inner))
	for i := 0; i < len(inner); i++ {
		if inner[i] != '\\' || i+1 >= len(inner) {
			out = append(out, inner[i])
			continue
		}
		i++
		switch c := inner[i]; c {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, n := unescapeRune(inner[i+1:])
			out = utf8.AppendRune(out, r)
			i += n
		default:
			out = append(out, c)
		}
	}
	return out
}

// unescapeRune reads the four hexadecimal digits after \u, and the second half
// of a surrogate pair. It returns the rune and the bytes used.
func unescapeRune(b []byte) (rune, int) {
	r, ok := hex4(b)
	if !ok {
		return utf8.RuneError, 0
	}
	if r < 0xd800 || r > 0xdfff {
		return r, 4
	}
	if r < 0xdc00 && len(b) >= 10 && b[4] == '\\' && b[5] == 'u' {
		if low, ok := hex4(b[6:]); ok && low >= 0xdc00 && low <= 0xdfff {
			return (r-0xd800)<<10 + (low - 0xdc00) + 0x10000, 10
		}
	}
	return utf8.RuneError, 4
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[:4]), 16, 32)
	return rune(n), err == nil
}

func trailing(b []byte, i int) error {
	if skipSpace(b, i) != len(b) {
		return errJSON
	}
	return nil
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// appendJSONString appends s as a JSON string without HTML escaping.
func appendJSONString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
