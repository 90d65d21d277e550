package simulator

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"strings"
	"testing"
)

func TestAResponsesStreamHasItsEventsInOrderAndNumbered(t *testing.T) {
	h := newSimulator(t, Options{}).Handler()
	body := `{"model":"gpt-4o","stream":true,"input":[{"role":"user","content":[{"type":"input_text","text":"think hm\nsay one two"}]}]}`
	_, got := ask(t, h, request("POST", "/v1/responses", body))
	want := `response.created response.in_progress
		response.output_item.added response.reasoning_summary_part.added response.reasoning_summary_text.delta
		response.reasoning_summary_text.done response.reasoning_summary_part.done response.output_item.done
		response.output_item.added response.content_part.added response.output_text.delta response.output_text.delta
		response.output_text.done response.content_part.done response.output_item.done response.completed`
	if names := eventNames(got); strings.Join(names, " ") != strings.Join(strings.Fields(want), " ") {
		t.Fatalf("events %v", names)
	}
	n := 0
	for line := range strings.SplitSeq(got, "\n") {
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			continue
		}
		var e struct {
			Sequence int `json:"sequence_number"`
			Response *struct {
				Status string
				Output []struct{ Type string }
				Usage  *struct {
					Input  int `json:"input_tokens"`
					Output int `json:"output_tokens"`
					Total  int `json:"total_tokens"`
					Detail struct {
						Reasoning int `json:"reasoning_tokens"`
					} `json:"output_tokens_details"`
				}
			}
		}
		if err := json.Unmarshal([]byte(data), &e); err != nil || e.Sequence != n {
			t.Fatalf("event %d: number %d, %v", n, e.Sequence, err)
		}
		n++
		if e.Response == nil || e.Response.Status == "in_progress" {
			continue
		}
		u := e.Response.Usage
		if len(e.Response.Output) != 2 || u.Output != 3 || u.Detail.Reasoning != 1 || u.Total != u.Input+u.Output {
			t.Errorf("final response %s", data)
		}
	}
}

func TestEmbeddingsAreTheSameInBothEncodings(t *testing.T) {
	h := newSimulator(t, Options{}).Handler()
	read := func(body string) json.RawMessage {
		t.Helper()
		var out struct {
			Data []struct{ Embedding json.RawMessage }
		}
		res, got := ask(t, h, request("POST", "/v1/embeddings", body))
		if err := json.Unmarshal([]byte(got), &out); err != nil || res.StatusCode != 200 || len(out.Data) != 2 {
			t.Fatalf("%d %s: %v", res.StatusCode, got, err)
		}
		return out.Data[1].Embedding
	}
	var floats []float32
	if err := json.Unmarshal(read(`{"model":"text-embedding-3-small","input":["a","b"],"dimensions":4}`), &floats); err != nil || len(floats) != 4 {
		t.Fatal(floats, err)
	}
	var text string
	if err := json.Unmarshal(read(`{"model":"text-embedding-3-small","input":["a","b"],"dimensions":4,"encoding_format":"base64"}`), &text); err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) != 16 {
		t.Fatalf("%d bytes: %v", len(raw), err)
	}
	for i, want := range floats {
		if got := math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:])); got != want {
			t.Errorf("number %d is %v in base64 and %v as a float", i, got, want)
		}
	}
}

func TestUsageAddsUpWithCachedTokens(t *testing.T) {
	h := newSimulator(t, Options{}).Handler()
	padding := strings.Repeat("x", 400)
	_, chat := ask(t, h, request("POST", "/v1/chat/completions", `{"model":"gpt-4o","messages":[{"role":"system","content":"`+padding+`"},{"role":"user","content":"say hi\ncached 50"}]}`))
	if !strings.Contains(chat, `"prompt_tokens":107,"completion_tokens":1,"total_tokens":108,"prompt_tokens_details":{"cached_tokens":50`) {
		t.Errorf("chat: %s", chat)
	}
	_, message := ask(t, h, request("POST", "/v1/messages", `{"model":"claude-haiku-4-5","max_tokens":9,"system":"`+padding+`","messages":[{"role":"user","content":"say hi\ncached 50"}]}`))
	if !strings.Contains(message, `"input_tokens":56,"cache_creation_input_tokens":0,"cache_read_input_tokens":50`) {
		t.Errorf("messages: %s", message)
	}
}
