package simulator

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// harness is a simulator behind a memory listener, with a client, inside a synctest bubble.
type harness struct {
	sim    *Simulator
	client *http.Client
}

// inBubble runs a test in a bubble with a harness.
func inBubble(t *testing.T, opts Options, test func(t *testing.T, h harness)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := NewMemoryListener()
		sim, err := New(opts)
		if err != nil {
			t.Fatal(err)
		}
		server, err := NewServer(sim.Handler(), ServerOptions{Listener: l})
		if err != nil {
			t.Fatal(err)
		}
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		transport := &http.Transport{DialContext: l.Dial}
		test(t, harness{sim, &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		}}})
		transport.CloseIdleConnections()
		server.Stop()
		sim.Close()
	})
}

// outcome is what a client saw.
type outcome struct {
	status  int
	body    string
	err     error         // Of the headers or the body.
	headers time.Duration // When the headers had come.
	end     time.Duration // When the answer was over.
}

// do sends a request, whole or until patience ends.
func (h harness) do(path, body string, patience time.Duration) outcome {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r := request("POST", path, body).WithContext(ctx)
	r.RequestURI = ""
	r.URL.Scheme, r.URL.Host = "http", "simulator.test"
	begin := time.Now()
	res, err := h.client.Do(r)
	if err != nil {
		return outcome{err: err, end: time.Since(begin)}
	}
	defer func() { _ = res.Body.Close() }()
	o := outcome{status: res.StatusCode, headers: time.Since(begin)}
	b, err := io.ReadAll(res.Body)
	o.body, o.err, o.end = string(b), err, time.Since(begin)
	return o
}

const (
	longChat    = `{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"say one two three four five"}]}`
	longMessage = `{"model":"claude-haiku-4-5","max_tokens":99,"stream":true,"messages":[{"role":"user","content":"say one two three four five"}]}`
	longInput   = `{"model":"gpt-4o","stream":true,"input":"say one two three four five"}`
)

