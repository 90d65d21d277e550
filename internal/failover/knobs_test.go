package failover

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestKnobsChangeTheirMembersAndNoOtherByte(t *testing.T) {
	k := Knobs{Drop: []string{"temperature", "not-there"}, Set: []Member{{"store", RawJSON("false")}, {"top_p", RawJSON("0.10")}}}
	for body, want := range map[string]string{
		` {"model":"m", "temperature" : 1e0,` + "\n" + `"top_p" : 1,"x":{"temperature": 1.0, "b":[ 1 ]} } `: ` {"model":"m",` + "\n" + `"top_p" : 0.10,"x":{"temperature": 1.0, "b":[ 1 ]},"store":false } `,
		`{"temperature":1 , "temperature":2, "m\u006fdel":"\u00e9"}`:                                        `{ "m\u006fdel":"\u00e9","store":false,"top_p":0.10}`,
		`{ "temp\u0065rature":1, "a":1}`:                                                                    `{ "a":1,"store":false,"top_p":0.10}`,
		`{"store":null,"top_p":[1]}`:                                                                        `{"store":false,"top_p":0.10}`,
		`{}`:                                                                                                `{"store":false,"top_p":0.10}`,
		`{"temperature":"<"}`:                                                                               `{"store":false,"top_p":0.10}`,
		`[1]`:                                                                                               `[1]`,
		``:                                                                                                  ``,
	} {
		if got := string(k.Apply([]byte(body))); got != want || body != "" && !json.Valid([]byte(got)) {
			t.Errorf("%s became %s, want %s", body, got, want)
		}
	}
}

func TestKnobsDoNotTouchWhatTheSidecarDecides(t *testing.T) {
	for _, k := range []Knobs{
		{Drop: []string{"model"}}, {Set: []Member{{"stream", RawJSON("true")}}}, {Set: []Member{{"a", RawJSON("{")}}}, {Drop: []string{"input"}},
	} {
		if err := k.check(); err == nil || !strings.HasPrefix(err.Error(), "request.") {
			t.Errorf("%+v: %v", k, err)
		}
	}
	if err := (Knobs{Drop: []string{"seed"}, Set: []Member{{"a", RawJSON(`{"b":1}`)}}}).check(); err != nil {
		t.Error(err)
	}
}
