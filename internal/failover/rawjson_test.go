package failover

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestMembersAreFoundInOrderWithTheirRawText(t *testing.T) {
	body := "\t{ \"a\" : [1, {\"x\":\"]}\"}] ,\"b\\u0063\":\"q\\\"\\\\\",\n\"n\":1.10e5,\"t\":true,\"o\":{},\"z\":null} \r\n"
	var got []string
	err := EachMember([]byte(body), func(name []byte, value RawJSON) bool {
		got = append(got, string(name)+"="+string(value))
		return true
	})
	want := []string{`a=[1, {"x":"]}"}]`, `bc="q\"\\"`, `n=1.10e5`, `t=true`, `o={}`, `z=null`}
	if err != nil || strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("members %q, %v; want %q", got, err, want)
	}
}

func TestElementsAreFoundInOrderWithTheirRawText(t *testing.T) {
	var got []string
	err := EachElement([]byte(` [1, "a,]" ,[ ] ,{"k":[2]},null ]`), func(value RawJSON) bool {
		got = append(got, string(value))
		return true
	})
	if want := `1|"a,]"|[ ]|{"k":[2]}|null`; err != nil || strings.Join(got, "|") != want {
		t.Errorf("elements %q, %v; want %s", got, err, want)
	}
}

func TestReadingStopsWhenAsked(t *testing.T) {
	n := 0
	if err := EachMember([]byte(`{"a":1,"b":2,broken`), func([]byte, RawJSON) bool { n++; return false }); err != nil || n != 1 {
		t.Errorf("members: %d, %v; want 1 and no look at the rest", n, err)
	}
	if err := EachElement([]byte(`[1,2,broken`), func(RawJSON) bool { n++; return false }); err != nil || n != 2 {
		t.Errorf("elements: %d, %v; want 1 and no look at the rest", n-1, err)
	}
}

func TestWhatIsNoObjectIsAnError(t *testing.T) {
	for _, body := range []string{
		``, ` `, `null`, `[]`, `"a"`, `{`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{,}`, `{"a" 1}`, `{a:1}`,
		`{"a":1}}`, `{"a":1} x`, `{"a":[1}`, `{"a":"x}`, `{"a":}`, `{"a":1 2}`, `{"a":]}`, `{"a":\u0031}`,
		`{"a":` + strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1) + `}`,
	} {
		if err := EachMember([]byte(body), func([]byte, RawJSON) bool { return true }); err == nil {
			t.Errorf("%.40q passes for an object", body)
		}
	}
	for _, body := range []string{``, `{}`, `[`, `[1`, `[1,`, `[1,]`, `[,]`, `[1]]`, `[1 2]`} {
		if err := EachElement([]byte(body), func(RawJSON) bool { return true }); err == nil {
			t.Errorf("%q passes for an array", body)
		}
	}
}

func TestTheLastMemberOfANameCounts(t *testing.T) {
	v := RawJSON(`{"a":1,"b":{"a":2},"\u0061":3}`)
	if got := string(v.Member("a")); got != "3" {
		t.Errorf("Member = %s, want 3", got)
	}
	if got := v.Member("c"); got != nil {
		t.Errorf("Member of nothing = %s, want nil", got)
	}
	if got := RawJSON(`[1]`).Member("a"); got != nil {
		t.Errorf("Member of an array = %s, want nil", got)
	}
}

func TestStringsAreDecodedAsEncodingJSONDoes(t *testing.T) {
	for _, text := range []string{
		`""`, `"plain"`, `"\"\\\/\b\f\n\r\t"`, `"\u00e9\u4e16\u0000"`, `"\ud83d\ude00"`, `"\ud83d"`, `"\ude00x"`, `"\ud83d\ud83d\ude00"`,
		`"\ud83dx"`, `"\ud83d\u0041"`, `"grüße 🜚"`,
	} {
		var want string
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatal(err)
		}
		if got := RawJSON(text).Text(); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	for _, text := range []string{``, `1`, `null`, `{}`, `["a"]`} {
		if got := RawJSON(text).Text(); got != "" {
			t.Errorf("%s: %q, want no text", text, got)
		}
	}
}

func TestIntegersAreExact(t *testing.T) {
	if n, ok := RawJSON(`9007199254740993`).Int(); !ok || n != 9007199254740993 {
		t.Errorf("Int = %d, %v", n, ok)
	}
	for _, text := range []string{``, `1.0`, `1e3`, `"1"`, `null`, `99999999999999999999`} {
		if n, ok := RawJSON(text).Int(); ok {
			t.Errorf("%q passes for the integer %d", text, n)
		}
	}
}

