package schema

import (
	"bytes"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"

	"github.com/understudy-dev/understudy/api/v1alpha1"
)

// Decode reads a chain file with a Validator of its own, which is gone when it
// returns. See [Validator.Decode].
func Decode(data []byte) ([]v1alpha1.ProviderChain, error) {
	v, err := New()
	if err != nil {
		return nil, err
	}
	return v.Decode(data)
}

// Decode reads a file of YAML documents (JSON is YAML), each a ProviderChain,
// and returns the chains in the order of the file. Documents without content
// are passed over. Unknown fields, keys written twice, other kinds, chains
// without a name and chains with the name and namespace of an earlier one are
// errors. If there is any error, no chain is returned; all faults of all
// documents are joined, each naming its document, counted from 1.
func (v *Validator) Decode(data []byte) ([]v1alpha1.ProviderChain, error) {
	var (
		chains []v1alpha1.ProviderChain
		errs   []error
		first  = map[string]int{} // namespace/name → number of the document
		number int
	)
	for doc := range documents(data) {
		obj, err := decodeDocument(doc)
		if obj == nil && err == nil {
			continue
		}
		number++
		if err != nil {
			errs = append(errs, fmt.Errorf("document %d: %w", number, err))
			continue
		}
		chain, faults := v.chain(obj)
		for _, f := range faults {
			errs = append(errs, fmt.Errorf("document %d: %w", number, f))
		}
		if len(faults) > 0 {
			continue
		}
		id := chain.Namespace + "/" + chain.Name
		if earlier, ok := first[id]; ok {
			errs = append(errs, fmt.Errorf("document %d: metadata.name: %q is the name of document %d too: write another one", number, chain.Name, earlier))
			continue
		}
		first[id] = number
		chains = append(chains, chain)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return chains, nil
}

// decodeDocument returns nil for a document without content.
func decodeDocument(doc []byte) (map[string]any, error) {
	raw, err := yaml.YAMLToJSONStrict(doc)
	if err != nil {
		return nil, fmt.Errorf("not valid YAML: %w", err)
	}
	var content any
	if err := json.Unmarshal(raw, &content); err != nil {
		return nil, fmt.Errorf("not valid JSON: %w", err)
	}
	switch content := content.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		return content, nil
	default:
		return nil, fmt.Errorf("not an object: write apiVersion: %s and kind: %s", v1alpha1.GroupVersion, v1alpha1.Kind)
	}
}

// chain checks an object and converts it.
func (v *Validator) chain(obj map[string]any) (chain v1alpha1.ProviderChain, errs []error) {
	checked, errs := v.check(obj)
	if len(errs) > 0 {
		return chain, errs
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(checked, &chain); err != nil {
		return chain, []error{err}
	}
	return chain, nil
}

// documents yields the documents of a YAML stream. A line that starts with
// "---" begins one and a line that starts with "..." ends one, whatever follows
// the marker on the line; nothing within a document can look like that. A line
// break may be any of \n, \r\n and \r, as in the YAML parser, which would
// silently stop before a document that is not split off here.
func documents(data []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		data := bytes.ReplaceAll(bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")), []byte("\r"), []byte("\n"))
		start, offset := 0, 0
		for line := range bytes.Lines(data) {
			next := offset + len(line)
			split := -1
			if isMarker(line, "---") {
				split = offset
			} else if isMarker(line, "...") {
				split = next
			}
			if split > start {
				if !yield(data[start:split]) {
					return
				}
				start = split
			}
			offset = next
		}
		if start < len(data) {
			yield(data[start:])
		}
	}
}

// isMarker reports whether the line starts with a document marker, which
// white space or the end of the line must follow.
func isMarker(line []byte, marker string) bool {
	rest, ok := bytes.CutPrefix(line, []byte(marker))
	return ok && (len(rest) == 0 || bytes.ContainsRune([]byte(" \t\n"), rune(rest[0])))
}
