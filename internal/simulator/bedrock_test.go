package simulator

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"net/http"
	"strings"
	"testing"
	"time"
)

const (
	nova     = "/model/amazon.nova-pro-v1%3A0/"
	haiku    = "/model/us.anthropic.claude-haiku-4-5-20251001-v1%3A0/"
	converse = `{"messages":[{"role":"user","content":[{"text":"say Grüße, 世界!"}]}]}`
)

func newBedrock(t *testing.T, keys ...string) *Simulator {
	return newSimulator(t, Options{Providers: []ProviderConfig{{Name: "bedrock", Kind: Bedrock, Keys: keys}}})
}

// sentFrame is a frame as a reader sees it.
type sentFrame struct {
	headers map[string]string
	payload string
}

// readFrames takes a stream apart, and checks its checksums.
func readFrames(t *testing.T, body string) (frames []sentFrame) {
	t.Helper()
	b := []byte(body)
	for len(b) > 0 {
		total, head := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
		if crc32.ChecksumIEEE(b[:8]) != binary.BigEndian.Uint32(b[8:]) || crc32.ChecksumIEEE(b[:total-4]) != binary.BigEndian.Uint32(b[total-4:]) {
			t.Fatalf("frame %d has a wrong checksum", len(frames))
		}
		f := sentFrame{map[string]string{}, string(b[12+head : total-4])}
		for h := b[12 : 12+head]; len(h) > 0; {
			n := int(h[0])
			size := int(binary.BigEndian.Uint16(h[n+2:]))
			f.headers[string(h[1:n+1])] = string(h[n+4 : n+4+size])
			h = h[n+4+size:]
		}
		frames, b = append(frames, f), b[total:]
	}
	return frames
}

func TestConverseAnswersWhole(t *testing.T) {
	res, got := ask(t, newBedrock(t).Handler(), request("POST", "/bedrock"+nova+"converse", converse))
	want := `{"metrics":{"latencyMs":421},"output":{"message":{"content":[{"text":"Grüße, 世界!"}],"role":"assistant"}},"stopReason":"end_turn","usage":{"cacheReadInputTokens":0,"cacheWriteInputTokens":0,"inputTokens":5,"outputTokens":2,"totalTokens":7}}`
	if res.StatusCode != 200 || got != want || res.Header.Get("X-Amzn-Requestid") == "" {
		t.Errorf("%d %s", res.StatusCode, got)
	}
}

