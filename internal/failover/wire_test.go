package failover_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/simulator"
)

// openAIOnly is a chain of one entry, which speaks Chat.
func openAIOnly() failover.ChainConfig {
	chain := threeEntries()
	chain.Providers = chain.Providers[1:2]
	return chain
}

// streaming answers 200 with the pieces as a stream of events, each after its
// pause; "" for a pause alone. It then stays as long as hold says.
func streaming(pause, hold time.Duration, pieces ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		for i, p := range pieces {
			if i > 0 {
				time.Sleep(pause)
			}
			_, _ = io.WriteString(w, p)
			w.(http.Flusher).Flush()
		}
		select {
		case <-time.After(hold):
		case <-r.Context().Done():
		}
	})
}

const (
	chunk = `data: {"choices":[{"index":0,"delta":{"content":"hello"}}]}`
	stop  = `data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`
)

func TestALastEventWithoutItsBlankLineIsNotGluedToOurs(t *testing.T) {
	for _, tt := range []struct {
		pieces []string
		want   string
		err    error
	}{
		{[]string{chunk + "\n\n", stop}, chunk + "\n\n" + stop + "\n\ndata: [DONE]\n\n", nil},
		{[]string{chunk + "\n\n" + stop + "\n"}, chunk + "\n\n" + stop + "\n\n\ndata: [DONE]\n\n", nil},
		{[]string{chunk + "\n\n", chunk}, chunk + "\n\n" + chunk + "\n\ndata: {", failover.ErrAborted},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, openAIOnly())
			defer w.close()
			w.serve("openai", streaming(time.Second, 0, tt.pieces...))
			g := w.call(t.Context(), failover.ChatCompletions, chat("hello", true))
			body := strings.ReplaceAll(g.body, "\n\n\n", "\n\n")
			if want := strings.ReplaceAll(tt.want, "\n\n\n", "\n\n"); !strings.HasPrefix(body, want) || g.err != tt.err || tt.err == nil && body != want {
				t.Errorf("the app reads %q, %v; want %q, %v", g.body, g.err, tt.want, tt.err)
			}
		})
	}
}

func TestAReasonCalledErrorEndsInAnErrorEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, openAIOnly())
		defer w.close()
		broken := `data: {"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}` + "\n\n"
		w.serve("openai", streaming(time.Second, 0, chunk+"\n\n", broken, "data: [DONE]\n\n"))
		g := w.call(t.Context(), failover.ChatCompletions, chat("hello", true))
		if g.err != failover.ErrAborted || strings.Count(g.body, `data: {"error"`) != 1 || strings.Contains(g.body, "[DONE]") {
			t.Errorf("the app reads %q, %v", g.body, g.err)
		}
	})
}

func TestAnAppThatTakesItsTimeIsNotTheProvidersSilence(t *testing.T) {
	for _, app := range []int{1, 3} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, openAIOnly())
			defer w.close()
			a := w.engine.Serve(t.Context(), &failover.Request{
				Operation: apps[app].op, Header: http.Header{}, Body: failover.NewReplay([]byte(apps[app].body("tokens 20"))), Received: time.Now(),
			})
			defer a.Close()
			var body string
			for {
				piece, err := a.Next()
				body += string(piece)
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatalf("%v: %s", err, body)
				}
				time.Sleep(3 * time.Minute)
			}
			if !strings.Contains(body, apps[app].end) {
				t.Errorf("the app reads %s", body)
			}
		})
	}
}

func TestACompleteAnswersBodyHasASecondToEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, openAIOnly())
		defer w.close()
		pieces := []string{chunk + "\n\n" + stop + "\n\n", "data: [DONE]\n\n"}
		for range 100 {
			pieces = append(pieces, ": still here\n\n")
		}
		w.serve("openai", streaming(700*time.Millisecond, time.Hour, pieces...))
		g := w.call(t.Context(), failover.ChatCompletions, chat("hello", true))
		answered(t, g, "openai", "false", "data: [DONE]")
		if g.took > 2*time.Second {
			t.Errorf("it took %v", g.took)
		}
	})
}