func TestFaultsInAStreamShowWhatTheyPromise(t *testing.T) {
	const minute = time.Minute
	tests := []struct {
		name      string
		fault     Fault
		wantErr   error // nil: the body ended well.
		words     string
		terminal  bool
		headers   time.Duration
		end       time.Duration
		cancelled bool
	}{
		{"healthy", Fault{Effect: Drip}, nil, "one two three four five", true, 0, 0, false},
		{"hang", Fault{Effect: Hang}, context.DeadlineExceeded, "", false, 0, minute, true},
		{"slow headers", Fault{Effect: Hang, Delay: 7 * time.Second}, nil, "one two three four five", true, 7 * time.Second, 7 * time.Second, false},
		{"hang after headers", Fault{Effect: HangAfterHeaders}, context.DeadlineExceeded, "", false, 0, minute, true},
		{"keep-alives", Fault{Effect: KeepAlives}, context.DeadlineExceeded, "", false, 0, minute, true},
		{"keep-alives for a while", Fault{Effect: KeepAlives, Delay: 9 * time.Second}, nil, "one two three four five", true, 0, 9 * time.Second, false},
		{"slow first token", Fault{Effect: SlowFirstToken, Delay: 30 * time.Second}, nil, "one two three four five", true, 0, 30 * time.Second, false},
		{"drip", Fault{Effect: Drip, Delay: 2 * time.Second}, nil, "one two three four five", true, 0, 10 * time.Second, false},
		{"stall", Fault{Effect: Stall, After: 2, Delay: 20 * time.Second}, nil, "one two three four five", true, 0, 20 * time.Second, false},
		{"endless stall", Fault{Effect: Stall, After: 2}, context.DeadlineExceeded, "one two", false, 0, minute, true},
		{"reset", Fault{Effect: Reset}, syscall.ECONNRESET, "", false, 0, 0, false},
		{"reset after headers", Fault{Effect: ResetAfterHeaders}, syscall.ECONNRESET, "", false, 0, 0, false},
		{"reset mid-stream", Fault{Effect: ResetMidStream, After: 3}, syscall.ECONNRESET, "one two three", false, 0, 0, false},
		{"close", Fault{Effect: Close}, io.EOF, "", false, 0, 0, false},
		{"cut", Fault{Effect: Cut, After: 3}, nil, "one two three", false, 0, 0, false},
		{"cut of a shorter answer", Fault{Effect: Cut, After: 99}, nil, "one two three four five", false, 0, 0, false},
		{"error event", Fault{Effect: ErrorEvent, After: 1}, nil, "one", false, 0, 0, false},
		{"no terminal", Fault{Effect: NoTerminal}, nil, "one two three four five", false, 0, 0, false},
		{"hold open", Fault{Effect: HoldOpen}, context.DeadlineExceeded, "one two three four five", true, 0, minute, false},
		{"short body", Fault{Effect: ShortBody}, io.ErrUnexpectedEOF, "one two three four five", true, 0, 0, false},
		{"malformed", Fault{Effect: Malformed, After: 1}, nil, "one two three four five", true, 0, 0, false},
		{"oddities", Fault{Effect: Oddities, After: 1}, nil, "one two three four five", true, 0, 0, false},
		{"empty answer", Fault{Effect: EmptyAnswer}, nil, "", true, 0, 0, false},
	}
	dialects := []struct{ name, provider, path, body, word, terminal string }{
		{"chat", "openai", "/v1/chat/completions", longChat, `"delta":{"content":"`, "data: [DONE]\n\n"},
		{"messages", "anthropic", "/v1/messages", longMessage, `"text_delta","text":"`, "event: message_stop\n"},
		{"responses", "openai", "/v1/responses", longInput, `"delta":"`, "event: response.completed\n"},
	}
	for _, d := range dialects {
		for _, tt := range tests {
			t.Run(d.name+": "+tt.name, func(t *testing.T) {
				inBubble(t, Options{}, func(t *testing.T, h harness) {
					p := h.sim.Provider(d.provider)
					p.Fail(tt.fault)
					got := h.do(d.path, d.body, minute)
					if tt.wantErr == nil && got.err != nil || !errors.Is(got.err, tt.wantErr) {
						t.Errorf("error %v, want %v", got.err, tt.wantErr)
					}
					if words := spoken(got.body, d.word); words != tt.words {
						t.Errorf("words %q, want %q in\n%s", words, tt.words, got.body)
					}
					if has := strings.Contains(got.body, d.terminal); has != tt.terminal {
						t.Errorf("terminal event %t, want %t in\n%s", has, tt.terminal, got.body)
					}
					if got.status != 0 && got.headers != tt.headers || got.end != tt.end {
						t.Errorf("headers after %v and end after %v, want %v and %v", got.headers, got.end, tt.headers, tt.end)
					}
					synctest.Wait()
					record := p.Requests()[0]
					if !record.Done || record.Cancelled != tt.cancelled || record.Fault != string(tt.fault.Effect) {
						t.Errorf("record %+v, want cancelled %t", record, tt.cancelled)
					}
				})
			})
		}
	}
}

// spoken joins the words of a stream's content events.
func spoken(stream, marker string) string {
	var words strings.Builder
	for line := range strings.SplitSeq(stream, "\n") {
		if _, rest, ok := strings.Cut(line, marker); ok && strings.HasSuffix(line, "}") {
			word, _, _ := strings.Cut(rest, `"`)
			words.WriteString(word)
		}
	}
	return words.String()
}

func TestFaultsOfAUnaryAnswerShowWhatTheyPromise(t *testing.T) {
	tests := []struct {
		name    string
		fault   Fault
		wantErr error
		status  int
		end     time.Duration
		whole   bool
	}{
		{"slow", Fault{Effect: SlowFirstToken, Delay: time.Second}, nil, 200, time.Second, true},
		{"blank lines first", Fault{Effect: KeepAlives, Delay: 3 * time.Second}, nil, 200, 3 * time.Second, true},
		{"stall", Fault{Effect: Stall, Delay: 3 * time.Second}, nil, 200, 3 * time.Second, true},
		{"reset in the middle", Fault{Effect: ResetMidStream}, syscall.ECONNRESET, 200, 0, false},
		{"cut", Fault{Effect: Cut}, nil, 200, 0, false},
		{"short body", Fault{Effect: ShortBody}, io.ErrUnexpectedEOF, 200, 0, true},
		{"a stream's effect", Fault{Effect: ErrorEvent}, nil, 200, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, Options{}, func(t *testing.T, h harness) {
				h.sim.Provider("anthropic").Fail(tt.fault)
				got := h.do("/v1/messages", messageHello, time.Minute)
				if got.status != tt.status || got.end != tt.end || tt.wantErr == nil && got.err != nil || !errors.Is(got.err, tt.wantErr) {
					t.Errorf("got %+v, want status %d, error %v after %v", got, tt.status, tt.wantErr, tt.end)
				}
				if whole := strings.HasSuffix(got.body, `"service_tier":"standard"}}`); whole != tt.whole {
					t.Errorf("body %q, want whole: %t", got.body, tt.whole)
				}
			})
		})
	}
}

