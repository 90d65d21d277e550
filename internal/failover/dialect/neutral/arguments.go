package neutral

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/wire"
)

// Object returns the arguments of a call as the text of a JSON object. No
// arguments, and null, are {}; anything that is no object is kept under "_raw", which
// exact reports as false: a turn never fails because a model wrote bad JSON.
func (c Call) Object() (text []byte, exact bool) {
	s := strings.TrimSpace(c.Arguments)
	switch {
	case s == "" || s == "null":
		return []byte("{}"), true
	case s[0] == '{' && failover.ValidJSON([]byte(s)):
		return []byte(s), true
	}
	var w wire.Writer
	w.Open('{').Key("_raw").Text(c.Arguments).Close('}')
	return w.Buf, false
}

// Written returns the arguments of an answer's call as the model wrote them,
// for dialects that hold them as a string: {} for none. An app must be able to
// see that the limit of the answer has cut them.
func (c Call) Written() string {
	if text, exact := c.Object(); exact {
		return string(text)
	}
	return c.Arguments
}

// Compact returns JSON text without white space between its tokens; every
// token stays as it was written.
func Compact(text []byte) []byte {
	var b bytes.Buffer
	if json.Compact(&b, text) != nil {
		return text
	}
	return b.Bytes()
}

// Scanner tells, fragment by fragment, when the text of one JSON object is
// complete.
type Scanner struct {
	depth            int
	inString, escape bool
	begun            bool // the object has
	written          bool
}

// Begun reports whether any part of the text has come.
func (s *Scanner) Begun() bool { return s.written }

// Complete reports whether the object that began has ended.
func (s *Scanner) Complete() bool { return s.begun && s.depth == 0 }

// Write takes the next fragment. It returns what lies behind the end of the
// object, white space excluded.
func (s *Scanner) Write(fragment string) (excess string) {
	s.written = s.written || fragment != ""
	for i := range len(fragment) {
		if s.Complete() {
			return strings.TrimSpace(fragment[i:])
		}
		c := fragment[i]
		switch {
		case s.escape:
			s.escape = false
		case s.inString:
			s.escape = c == '\\'
			s.inString = c != '"'
		case c == '"':
			s.inString = true
		case c == '{' || c == '[':
			s.begun = true
			s.depth++
		case c == '}' || c == ']':
			s.depth--
		}
	}
	return ""
}
