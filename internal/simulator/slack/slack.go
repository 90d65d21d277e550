// Package slack is a stand-in for Slack on loopback: one incoming webhook, and the Web API methods chat.postMessage,
// chat.update and auth.test. It remembers the messages and fails on command.
//
// A request is checked for an active [Fault] first, then for its credential, its channel and its text, as Slack does;
// what passes becomes, or changes, a [Message].
package slack

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// DefaultWebhook is the path of the incoming webhook.
const DefaultWebhook = "/services/T0SIM/B0SIM/simulated"

// Webhook is the name of the incoming webhook among the methods.
const Webhook = "webhook"

// Options configure a [Workspace]. The zero value is usable.
type Options struct {
	// Token that the Web API takes. Empty: any non-empty token.
	Token string
	// Channels that exist. Empty: every non-empty name.
	Channels []string
	// Webhook is the path of the incoming webhook. Default [DefaultWebhook].
	Webhook string
}

// Message is what a channel shows.
type Message struct {
	// Method is [Webhook] or the name of the Web API method that posted it.
	Method string
	// Channel as it was named; empty from a webhook.
	Channel string
	// TS is the message's id and ThreadTS its thread's, if any.
	TS, ThreadTS string
	// Text is the text as it is now, and Edits are the texts that it had before, oldest first.
	Text  string
	Edits []string
	// Blocks and Attachments as they came, or nil.
	Blocks, Attachments json.RawMessage
	// Time of the post.
	Time time.Time
}

// Fault makes requests fail. The zero value of Method and Times means all.
type Fault struct {
	// Method limits it to [Webhook] or a Web API method.
	Method string `json:"method,omitempty"`
	// Times ends it after so many requests.
	Times int `json:"times,omitempty"`
	// Hang sends no answer until the client leaves.
	Hang bool `json:"hang,omitempty"`
	// Status is the HTTP status. Default 200 for the Web API, whose errors are in the JSON, and 500 for the webhook.
	Status int `json:"status,omitempty"`
	// Error is the error's name, such as invalid_auth; 429 has ratelimited by itself.
	Error string `json:"error,omitempty"`
	// RetryAfter is the value of Retry-After. Default 30 with a 429.
	RetryAfter string `json:"retry_after,omitempty"`
}

// Workspace is a simulated Slack workspace. Its methods are safe for concurrent use.
type Workspace struct {
	opts   Options
	ctx    context.Context
	cancel context.CancelFunc

	mu       sync.Mutex
	serial   int
	calls    map[string]int
	messages []Message
	faults   []*Fault
	changed  []chan struct{}
}

// New returns an empty workspace.
func New(opts Options) *Workspace {
	if opts.Webhook == "" {
		opts.Webhook = DefaultWebhook
	}
	w := &Workspace{opts: opts, calls: map[string]int{}}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	return w
}

// Close ends requests that hang.
func (s *Workspace) Close() { s.cancel() }

// Fail adds a fault; the first that matches a request acts.
func (s *Workspace) Fail(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// Heal removes all faults.
func (s *Workspace) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// Messages returns the messages, oldest first.
func (s *Workspace) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.snapshot()
}

// snapshot copies the messages. The lock is held.
func (s *Workspace) snapshot() []Message {
	out := slices.Clone(s.messages)
	for i := range out {
		out[i].Edits = slices.Clone(out[i].Edits)
	}
	return out
}

// Calls returns how many requests a method has had, the failed ones included.
func (s *Workspace) Calls(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[method]
}

// Await returns once ok says yes to the messages, or with the context's error.
func (s *Workspace) Await(ctx context.Context, ok func([]Message) bool) error {
	for {
		s.mu.Lock()
		messages := s.snapshot()
		changed := make(chan struct{})
		s.changed = append(s.changed, changed)
		s.mu.Unlock()
		if ok(messages) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("awaiting messages: %w", context.Cause(ctx))
		}
	}
}

// notify wakes those in Await. The lock is held.
func (s *Workspace) notify() {
	for _, c := range s.changed {
		close(c)
	}
	s.changed = nil
}

// Handler serves the webhook, the Web API under /api/ and the admin paths under /-/.
func (s *Workspace) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/chat.postMessage", s.method("chat.postMessage", s.post))
	mux.HandleFunc("POST /api/chat.update", s.method("chat.update", s.update))
	mux.HandleFunc("POST /api/auth.test", s.method("auth.test", s.authTest))
	mux.HandleFunc("POST /api/{method}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, 200, map[string]any{"ok": false, "error": "unknown_method", "req_method": r.PathValue("method")})
	})
	mux.HandleFunc("POST "+s.opts.Webhook, s.webhook)
	mux.HandleFunc("POST /services/", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no_service", http.StatusNotFound)
	})
	s.admin(mux)
	return mux
}

// meet counts a request and plays the fault that it meets. It reports whether the request is answered by that.
func (s *Workspace) meet(w http.ResponseWriter, r *http.Request, method string) bool {
	s.mu.Lock()
	s.calls[method]++
	var met *Fault
	for i, f := range s.faults {
		if f.Method != "" && f.Method != method {
			continue
		}
		met = new(*f)
		if f.Times == 1 {
			s.faults = slices.Delete(s.faults, i, i+1)
		} else if f.Times > 1 {
			f.Times--
		}
		break
	}
	s.notify()
	s.mu.Unlock()
	if met == nil {
		return false
	}
	if met.Hang {
		select {
		case <-r.Context().Done():
		case <-s.ctx.Done():
		}
		panic(http.ErrAbortHandler)
	}
	met.play(w, method)
	return true
}

// play answers with the fault.
func (f *Fault) play(w http.ResponseWriter, method string) {
	status, name, retry := f.Status, f.Error, f.RetryAfter
	if status == 0 {
		status = http.StatusOK
		if method == Webhook {
			status = http.StatusInternalServerError
		}
	}
	if status == http.StatusTooManyRequests {
		if name == "" {
			name = "ratelimited"
		}
		if retry == "" {
			retry = "30"
		}
	}
	if name == "" {
		name = "internal_error"
	}
	if retry != "" {
		w.Header().Set("Retry-After", retry)
	}
	if method == Webhook {
		http.Error(w, name, status)
		return
	}
	answer(w, status, map[string]any{"ok": false, "error": name})
}

// answer sends JSON.
func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // A client that left needs no answer.
}

// arguments reads a request's arguments, from a form or from JSON, where nested values stay JSON.
func arguments(r *http.Request) (url.Values, error) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if media != "application/json" {
		return url.ParseQuery(string(raw))
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, err
	}
	out := url.Values{}
	for name, value := range members {
		var text string
		if json.Unmarshal(value, &text) != nil {
			text = string(value)
		}
		out.Set(name, text)
	}
	return out, nil
}

// nested returns an argument that is JSON, or nil.
func nested(args url.Values, name string) json.RawMessage {
	if text := strings.TrimSpace(args.Get(name)); text != "" && json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	return nil
}