func TestAUnaryAnswerOfBlankLinesLeavesTimeForTheNext(t *testing.T) {
	for _, header := range []string{"X-Stainless-Timeout", "X-Stainless-Read-Timeout"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, threeEntries())
			defer w.close()
			w.anthropic.FailNamed("keep-alives")
			g := w.call(t.Context(), failover.ChatCompletions, chat("hello", false), header, "60")
			answered(t, g, "openai", "true", apps[0].end)
			if g.took > 31*time.Second {
				t.Errorf("it took %v of the app's 60 s", g.took)
			}
		})
	}
}

func TestAnEntryThatCannotServeTheRequestTakesNoShareOfItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chain := threeEntries()
		chain.Providers = []failover.ProviderConfig{chain.Providers[1], chain.Providers[0]}
		w := newWorld(t, chain)
		defer w.close()
		w.openai.Fail(simulator.Fault{Effect: simulator.Hang, Delay: 50 * time.Second})
		g := w.call(t.Context(), failover.Embeddings, `{"model":"text-embedding-3-small","input":"hello"}`, "X-Stainless-Timeout", "60")
		if g.status != 200 || !strings.Contains(g.body, `"embedding"`) {
			t.Errorf("got %d %.300s", g.status, g.body)
		}
	})
}

func TestAnOperationWithoutStreamsIsNotReadAsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, openAIOnly())
		defer w.close()
		w.serve("openai", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(rw, `{"object":"list","data":[{"embedding":[0.25]}]}`)
		}))
		g := w.call(t.Context(), failover.Embeddings, `{"model":"text-embedding-3-small","input":"hello","stream":true}`)
		if g.status != 200 || g.err != nil {
			t.Errorf("got %d %v %.300s", g.status, g.err, g.body)
		}
	})
}

func TestAnErrorWhoseBodyHangsIsLeftSoon(t *testing.T) {
	for status, want := range map[int]string{503: "ServiceUnavailable", 400: "IdleTimeout"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, threeEntries())
			defer w.close()
			w.serve("anthropic", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				rw.WriteHeader(status)
				_, _ = io.WriteString(rw, `{"type":"error","error":`)
				rw.(http.Flusher).Flush()
				<-r.Context().Done()
			}))
			g := w.call(t.Context(), failover.Messages, message("hello", false))
			answered(t, g, "openai", "true", apps[2].end)
			if first, _, _ := strings.Cut(w.seen.classes(), ","); first != "anthropic "+want || g.took > 12*time.Second {
				t.Errorf("%d: the verdict is %q after %v", status, first, g.took)
			}
		})
	}
}

// packed serves what next does as if a client had asked for gzip.
func packed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := &packer{ResponseWriter: w, z: gzip.NewWriter(w)}
		defer z.z.Close()
		next.ServeHTTP(z, r)
	})
}

type packer struct {
	http.ResponseWriter
	z *gzip.Writer
}

func (p *packer) WriteHeader(status int) {
	p.Header().Del("Content-Length")
	p.ResponseWriter.WriteHeader(status)
}
func (p *packer) Write(b []byte) (int, error) { return p.z.Write(b) }
func (p *packer) Flush() {
	_ = p.z.Flush()
	p.ResponseWriter.(http.Flusher).Flush()
}

func TestAnswersThatArePackedUnaskedAreUnpacked(t *testing.T) {
	for _, app := range apps {
		t.Run(app.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, threeEntries())
				defer w.close()
				w.serve("anthropic", packed(w.anthropic.Handler()))
				g := w.call(t.Context(), app.op, app.body("say hello world"))
				answered(t, g, "anthropic", "false", app.end)
				if g.header.Get("Content-Encoding") != "" {
					t.Errorf("the app is told %v", g.header)
				}
				w.anthropic.FailNamed("credit-balance")
				g = w.call(t.Context(), app.op, app.body("say hello world"))
				answered(t, g, "openai", "true", app.end)
			})
		})
	}
}

