package openai

import (
	"strings"

	"github.com/understudy-dev/understudy/internal/failover"
)

// Strict reports whether a schema keeps the rules of OpenAI's strict mode: every
// object lists all of its properties as required and allows no others.
func Strict(schema failover.RawJSON) bool {
	if !schema.IsObject() || schema.Member("type").Text() != "object" {
		return false
	}
	return strictBelow(schema, 1)
}

// maxDepth is how deep schemas of strict mode may lie in each other. OpenAI's own
// limit is lower; each level is searched with all that lies below it, so a
// hostile schema would cost minutes.
const maxDepth = 32

// looseKeywords are those that strict mode refuses wherever they stand.
const looseKeywords = " allOf not dependentRequired dependentSchemas if then else patternProperties oneOf "

func strictBelow(schema failover.RawJSON, depth int) bool {
	if !schema.IsObject() {
		return true
	}
	if depth > maxDepth {
		return false
	}
	properties, required := 0, 0
	ok, closed, isObject := true, false, false
	_ = failover.EachMember(schema, func(name []byte, v failover.RawJSON) bool {
		switch key := string(name); key {
		case "type":
			isObject = isObject || v.Text() == "object"
		case "additionalProperties":
			closed = string(v) == "false"
		case "required":
			_ = failover.EachElement(v, func(failover.RawJSON) bool { required++; return true })
		case "properties", "$defs", "definitions":
			_ = failover.EachMember(v, func(_ []byte, child failover.RawJSON) bool {
				if key == "properties" {
					properties++
				}
				ok = ok && strictBelow(child, depth+1)
				return true
			})
		case "items":
			ok = ok && strictBelow(v, depth+1)
		case "anyOf":
			_ = failover.EachElement(v, func(child failover.RawJSON) bool {
				ok = ok && strictBelow(child, depth+1)
				return true
			})
		default:
			ok = ok && !strings.Contains(looseKeywords, " "+key+" ")
		}
		return true
	})
	if isObject || properties > 0 {
		ok = ok && closed && required == properties
	}
	return ok
}