func FuzzRawJSON(f *testing.F) {
	for _, s := range []string{
		`{"a":[1,{"b":"\ud83d\ude00"}],"a":null}`, `[1,"\\\"",{},[],-0.5e+3]`, `{"\u0061":"x"}`, `{"a":1}x`, `{"\\":"\\"}`, `{"a":"\`, `"\u12`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		members, elements := map[string]RawJSON{}, []RawJSON{}
		objectErr := EachMember(b, func(name []byte, v RawJSON) bool { members[string(name)] = v; return true })
		arrayErr := EachElement(b, func(v RawJSON) bool { elements = append(elements, v); return true })
		_ = RawJSON(bytes.TrimSpace(b)).Member("a").Text()
		if shallow(b) && ValidJSON(b) != json.Valid(b) {
			t.Fatalf("valid: %v, encoding/json says %v", ValidJSON(b), json.Valid(b))
		}
		if !json.Valid(b) || !shallow(b) {
			return // no more is promised than not to panic
		}
		var object map[string]json.RawMessage
		if isObject := bytes.HasPrefix(bytes.TrimSpace(b), []byte("{")); isObject != (objectErr == nil) {
			t.Fatalf("object %v, error %v", isObject, objectErr)
		} else if isObject {
			if err := json.Unmarshal(b, &object); err != nil {
				t.Fatal(err)
			}
		}
		var array []json.RawMessage
		if isArray := bytes.HasPrefix(bytes.TrimSpace(b), []byte("[")); isArray != (arrayErr == nil) {
			t.Fatalf("array %v, error %v", isArray, arrayErr)
		} else if isArray {
			if err := json.Unmarshal(b, &array); err != nil {
				t.Fatal(err)
			}
		}
		compare(t, members, elements, object, array)
	})
}

// shallow reports nesting well below the limit, and names that are UTF-8:
// encoding/json replaces other bytes and we keep them.
func shallow(b []byte) bool {
	return bytes.Count(b, []byte("["))+bytes.Count(b, []byte("{")) < maxDepth && strings.ToValidUTF8(string(b), "") == string(b)
}

func compare(t *testing.T, members map[string]RawJSON, elements []RawJSON, object map[string]json.RawMessage, array []json.RawMessage) {
	if len(elements) != len(array) || len(members) != len(object) {
		t.Fatalf("%d elements and %d members, want %d and %d", len(elements), len(members), len(array), len(object))
	}
	for i, want := range array {
		if !bytes.Equal(elements[i], want) {
			t.Fatalf("element %d = %s, want %s", i, elements[i], want)
		}
	}
	for name, want := range object {
		v := members[name]
		if !bytes.Equal(v, want) {
			t.Fatalf("%q = %s, want %s", name, v, want)
		}
		var text string
		if json.Unmarshal(want, &text) == nil && v.Text() != text {
			t.Fatalf("%q: text %q, want %q", name, v.Text(), text)
		}
	}
}

func TestValidIsWhatEncodingJSONCallsValid(t *testing.T) {
	for _, s := range []string{
		``, ` `, `null`, ` true `, `false`, `nul`, `truex`, `tru`, `0`, `-0`, `01`, `-`, `1.`, `.5`, `1.5e`, `1e+5`, `1E-05`, `+1`, `1 2`, `NaN`,
		`""`, `"a`, `"\\"`, `"\"`, `"\x"`, `"\u12g4"`, `"\u00e9"`, `"\u12"`, "\"a\nb\"", "\"a\tb\"", `"é"`, "\"\xff\"",
		`[]`, `[ ]`, `[1,]`, `[,1]`, `[1 2]`, `[[],{}]`, `[}`, `[`, `]`, `{}`, `{ }`, `{"a":1}`, `{"a":1,}`, `{"a" :1 , "b":[ {} ]}`, `{"a"}`,
		`{"a":}`, `{1:2}`, `{"a":1 "b":2}`, `{"a":1}}`, `{"a":[1}`, `{"a":{"b":[true,null,-1.5e3,"x"]}}`, `{"a":"b"c}`, `{"a":1}x`,
	} {
		if got, want := ValidJSON([]byte(s)), json.Valid([]byte(s)); got != want {
			t.Errorf("%q: %v, want %v", s, got, want)
		}
	}
}

// BenchmarkValid compares with encoding/json on an answer of usual size.
func BenchmarkValid(b *testing.B) {
	body := []byte(`{"id":"x","created":1,"choices":[{"index":0,"message":{"role":"assistant","content":"` + strings.Repeat("word ", 180) + `"},"logprobs":null}]}`)
	for name, valid := range map[string]func([]byte) bool{"ours": ValidJSON, "encoding-json": json.Valid} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				valid(body)
			}
		})
	}
}

func BenchmarkEachMember(b *testing.B) {
	body := []byte(`{"messages":[{"role":"user","content":"` + strings.Repeat(`a \"word\" and `, 8000) + `"}],"model":"m"}`)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		_ = EachMember(body, func([]byte, RawJSON) bool { return true })
	}
}