func TestAFaultMeetsOnlyTheRequestsInItsScope(t *testing.T) {
	type sent struct{ model, key, kind string }
	all := []sent{{"gpt-4o", "a", "unary"}, {"gpt-4o", "b", "stream"}, {"gpt-5", "a", "stream"}, {"gpt-5", "b", "unary"}}
	tests := []struct {
		name  string
		fault Fault
		want  [4]int
	}{
		{"every request", Fault{}, [4]int{503, 503, 503, 503}},
		{"one model", Fault{Model: "gpt-5"}, [4]int{200, 200, 503, 503}},
		{"one key", Fault{Key: "key-2"}, [4]int{200, 503, 200, 503}},
		{"streams", Fault{Only: OnlyStreams}, [4]int{200, 503, 503, 200}},
		{"unary", Fault{Only: OnlyUnary}, [4]int{503, 200, 200, 503}},
		{"the first two", Fault{Times: 2}, [4]int{503, 503, 200, 200}},
		{"after the first", Fault{Skip: 1, Times: 2}, [4]int{200, 503, 503, 200}},
		{"every second", Fault{Every: 2}, [4]int{200, 503, 200, 503}},
		{"another path", Fault{Path: "/embeddings"}, [4]int{200, 200, 200, 200}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sim := newSimulator(t, Options{Providers: []ProviderConfig{{Name: "p", Kind: OpenAI, Keys: []string{"a", "b"}}}})
			tt.fault.Effect, tt.fault.Status = Respond, 503
			sim.Provider("p").Fail(tt.fault)
			for i, a := range all {
				body := strings.Replace(chatHello, "gpt-4o", a.model, 1)
				if a.kind == "stream" {
					body = strings.Replace(body, "{", `{"stream":true,`, 1)
				}
				r := request("POST", "/v1/chat/completions", body)
				r.Header.Set("Authorization", "Bearer "+a.key)
				if res, _ := ask(t, sim.Handler(), r); res.StatusCode != tt.want[i] {
					t.Errorf("request %d has status %d, want %d", i, res.StatusCode, tt.want[i])
				}
			}
		})
	}
}

func TestAFaultEndsWithItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := newSimulator(t, Options{})
		sim.Provider("openai").Fail(Fault{Effect: Respond, Status: 500, For: time.Minute})
		for _, step := range []struct {
			wait time.Duration
			want int
		}{{0, 500}, {59 * time.Second, 500}, {time.Second, 200}} {
			time.Sleep(step.wait)
			if res, _ := ask(t, sim.Handler(), request("POST", "/v1/chat/completions", chatHello)); res.StatusCode != step.want {
				t.Errorf("status %d, want %d", res.StatusCode, step.want)
			}
		}
		if left := sim.Provider("openai").Faults(); len(left) != 0 {
			t.Errorf("still active: %+v", left)
		}
	})
}

func TestAClosedSimulatorCutsWhatHangsAndBlamesNoClient(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, h harness) {
		p := h.sim.Provider("openai")
		p.Fail(Fault{Effect: Hang})
		got := make(chan outcome, 1)
		go func() { got <- h.do("/v1/chat/completions", chatHello, time.Hour) }()
		synctest.Wait()
		h.sim.Close()
		if o := <-got; !errors.Is(o.err, io.EOF) || o.end != 0 {
			t.Errorf("got %+v, want an end of the connection at once", o)
		}
		synctest.Wait()
		if r := p.Requests()[0]; r.Cancelled || !r.Done {
			t.Errorf("record %+v, want done and not cancelled", r)
		}
	})
}
