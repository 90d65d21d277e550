package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// serveProvider is an OpenAI-like provider without any work in it. The request
// says in headers what it wants: X-Stainless-Tokens and X-Stainless-Pace for a stream, X-Stainless-Hold to
// keep it open. Their names are of a kind that
// the sidecar passes on.
func serveProvider(addr string) error {
	answer := `{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"` +
		strings.Repeat("word ", 180) + `","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":180,"total_tokens":190}}`
	messages := `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"` + strings.Repeat("word ", 180) +
		`"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":10,"output_tokens":180}}`
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/messages", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, messages)
	})
	mux.HandleFunc("/v1/chat/completions", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if r.Header.Get("X-Stainless-Tokens") == "" {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, answer)
			return
		}
		serveStream(w, r)
	})
	return http.ListenAndServe(addr, mux)
}

func serveStream(w http.ResponseWriter, r *http.Request) {
	tokens, _ := strconv.Atoi(r.Header.Get("X-Stainless-Tokens"))
	pace, _ := time.ParseDuration(r.Header.Get("X-Stainless-Pace"))
	w.Header().Set("Content-Type", "text/event-stream")
	rc := http.NewResponseController(w)
	chunk := `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{%s},"logprobs":null,"finish_reason":%s}]}` + "\n\n"
	fmt.Fprintf(w, chunk, `"role":"assistant","content":""`, "null")
	for range tokens {
		fmt.Fprintf(w, chunk, `"content":"token "`, "null")
		rc.Flush()
		if pace > 0 {
			time.Sleep(pace)
		}
	}
	if r.Header.Get("X-Stainless-Hold") != "" {
		<-r.Context().Done()
		return
	}
	fmt.Fprintf(w, chunk, "", `"stop"`)
	io.WriteString(w, "data: [DONE]\n\n")
}

// servePlain is the least that a Go reverse proxy can be.
func servePlain(addr, admin, target string) error {
	u, err := url.Parse(target)
	if err != nil {
		return err
	}
	go http.ListenAndServe(admin, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		fmt.Fprintf(w, "go_memstats_mallocs_total %d\n", m.Mallocs)
	}))
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 256
	return http.ListenAndServe(addr, &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(u)
		},
	})
}
