// Package wire writes JSON text and server-sent events.
//
// The dialects write their bodies member by member instead of marshalling
// structs: raw values (tool arguments, schemas) keep their bytes, nothing is
// escaped for HTML, and the order of members is the order of the code.
package wire

import (
	"strconv"
	"unicode/utf8"
)

// Writer appends JSON text to Buf and sets the commas. The zero value is ready
// to use. It does not check that calls make sense: tests of the dialects do.
type Writer struct {
	Buf   []byte
	comma bool // the next key or element needs one
}

// Open starts an object or an array: '{' or '['.
func (w *Writer) Open(c byte) *Writer {
	w.separate()
	w.Buf = append(w.Buf, c)
	w.comma = false
	return w
}

// Close ends an object or an array: '}' or ']'.
func (w *Writer) Close(c byte) *Writer {
	w.Buf = append(w.Buf, c)
	w.comma = true
	return w
}

// Key writes a member's name.
func (w *Writer) Key(name string) *Writer {
	w.separate()
	w.Buf = append(AppendString(w.Buf, name), ':')
	w.comma = false
	return w
}

// Text writes a string.
func (w *Writer) Text(s string) *Writer {
	w.separate()
	w.Buf = AppendString(w.Buf, s)
	w.comma = true
	return w
}

// TextOrNull writes a string, or null for the empty one.
func (w *Writer) TextOrNull(s string) *Writer {
	if s == "" {
		return w.Null()
	}
	return w.Text(s)
}

// Raw writes a value that is JSON already; no value becomes null.
func (w *Writer) Raw(v []byte) *Writer {
	if len(v) == 0 {
		return w.Null()
	}
	w.separate()
	w.Buf = append(w.Buf, v...)
	w.comma = true
	return w
}

// Int writes an integer.
func (w *Writer) Int(n int64) *Writer {
	w.separate()
	w.Buf = strconv.AppendInt(w.Buf, n, 10)
	w.comma = true
	return w
}

// Bool writes true or false.
func (w *Writer) Bool(b bool) *Writer {
	w.separate()
	w.Buf = strconv.AppendBool(w.Buf, b)
	w.comma = true
	return w
}

// Null writes null.
func (w *Writer) Null() *Writer {
	w.separate()
	w.Buf = append(w.Buf, "null"...)
	w.comma = true
	return w
}

func (w *Writer) separate() {
	if w.comma {
		w.Buf = append(w.Buf, ',')
	}
}

// AppendString appends s as a JSON string. Only what JSON demands is escaped;
// bytes that are not UTF-8 become U+FFFD, since the text would not be JSON
// with them.
func AppendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			dst = utf8.AppendRune(dst, r)
			i += n
			continue
		}
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, c)
		}
		i++
	}
	return append(dst, '"')
}
