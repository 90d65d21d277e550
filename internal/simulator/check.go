package simulator

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// object is a JSON object of a request. Numbers are json.Number.
type object = map[string]any

// toolName is the pattern of tool names that both providers publish.
var toolName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

// parse reads a request's body, which must be one JSON object.
func parse(body []byte) (object, bool) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var o object
	if err := dec.Decode(&o); err != nil || o == nil {
		return nil, false
	}
	_, err := dec.Token()
	return o, err == io.EOF
}

// isJSON reports whether the request says that its body is JSON.
func isJSON(h http.Header) bool {
	media, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && media == "application/json"
}

// unknown returns the first member, in alphabetical order, that is not among the known ones.
func unknown(o object, known string) string {
	names := strings.Fields(known)
	for _, name := range slices.Sorted(maps.Keys(o)) {
		if !slices.Contains(names, name) {
			return name
		}
	}
	return ""
}

// list returns the members of a JSON list that are objects; ok is false for another type or another kind of member.
func list(v any) (out []object, ok bool) {
	items, ok := v.([]any)
	for _, item := range items {
		o, is := item.(object)
		if !is {
			return nil, false
		}
		out = append(out, o)
	}
	return out, ok
}

// str returns a string member, or "".
func str(o object, name string) string {
	s, _ := o[name].(string)
	return s
}

// integer returns a number that is whole.
func integer(v any) (int, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := n.Int64()
	return int(i), err == nil
}

// textOf returns the text of a content that is a string or a list of parts with text.
func textOf(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	parts, _ := list(v)
	var texts []string
	for _, part := range parts {
		if text, ok := part["text"].(string); ok {
			texts = append(texts, text)
		}
	}
	return strings.Join(texts, "\n")
}

// toolNames returns the names of a request's tools; of is the member that holds a tool's definition, or "".
func toolNames(v any, of string) []string {
	tools, _ := list(v)
	var names []string
	for _, tool := range tools {
		if inner, ok := tool[of].(object); ok {
			tool = inner
		}
		if name := str(tool, "name"); name != "" {
			names = append(names, name)
		}
	}
	return names
}
