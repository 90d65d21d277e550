package dialect_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/failover/dialect"
)

// seed adds the inputs of all golden cases of one kind.
func seed(f *testing.F, kind, file string) {
	paths, err := filepath.Glob(filepath.Join("testdata", "*-to-*", kind, "*", file))
	if err != nil || len(paths) == 0 {
		f.Fatalf("no seeds of %s: %v", kind, err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
}

func FuzzRequest(f *testing.F) {
	seed(f, "request", "input.json")
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, d := range directions {
			tr, err := dialect.New().Translate(d.app, d.entry, body, failover.TranslateOptions{Model: "m", Quirks: failover.Quirks{MaxTokensField: "max_tokens"}})
			if err != nil {
				continue
			}
			if !json.Valid(tr.Body()) {
				t.Fatalf("%s: the body is not JSON: %s", d.entry, tr.Body())
			}
		}
	})
}

func FuzzAnswer(f *testing.F) {
	seed(f, "answer", "input.json")
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, d := range directions {
			dialect.New().Format(d.entry).CheckAnswer(body)
			got, err := begin(t, d, false, false).Answer(body)
			if err != nil {
				continue
			}
			if !json.Valid(got) {
				t.Fatalf("%s: the answer is not JSON: %s", d.app, got)
			}
		}
	})
}

func FuzzStream(f *testing.F) {
	seed(f, "stream", "input.sse")
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, d := range directions {
			out, _, failed, cut := run(begin(t, d, true, true).Stream(), in)
			format := dialect.New().Format(d.app)
			finished := 0
			for _, ev := range split(out) {
				switch kind := format.Progress(ev).Kind; kind {
				case failover.Malformed, failover.Failed:
					t.Fatalf("%s: the app cannot read %q", d.app, ev.Raw)
				case failover.Finished:
					finished++
				}
			}
			if complete := !failed && !cut; finished > 1 || complete != (finished == 1) && !failed {
				t.Fatalf("%s: failed %v, cut %v, but %d terminal events in %q", d.app, failed, cut, finished, out)
			}
		}
	})
}