func TestACodingThatWeDoNotKnowIsTheNextEntrys(t *testing.T) {
	for _, encoding := range []string{"br", "gzip"} {
		for _, app := range apps {
			t.Run(encoding+" "+app.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, threeEntries())
					defer w.close()
					w.anthropic.Fail(simulator.Fault{
						Effect: simulator.Respond, Status: 200, Body: "\x8b\x03\x80 not what it says",
						Header: map[string]string{"Content-Encoding": encoding, "Content-Type": "text/event-stream"},
					})
					g := w.call(t.Context(), app.op, app.body("hello"))
					answered(t, g, "openai", "true", app.end)
					if first, _, _ := strings.Cut(w.seen.classes(), ","); first != "anthropic UnexpectedContent" {
						t.Errorf("the verdict is %q", first)
					}
				})
			})
		}
	}
}

// TestALongAnswerIsCommittedUnreadButNotUnseen uses answers beyond what is
// held before the commit.
func TestALongAnswerIsCommittedUnreadButNotUnseen(t *testing.T) {
	vectors := `{"object":"list","data":[` + strings.Repeat(`{"embedding":[0.25]},`, 1<<20) + `{}]}`
	for _, tt := range []struct{ start, want string }{
		{"", "anthropic"}, {`{"error":{"message":"no"},`, "openai"}, {"<html>", "openai"},
	} {
		synctest.Test(t, func(t *testing.T) {
			chain := threeEntries()
			chain.Providers[0].Type, chain.Providers[0].BaseURL = failover.OpenAICompatible, "http://anthropic.test.svc/v1"
			chain.Providers = chain.Providers[:2]
			w := newWorld(t, chain)
			defer w.close()
			body := tt.start + vectors[min(len(tt.start), 1):]
			w.serve("anthropic", http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				rw.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(rw, body)
			}))
			g := w.call(t.Context(), failover.Embeddings, `{"model":"text-embedding-3-small","input":"hello"}`)
			if g.status != 200 || g.err != nil || g.provider() != tt.want {
				t.Fatalf("%q: got %d %v from %q", tt.start, g.status, g.err, g.provider())
			}
			if tt.want == "anthropic" && g.body != body {
				t.Errorf("of %d bytes %d arrived", len(body), len(g.body))
			}
		})
	}
}

// TestAStreamLetsGoOfItsPrompt holds that nothing keeps a request's body once
// its stream is committed: neither the walk, nor the transport, nor a
// translation.
func TestAStreamLetsGoOfItsPrompt(t *testing.T) {
	for _, app := range []int{1, 3} {
		for entry := range 2 {
			t.Run(fmt.Sprint(apps[app].name, " at entry ", entry), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					chain := threeEntries()
					chain.Providers = chain.Providers[entry : entry+1]
					w := newWorldOf(t, chain, 0)
					defer w.close()
					w.serve("openai", streaming(time.Second, time.Hour, chunk+"\n\n", stop+"\n\n"))
					w.serve("anthropic", streaming(time.Second, time.Hour,
						"event: message_start\ndata: "+`{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","content":[],"model":"m"}}`+"\n\n"+
							"event: content_block_start\ndata: "+`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`+"\n\n"+
							"event: content_block_delta\ndata: "+`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hello"}}`+"\n\n"))
					before := heap()
					answer, prompt := begin(t, w, app)
					defer answer.Close()
					synctest.Wait()
					// A copy, with another model or translated, counts as well.
					if more := heap() - before; more > 2<<20 || prompt.Value() != nil {
						t.Errorf("the open stream holds %d KiB; its prompt: %t", more>>10, prompt.Value() != nil)
					}
				})
			})
		}
	}
}

// begin starts a stream of a prompt of 8 MiB, which nobody else holds.
func begin(t *testing.T, w *world, app int) (*failover.Answer, weak.Pointer[byte]) {
	body := []byte(apps[app].body(strings.Repeat("word ", 8<<20/5)))
	prompt := weak.Make(&body[0])
	a := w.engine.Serve(t.Context(), &failover.Request{
		Operation: apps[app].op, Header: http.Header{}, Body: failover.NewReplay(body), Received: time.Now(),
	})
	if a.Status != 200 {
		t.Fatalf("got %d", a.Status)
	}
	if piece, err := a.Next(); err != nil || !bytes.Contains(piece, []byte("hello")) {
		t.Fatalf("the first piece is %q, %v", piece, err)
	}
	return a, prompt
}

// heap is what is in use after a collection.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