func TestConverseStreamsInFrames(t *testing.T) {
	body := `{"messages":[{"role":"user","content":[{"text":"think hm\nsay Hi\ntool f {\"a\":1}\ntool g"}]}],"toolConfig":{"tools":[` +
		`{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object"}}}},{"toolSpec":{"name":"g","inputSchema":{"json":{"type":"object"}}}}]}}`
	res, got := ask(t, newBedrock(t).Handler(), request("POST", "/bedrock"+haiku+"converse-stream", body))
	if ct := res.Header.Get("Content-Type"); ct != "application/vnd.amazon.eventstream" {
		t.Fatalf("%d %s %s", res.StatusCode, ct, got)
	}
	var names []string
	for _, f := range readFrames(t, got) {
		if f.headers[":message-type"] != "event" || !json.Valid([]byte(f.payload)) {
			t.Errorf("frame %+v", f)
		}
		names = append(names, f.headers[":event-type"])
	}
	want := "messageStart contentBlockDelta contentBlockDelta contentBlockStop contentBlockDelta contentBlockStop " +
		"contentBlockStart contentBlockDelta contentBlockDelta contentBlockStop contentBlockStart contentBlockStop messageStop metadata"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestInvokeModelSpeaksMessagesInFrames(t *testing.T) {
	h := newBedrock(t).Handler()
	body := `{"anthropic_version":"bedrock-2023-05-31","max_tokens":9,"messages":[{"role":"user","content":"say Hi"}]}`
	res, got := ask(t, h, request("POST", "/bedrock"+haiku+"invoke", body))
	if res.StatusCode != 200 || !strings.Contains(got, `"type":"message"`) {
		t.Fatalf("%d %s", res.StatusCode, got)
	}
	_, got = ask(t, h, request("POST", "/bedrock"+haiku+"invoke-with-response-stream", body))
	frames := readFrames(t, got)
	var last struct{ Bytes []byte }
	if err := json.Unmarshal([]byte(frames[len(frames)-1].payload), &last); err != nil || string(last.Bytes) != `{"type":"message_stop"}` {
		t.Errorf("the last frame is %+v, %v", frames[len(frames)-1], err)
	}
	count := `{"input":{"invokeModel":{"body":"` + base64.StdEncoding.EncodeToString([]byte(body)) + `"}}}`
	if res, got = ask(t, h, request("POST", "/bedrock"+haiku+"count-tokens", count)); got != `{"inputTokens":3}` {
		t.Errorf("%d %s", res.StatusCode, got)
	}
	for _, wrong := range []string{
		strings.Replace(body, `"max_tokens"`, `"model":"x","max_tokens"`, 1), strings.Replace(body, `"max_tokens"`, `"stream":true,"max_tokens"`, 1),
		strings.Replace(body, "bedrock-2023-05-31", "2023-06-01", 1), strings.Replace(body, `"max_tokens":9,`, "", 1),
	} {
		if res, got := ask(t, h, request("POST", "/bedrock"+haiku+"invoke", wrong)); res.StatusCode != 400 || res.Header.Get("X-Amzn-Errortype") == "" {
			t.Errorf("%s: %d %s", wrong, res.StatusCode, got)
		}
	}
}

func TestConverseRequestsAreCheckedByThePublishedRules(t *testing.T) {
	const tools = `"toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object"}}}}]}`
	const call = `{"role":"user","content":[{"text":"a"}]},{"role":"assistant","content":[{"toolUse":{"toolUseId":"t1","name":"f","input":{}}}]}`
	h := newBedrock(t).Handler()
	for body, want := range map[string]string{
		`{}`:              "must start with a user message",
		`{"messages":[]}`: "must start with a user message",
		`{"messages":[{"role":"assistant","content":[{"text":"a"}]}]}`:                                                                    "must start with a user message",
		`{"messages":[{"role":"user","content":[{"text":"a"}]},{"role":"user","content":[{"text":"a"}]}]}`:                                "must alternate",
		`{"messages":[{"role":"user","content":[]}]}`:                                                                                     "is empty",
		`{"messages":[{"role":"user","content":[{"text":" \n"}]}]}`:                                                                       "is blank",
		`{"messages":[{"role":"user","content":[{"text":"a"},{"text":""}]}]}`:                                                             "is blank",
		`{"model":"x",` + converse[1:]:                                                                                                    "unknown member model",
		`{"inferenceConfig":{"maxTokens":0},` + converse[1:]:                                                                              "greater than or equal to 1",
		`{"inferenceConfig":{"topK":1},` + converse[1:]:                                                                                   "topK",
		`{"toolConfig":{"tools":[]},` + converse[1:]:                                                                                      "length greater than",
		`{"toolConfig":{"tools":[{"toolSpec":{"name":"a.b","inputSchema":{"json":{"type":"object"}}}}]},` + converse[1:]:                  "regular expression",
		`{"toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{}}}}]},` + converse[1:]:                                   "must be one of the following: object",
		`{` + strings.TrimSuffix(tools, "}") + `,"toolChoice":{"none":{}}},` + converse[1:]:                                               "exactly one of",
		`{` + strings.TrimSuffix(tools, "}") + `,"toolChoice":{"tool":{"name":"g"}}},` + converse[1:]:                                     "not one of the tools",
		`{"messages":[` + call + `,{"role":"user","content":[{"toolResult":{"toolUseId":"t1","content":[]}}]}]}`:                          "toolConfig field must be defined",
		`{` + tools + `,"messages":[` + call + `,{"role":"user","content":[{"text":"b"}]}]}`:                                              "Expected toolResult blocks at messages.2.content for the following Ids: t1",
		`{` + tools + `,"messages":[{"role":"user","content":[{"toolResult":{"toolUseId":"t1","content":[]}}]}]}`:                         "exceeds the number of toolUse",
		`{` + tools + `,"messages":[` + call + `,{"role":"user","content":[{"toolResult":{"toolUseId":"t1","content":[{"text":""}]}}]}]}`: "is blank",
		`{"messages":[{"role":"user","content":[{"text":"a"},{"document":{"name":"a.pdf","format":"pdf","source":{"bytes":"YQ=="}}}]}]}`:  "document name",
		`{"messages":[{"role":"user","content":[{"text":"a"},{"document":{"name":"a  b","format":"pdf","source":{"bytes":"YQ=="}}}]}]}`:   "document name",
		`{"messages":[{"role":"user","content":[{"document":{"name":"a","format":"pdf","source":{"bytes":"YQ=="}}}]}]}`:                   "text block must be included",
		`{"messages":[{"role":"user","content":[{"image":{"format":"png","source":{"url":"https://example.com"}}}]}]}`:                    "is not valid",
		`{"messages":[{"role":"user","content":[{"text":"a","image":{}}]}]}`:                                                              "exactly one member",
		`{"system":[],` + converse[1:]: "system",
		`{"outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"schema":{"type":"object"}}}}},` + converse[1:]: "text of a JSON schema",
		`{"messages":[` + call + `,{"role":"user","content":[{"image":{"format":"png","source":{"bytes":"YQ=="}}}]}],` + tools + `}`:    "Expected toolResult",
		`{"messages":`: "not valid JSON",
	} {
		res, got := ask(t, h, request("POST", "/bedrock"+nova+"converse", body))
		if res.StatusCode != 400 || !strings.Contains(got, want) || !strings.HasPrefix(res.Header.Get("X-Amzn-Errortype"), "ValidationException") {
			t.Errorf("%s:\n%d %s, want %q", body, res.StatusCode, got, want)
		}
	}
	ok := `{` + tools + `,"messages":[` + call + `,{"role":"user","content":[{"toolResult":{"toolUseId":"t1","content":[{"text":"21"}],"status":"error"}},{"text":"and?"}]}]}`
	if res, got := ask(t, h, request("POST", "/bedrock"+nova+"converse", ok)); res.StatusCode != 200 {
		t.Errorf("%d %s", res.StatusCode, got)
	}
	sampling := `{"inferenceConfig":{"temperature":0.5},` + converse[1:]
	if res, got := ask(t, h, request("POST", "/bedrock/model/us.anthropic.claude-opus-5-5/converse", sampling)); res.StatusCode != 400 {
		t.Errorf("%d %s", res.StatusCode, got)
	}
}

// TestASignatureIsComputedAsAWSPublishesIt uses the simplest example of AWS's own test suite.
func TestASignatureIsComputedAsAWSPublishesIt(t *testing.T) {
	r := request("GET", "http://example.amazonaws.com/", "")
	r.Header = http.Header{"X-Amz-Date": {"20150830T123600Z"}}
	s := signature{date: "20150830", region: "us-east-1", service: "service"}
	got := s.sign("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", canonical(r, nil, []string{"host", "x-amz-date"}), "20150830T123600Z")
	if want := "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestOnlyWhoIsKnownToBedrockIsAnswered(t *testing.T) {
	h := newBedrock(t, "AKIDSIMULATED:secret", "bedrock-api-key").Handler()
	signed := func(change func(*http.Request)) *http.Request {
		r := request("POST", "/bedrock"+nova+"converse", converse)
		now := time.Now().UTC()
		r.Header.Set("X-Amz-Date", now.Format("20060102T150405Z"))
		s := signature{date: now.Format("20060102"), region: "us-east-1", service: "bedrock"}
		value := s.sign("secret", canonical(r, []byte(converse), []string{"host", "x-amz-date"}), now.Format("20060102T150405Z"))
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDSIMULATED/"+s.date+"/us-east-1/bedrock/aws4_request, SignedHeaders=host;x-amz-date, Signature="+value)
		change(r)
		return r
	}
	replace := func(from, to string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), from, to, 1))
		}
	}
	for name, c := range map[string]struct {
		request *http.Request
		status  int
		kind    string
	}{
		"a signature":    {signed(func(*http.Request) {}), 200, ""},
		"an API key":     {signed(func(r *http.Request) { r.Header.Set("Authorization", "Bearer bedrock-api-key") }), 200, ""},
		"another key":    {signed(func(r *http.Request) { r.Header.Set("Authorization", "Bearer other") }), 403, "AccessDeniedException"},
		"nobody":         {signed(func(r *http.Request) { r.Header.Del("Authorization") }), 403, "MissingAuthenticationTokenException"},
		"an unknown id":  {signed(replace("AKIDSIMULATED", "AKIDOTHER")), 403, "UnrecognizedClientException"},
		"another secret": {signed(replace("Signature=", "Signature=0")), 403, "InvalidSignatureException"},
		"an old date":    {signed(func(r *http.Request) { r.Header.Set("X-Amz-Date", "20150830T123600Z") }), 403, "InvalidSignatureException"},
		"another host":   {signed(func(r *http.Request) { r.Host = "other" }), 403, "InvalidSignatureException"},
		"a service":      {signed(replace("/bedrock/aws4", "/bedrock-mantle/aws4")), 403, "InvalidSignatureException"},
		"no host":        {signed(replace("host;x-amz", "x-amz")), 403, "InvalidSignatureException"},
		"half a header":  {signed(replace("Signature", "Sig")), 403, "IncompleteSignatureException"},
	} {
		res, got := ask(t, h, c.request)
		kind, _, _ := strings.Cut(res.Header.Get("X-Amzn-Errortype"), ":")
		if res.StatusCode != c.status || kind != c.kind {
			t.Errorf("%s: %d %s %s, want %d %s", name, res.StatusCode, kind, got, c.status, c.kind)
		}
	}
}

