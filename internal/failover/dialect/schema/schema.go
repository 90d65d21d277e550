// Package schema fits JSON schemas into what providers take of them.
package schema

import (
	"bytes"
	"strings"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect/wire"
)

// Restrict rewrites a schema into the part of JSON Schema that Anthropic's and
// Bedrock's structured output takes. What it does not take moves into the description,
// where the model still sees it: exact is then false. ok is false for a schema
// with objects of free keys, or of great depth, which cannot be expressed. A
// schema that fits is returned as it was written.
func Restrict(schema failover.RawJSON) (out failover.RawJSON, exact, ok bool) {
	s := restricter{exact: true, ok: true}
	s.value(schema)
	if s.exact && !s.changed {
		return schema, true, s.ok
	}
	return s.w.Buf, s.exact, s.ok
}

type restricter struct {
	w       wire.Writer
	exact   bool // nothing was moved into a description
	changed bool // additionalProperties was added
	ok      bool
	depth   int
}

// maxDepth is how deep schemas may lie in each other. Each level is searched
// with all that lies below it, so a hostile one would cost minutes.
const maxDepth = 32

// stringFormats are the formats that are checked.
var stringFormats = map[string]bool{
	"date-time": true, "time": true, "date": true, "duration": true, "email": true,
	"hostname": true, "uri": true, "ipv4": true, "ipv6": true, "uuid": true,
}

// value writes one schema; anything but an object (true, for example) stays.
func (s *restricter) value(schema failover.RawJSON) {
	if !schema.IsObject() {
		s.w.Raw(schema)
		return
	}
	if s.depth == maxDepth {
		s.ok = false
		s.w.Null()
		return
	}
	s.depth++
	defer func() { s.depth-- }()
	if ref := schema.Member("$ref"); ref.Present() && schema.Member("$defs") == nil {
		s.w.Open('{').Key("$ref").Raw(ref).Close('}')
		return
	}
	var description string
	var moved bytes.Buffer
	s.w.Open('{')
	_ = failover.EachMember(schema, func(name []byte, v failover.RawJSON) bool {
		switch key := string(name); key {
		case "description":
			description = v.Text()
		case "additionalProperties":
			if string(v) != "false" {
				s.ok = false
			}
		default:
			if !s.member(key, v) {
				s.exact = false
				if moved.Len() > 0 {
					moved.WriteString(", ")
				}
				moved.WriteString(key + ": ")
				moved.Write(v)
			}
		}
		return true
	})
	if moved.Len() > 0 {
		if description != "" {
			description += "\n\n"
		}
		description += "{" + moved.String() + "}"
	}
	if description != "" {
		s.w.Key("description").Text(description)
	}
	s.closeObject(schema)
	s.w.Close('}')
}

// closeObject forbids further properties, as is demanded.
func (s *restricter) closeObject(schema failover.RawJSON) {
	properties, closed := schema.Member("properties"), schema.Member("additionalProperties")
	if schema.Member("type").Text() != "object" && !properties.Present() {
		return
	}
	if !closed.Present() {
		s.changed = true
		s.ok = s.ok && properties.IsObject()
	}
	s.w.Key("additionalProperties").Bool(false)
}

// member writes one keyword, or reports that it is not taken.
func (s *restricter) member(key string, v failover.RawJSON) bool {
	switch key {
	case "type", "enum", "const", "title", "required", "$ref":
		s.w.Key(key).Raw(v)
	case "items":
		s.w.Key(key)
		s.value(v)
	case "properties", "$defs", "definitions":
		s.w.Key(key).Open('{')
		_ = failover.EachMember(v, func(name []byte, child failover.RawJSON) bool {
			s.w.Key(string(name))
			s.value(child)
			return true
		})
		s.w.Close('}')
	case "anyOf", "oneOf", "allOf":
		if key == "oneOf" {
			key, s.changed = "anyOf", true
		}
		s.w.Key(key).Open('[')
		_ = failover.EachElement(v, func(child failover.RawJSON) bool {
			s.value(child)
			return true
		})
		s.w.Close(']')
	case "minItems":
		if string(v) != "0" && string(v) != "1" {
			return false
		}
		s.w.Key(key).Raw(v)
	case "format":
		if !stringFormats[v.Text()] {
			return false
		}
		s.w.Key(key).Raw(v)
	case "$schema", "$id", "$comment":
		s.changed = true
	default:
		return false
	}
	return true
}

// anyObject is the schema of a tool without arguments.
const anyObject = `{"type":"object","properties":{}}`

// Object makes sure that a schema is one of an object, which every provider but
// OpenAI wants to be told. It returns false for a schema of something else.
func Object(schema failover.RawJSON) (failover.RawJSON, bool) {
	if !schema.Present() {
		return failover.RawJSON(anyObject), true
	}
	if !schema.IsObject() {
		return nil, false
	}
	switch kind := schema.Member("type"); {
	case kind.Text() == "object":
		return schema, true
	case kind.Present():
		return nil, false
	}
	rest := strings.TrimSpace(string(schema[1:]))
	if rest == "}" {
		return failover.RawJSON(anyObject), true
	}
	return failover.RawJSON(`{"type":"object",` + rest), true
}

// Instruction stands in for Chat's JSON mode where a provider has none. An app
// that uses that mode has to ask for JSON in its own words as well.
const Instruction = "Answer with one valid JSON object and nothing else: no prose and no code fence."
