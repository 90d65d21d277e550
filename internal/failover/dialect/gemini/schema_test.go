package gemini

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestReferencesAreReplacedByWhatTheyReferTo(t *testing.T) {
	var doubling strings.Builder
	for i := range 40 {
		fmt.Fprintf(&doubling, `"d%d":{"anyOf":[{"$ref":"#/$defs/d%d"},{"$ref":"#/$defs/d%d"}]},`, i, i+1, i+1)
	}
	bomb := `{"$ref":"#/$defs/d0","$defs":{` + doubling.String() + `"d40":{"type":"string"}}}`
	for _, tt := range []struct{ name, schema, want string }{
		{"none", `{"type": "object"}`, `{"type": "object"}`},
		{"the root's dialect", `{"$schema":"x", "type":"object"}`, `{"type":"object"}`},
		{"one", `{"properties":{"a":{"$ref":"#/$defs/A"}},"$defs":{"A":{"type":"string"}}}`, `{"properties":{"a":{"type":"string"}}}`},
		{"in a list", `{"anyOf":[{"$ref":"#/definitions/A"},{"type":"null"}],"definitions":{"A":{"maximum":1.0}}}`, `{"anyOf":[{"maximum":1.0},{"type":"null"}]}`},
		{"one after the other", `{"items":{"$ref":"#/$defs/A"},"$defs":{"A":{"$ref":"#/$defs/B"},"B":{"type":"string"}}}`, `{"items":{"type":"string"}}`},
		{"with its own words", `{"items":{"$ref":"#/$defs/A","title":"mine"},"$defs":{"A":{"title":"its","type":"string"}}}`, `{"items":{"title":"mine","type":"string"}}`},
		{"with a name that needs escapes", `{"items":{"$ref":"#/$defs/a~1b~0c"},"$defs":{"a/b~c":{"type":"string"}}}`, `{"items":{"type":"string"}}`},
		{"properties called like keywords", `{"properties":{"$ref":{"type":"string"},"enum":{"$ref":"#/$defs/A"}},"$defs":{"A":{"enum":[{"$ref":"no"}]}}}`, `{"properties":{"$ref":{"type":"string"},"enum":{"enum":[{"$ref":"no"}]}}}`},
		{"to itself", `{"$schema":"x","items":{"$ref":"#"}}`, `{"items":{"$ref":"#"}}`},
		{"in a circle", `{"$ref":"#/$defs/A","$defs":{"A":{"items":{"$ref":"#/$defs/A"}}}}`, `{"$ref":"#/$defs/A","$defs":{"A":{"items":{"$ref":"#/$defs/A"}}}}`},
		{"to elsewhere", `{"items":{"$ref":"https://example.com/a"}}`, `{"items":{"$ref":"https://example.com/a"}}`},
		{"to nothing", `{"items":{"$ref":"#/$defs/A"}}`, `{"items":{"$ref":"#/$defs/A"}}`},
		{"without end", bomb, bomb},
	} {
		if got := string(cleanSchema([]byte(tt.schema))); got != tt.want {
			t.Errorf("%s:\n got %.300s\nwant %.300s", tt.name, got, tt.want)
		}
	}
}

func FuzzCleanSchema(f *testing.F) {
	f.Add([]byte(`{"$schema":"x","properties":{"a":{"$ref":"#/$defs/A"}},"$defs":{"A":{"enum":["$ref"]}}}`))
	f.Add([]byte(`{"$ref":"#/a","a":{"$ref":"#/b"},"b":[{"$ref":"#/a"}]}`))
	f.Fuzz(func(t *testing.T, schema []byte) {
		if !json.Valid(schema) || len(schema) == 0 || schema[0] != '{' {
			return
		}
		if got := cleanSchema(schema); !json.Valid(got) {
			t.Errorf("%s becomes %s, which is no JSON", schema, got)
		}
	})
}
