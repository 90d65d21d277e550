package wire_test

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/understudy-dev/understudy/internal/failover/dialect/wire"
)

func TestAWriterSetsCommasWhereJSONWantsThem(t *testing.T) {
	var w wire.Writer
	w.Open('{').Key("a").Open('[').Int(1).Bool(true).Null().Open('{').Close('}').Close(']')
	w.Key("b").TextOrNull("").Key("c").TextOrNull("x").Key("d").Raw(nil).Key("e").Raw([]byte(`{"z": 1.0}`)).Close('}')
	if got, want := string(w.Buf), `{"a":[1,true,null,{}],"b":null,"c":"x","d":null,"e":{"z": 1.0}}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestNothingIsEscapedForHTML(t *testing.T) {
	if got, want := string(wire.AppendString(nil, "<a href='x'>&\u2028</a>")), "\"<a href='x'>&\u2028</a>\""; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "a\"\\\n\r\t\x00\x1f\x7f", "grüße 🜚", "\xff\xc3", "\u2028"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text := wire.AppendString(nil, s)
		var got string
		if err := json.Unmarshal(text, &got); err != nil || !utf8.Valid(text) {
			t.Fatalf("%q is written as %q: %v", s, text, err)
		}
		if want := string([]rune(s)); got != want {
			t.Fatalf("%q reads back as %q, want %q", s, got, want)
		}
	})
}