func TestTheCatalogueOfBedrock(t *testing.T) {
	seen := 0
	for _, s := range Catalogue() {
		f, err := Lookup(Bedrock, s.Name)
		if err != nil {
			continue
		}
		seen++
		if f.Effect != Respond && f.Effect != ErrorEvent && f.Effect != BadChecksum || f.Body != "" || f.NoBody || f.Header["Content-Type"] != "" {
			continue
		}
		sim := newBedrock(t)
		sim.Provider("bedrock").Fail(f)
		res, got := ask(t, sim.Handler(), request("POST", "/bedrock"+nova+"converse-stream", converse))
		switch f.Effect {
		case Respond:
			var e struct{ Message string }
			if json.Unmarshal([]byte(got), &e) != nil || e.Message == "" || res.StatusCode != f.Status || !strings.Contains(res.Header.Get("X-Amzn-Errortype"), "Exception:") {
				t.Errorf("%s: %d %s %s", s.Name, res.StatusCode, res.Header.Get("X-Amzn-Errortype"), got)
			}
		case ErrorEvent:
			frames := readFrames(t, got)
			last := frames[len(frames)-1].headers
			if last[":message-type"] != "exception" || !strings.HasSuffix(last[":exception-type"], "Exception") || res.StatusCode != 200 {
				t.Errorf("%s: the stream ends with %v", s.Name, last)
			}
		}
	}
	if seen < 40 {
		t.Errorf("Bedrock has %d faults only", seen)
	}
}
