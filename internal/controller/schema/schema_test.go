package schema_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"github.com/understudy-dev/understudy/api/v1alpha1"
	"github.com/understudy-dev/understudy/config/crd"
	"github.com/understudy-dev/understudy/internal/controller/schema"
)

const (
	goodFiles   = "../../../api/v1alpha1/testdata/good/*.yaml"
	badFiles    = "../../../api/v1alpha1/testdata/bad/*.yaml"
	sampleFiles = "../../../config/samples/*.yaml"
)

func newValidator(t testing.TB) *schema.Validator {
	t.Helper()
	v, err := schema.New()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// files returns the paths that match; there must be some.
func files(t testing.TB, patterns ...string) []string {
	t.Helper()
	var all []string
	for _, p := range patterns {
		paths, err := filepath.Glob(p)
		if err != nil || len(paths) == 0 {
			t.Fatalf("no files match %s (%v)", p, err)
		}
		all = append(all, paths...)
	}
	return all
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// sentence returns what the first line of a bad file expects.
func sentence(t testing.TB, data []byte) string {
	t.Helper()
	line, _, _ := bytes.Cut(data, []byte("\n"))
	s, ok := strings.CutPrefix(string(line), "# ")
	if !ok {
		t.Fatal("the first line of a bad file must be a comment with the expected sentence")
	}
	return s
}

func TestGoodFilesAndSamplesAreAccepted(t *testing.T) {
	v := newValidator(t)
	for _, path := range files(t, goodFiles, sampleFiles) {
		chains, err := v.Decode(read(t, path))
		if err != nil {
			t.Errorf("%s: %v", path, err)
		} else if len(chains) != 1 || len(chains[0].Spec.Providers) == 0 {
			t.Errorf("%s: decoded %+v, want one chain with providers", path, chains)
		}
	}
}

func TestBadFilesAreRefusedWithTheirSentence(t *testing.T) {
	v := newValidator(t)
	for _, path := range files(t, badFiles) {
		data := read(t, path)
		_, err := v.Decode(data)
		if err == nil {
			t.Errorf("%s was accepted", path)
			continue
		}
		if want := sentence(t, data); !strings.Contains(err.Error(), want) {
			t.Errorf("%s:\n got: %v\nwant: %s", path, err, want)
		}
	}
}

func TestEveryRuleIsBrokenByABadFile(t *testing.T) {
	v := newValidator(t)
	var said strings.Builder
	for _, path := range files(t, badFiles) {
		if _, err := v.Decode(read(t, path)); err != nil {
			said.WriteString(err.Error() + "\n")
		}
	}
	var def apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(crd.ProviderChains, &def); err != nil {
		t.Fatal(err)
	}
	rules := 0
	for _, version := range def.Spec.Versions {
		walk(*version.Schema.OpenAPIV3Schema, func(r apiextensionsv1.ValidationRule) {
			rules++
			if words := longestLiteral(r); !strings.Contains(said.String(), words) {
				t.Errorf("no bad file breaks the rule %s, whose message is %q", r.Rule, words)
			}
		})
	}
	if rules < 15 {
		t.Errorf("found %d rules in the CRD, want at least 15", rules)
	}
}

// walk calls visit for every rule of a schema.
func walk(s apiextensionsv1.JSONSchemaProps, visit func(apiextensionsv1.ValidationRule)) {
	for _, r := range s.XValidations {
		visit(r)
	}
	for _, p := range s.Properties {
		walk(p, visit)
	}
	if s.Items != nil && s.Items.Schema != nil {
		walk(*s.Items.Schema, visit)
	}
}

var literal = regexp.MustCompile(`'([^']*)'`)

// longestLiteral returns the message of a rule, or the part of its message
// expression that does not depend on the object.
func longestLiteral(r apiextensionsv1.ValidationRule) string {
	longest := r.Message
	for _, m := range literal.FindAllStringSubmatch(r.MessageExpression, -1) {
		if len(m[1]) > len(longest) {
			longest = m[1]
		}
	}
	return longest
}

func TestEveryRuleSaysWhatToWrite(t *testing.T) {
	var def apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(crd.ProviderChains, &def); err != nil {
		t.Fatal(err)
	}
	walk(*def.Spec.Versions[0].Schema.OpenAPIV3Schema, func(r apiextensionsv1.ValidationRule) {
		if !strings.Contains(r.Message+r.MessageExpression, "write ") {
			t.Errorf("the message of %s does not say what to write: %s%s", r.Rule, r.Message, r.MessageExpression)
		}
	})
}

func TestNoDefaultStandsInTheSchema(t *testing.T) {
	if bytes.Contains(crd.ProviderChains, []byte(" default:")) {
		t.Error("the CRD sets a default; defaults belong to the place that compiles a chain")
	}
}

func TestAKeyInTheWrongFieldIsNotRepeated(t *testing.T) {
	const key = "sk-live/0123456789"
	for _, auth := range []string{
		"{env: " + key + "}",
		"{file: " + key + "}",
		"{secretKeyRef: {name: llm-keys, key: " + key + "}}",
		"{secretKeyRef: {name: " + key + ", key: openai}}",
		key,
		"[" + key + "]",
		"{secretKeyRef: " + key + "}",
	} {
		_, err := schema.Decode([]byte(strings.Replace(chain("a"), "{env: KEY}", auth, 1)))
		if err == nil {
			t.Errorf("auth: %s was accepted", auth)
		} else if strings.Contains(err.Error(), key) {
			t.Errorf("auth: %s: the error repeats the key: %v", auth, err)
		}
	}
}

// chain returns a document with one provider.
func chain(name string) string {
	return "apiVersion: understudy.dev/v1alpha1\nkind: ProviderChain\nmetadata: {name: " + name + "}\n" +
		"spec: {providers: [{name: openai, type: OpenAI, auth: {env: KEY}}]}\n"
}

func TestDecodeReadsEveryDocument(t *testing.T) {
	asJSON, err := yaml.YAMLToJSON([]byte(chain("a")))
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		in   string
		want []string
	}{
		"nothing":                       {"", nil},
		"comments alone":                {"# one\n---\n# two\n---\n\n", nil},
		"one":                           {chain("a"), []string{"a"}},
		"two":                           {chain("a") + "---\n" + chain("b"), []string{"a", "b"}},
		"empty ones between":            {"---\n---\n" + chain("b") + "---\n# c\n---\n" + chain("a") + "---\n", []string{"b", "a"}},
		"a comment after the separator": {chain("a") + "--- # next\n" + chain("b"), []string{"a", "b"}},
		"the end marker":                {chain("a") + "...\n" + chain("b") + "...\n", []string{"a", "b"}},
		"Windows line ends":             {strings.ReplaceAll(chain("a")+"---\n"+chain("b"), "\n", "\r\n"), []string{"a", "b"}},
		"old line ends":                 {strings.ReplaceAll(chain("a")+"---\n"+chain("b"), "\n", "\r"), []string{"a", "b"}},
		"JSON":                          {string(asJSON), []string{"a"}},
		"flow after the separator":      {"--- " + string(asJSON), []string{"a"}},
		"one name in two namespaces":    {chain("a, namespace: x") + "---\n" + chain("a, namespace: z"), []string{"a", "a"}},
	} {
		t.Run(name, func(t *testing.T) {
			chains, err := schema.Decode([]byte(tc.in))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range chains {
				got = append(got, c.Name)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("names (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodeRefusesWhatItCannotServe(t *testing.T) {
	for name, tc := range map[string]struct{ in, want string }{
		"another kind":      {chain("a") + "---\napiVersion: v1\nkind: Secret\nmetadata: {name: x}\n", `document 2: kind is "Secret": only a ProviderChain (understudy.dev/v1alpha1) may stand here, take the document out`},
		"another version":   {strings.Replace(chain("a"), "v1alpha1", "v2", 1), `document 1: apiVersion is "understudy.dev/v2": write understudy.dev/v1alpha1`},
		"no kind":           {"spec: {}\n", "document 1: no kind: write apiVersion: understudy.dev/v1alpha1 and kind: ProviderChain"},
		"a list":            {"- a\n", "document 1: not an object"},
		"a string":          {"hello\n", "document 1: not an object"},
		"a syntax error":    {chain("a") + "---\nspec: [\n", "document 2: not valid YAML"},
		"a key twice":       {chain("a") + "spec: {}\n", `key "spec" already set`},
		"a name twice":      {chain("a") + "---\n" + chain("b") + "---\n" + chain("a"), `document 3: metadata.name: "a" is the name of document 1 too: write another one`},
		"no metadata":       {strings.Replace(chain("a"), "metadata: {name: a}\n", "", 1), "document 1: metadata.name: Required value: write the name of the chain"},
		"no name":           {strings.Replace(chain("a"), "{name: a}", "{labels: {a: b}}", 1), "document 1: metadata.name: Required value"},
		"a generated name":  {strings.Replace(chain("a"), "{name: a}", "{generateName: a-}", 1), "document 1: metadata.name: Required value"},
		"unknown metadata":  {strings.Replace(chain("a"), "{name: a}", "{name: a, lables: {}}", 1), `document 1: unknown field "metadata.lables"`},
		"malformed labels":  {strings.Replace(chain("a"), "{name: a}", "{name: a, labels: 3}", 1), "document 1: metadata: "},
		"no spec":           {strings.SplitAfter(chain("a"), "}\n")[0], "document 1: spec: Required value"},
		"faults of two":     {chain("A") + "---\n" + chain("B"), `document 2: metadata.name: Invalid value: "B"`},
		"fault and another": {chain("A") + "---\n" + chain("b"), `document 1: metadata.name: Invalid value: "A"`},
	} {
		t.Run(name, func(t *testing.T) {
			chains, err := schema.Decode([]byte(tc.in))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
			if chains != nil {
				t.Errorf("returned %d chains beside the error", len(chains))
			}
		})
	}
}

func TestAllFaultsAreReportedAtOnce(t *testing.T) {
	_, err := schema.Decode([]byte(`
apiVersion: understudy.dev/v1alpha1
kind: ProviderChain
metadata: {name: a}
spec:
  providers:
  - {name: one, type: OpenAI}
  - {name: two, type: OpenAICompatible}
  timeouts: {connect: 0s}
`))
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"spec.providers[0].auth:", "spec.providers[1].baseURL:", "spec.timeouts.connect:"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in: %v", want, err)
		}
	}
}

func TestValidateLeavesTheObjectAlone(t *testing.T) {
	var obj map[string]any
	if err := yaml.Unmarshal([]byte(chain("a")+"status: {activeProvider: openai}\nextra: null\n"), &obj); err != nil {
		t.Fatal(err)
	}
	before, err := json.Marshal(obj)
	if err != nil {
		t.Fatal(err)
	}
	if err := newValidator(t).Validate(obj); err == nil || !strings.Contains(err.Error(), `unknown field "extra"`) {
		t.Errorf("got %v, want the unknown field", err)
	}
	after, err := json.Marshal(obj)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(before), string(after)); diff != "" {
		t.Errorf("the object was changed:\n%s", diff)
	}
}

func TestDecodeKeepsWhatWasWritten(t *testing.T) {
	chains, err := schema.Decode(read(t, "../../../config/samples/full.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	spec := chains[0].Spec
	names := slices.Collect(func(yield func(string) bool) {
		for _, p := range spec.Providers {
			if !yield(p.Name) {
				return
			}
		}
	})
	if diff := cmp.Diff([]string{"anthropic", "openai", "in-house", "team"}, names); diff != "" {
		t.Errorf("providers (-want +got):\n%s", diff)
	}
	want := v1alpha1.ChainTimeouts{
		Timeouts: v1alpha1.Timeouts{Connect: "3s", FirstByte: "15s", FirstToken: "60s", Idle: "120s"},
		Chain:    "10m",
	}
	if diff := cmp.Diff(want, *spec.Timeouts); diff != "" {
		t.Errorf("timeouts (-want +got):\n%s", diff)
	}
	if got := spec.Notifications.Slack.Token.SecretKeyRef; got != (v1alpha1.SecretKeyRef{Name: "slack", Key: "token"}) {
		t.Errorf("slack token: %+v", got)
	}
}

// FuzzDecode checks that no file can end the process and that what is accepted
// is accepted again when it is written back.
func FuzzDecode(f *testing.F) {
	for _, path := range files(f, goodFiles, sampleFiles, badFiles) {
		f.Add(read(f, path))
	}
	f.Add([]byte(chain("a") + "--- # next\r\n" + chain("b") + "...\r"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("? {}\n: []\n---\n.nan: .inf\n"))
	v := newValidator(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		chains, err := v.Decode(data)
		if err != nil {
			if chains != nil {
				t.Fatal("chains beside an error")
			}
			return
		}
		for _, c := range chains {
			c.APIVersion, c.Kind = v1alpha1.GroupVersion.String(), v1alpha1.Kind
			again, err := yaml.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			back, err := v.Decode(again)
			if err != nil {
				t.Fatalf("accepted, but not when written back: %v\n%s", err, again)
			}
			if diff := cmp.Diff([]v1alpha1.ProviderChain{c}, back); diff != "" {
				t.Fatalf("changed by a round trip:\n%s", diff)
			}
		}
	})
}

func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := schema.New(); err != nil {
			b.Fatal(err)
		}
	}
}
