package slack

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// method wraps a Web API method with faults and the check of the token. The method returns its answer, or the name of
// an error.
func (s *Workspace) method(name string, do func(url.Values) (map[string]any, string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		args, err := arguments(r)
		if s.meet(w, r, name) {
			return
		}
		failed := func(code string) { answer(w, 200, map[string]any{"ok": false, "error": code}) }
		if err != nil {
			failed("invalid_form_data")
			return
		}
		token := args.Get("token")
		if scheme, t, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "Bearer") {
			token = t
		}
		switch {
		case token == "":
			failed("not_authed")
			return
		case s.opts.Token != "" && token != s.opts.Token:
			failed("invalid_auth")
			return
		}
		s.mu.Lock()
		out, code := do(args)
		s.notify()
		s.mu.Unlock()
		if code != "" {
			failed(code)
			return
		}
		out["ok"] = true
		answer(w, 200, out)
	}
}

// authTest says whose token it is.
func (s *Workspace) authTest(url.Values) (map[string]any, string) {
	return map[string]any{
		"url": "https://simulated.slack.com/", "team": "simulated", "team_id": "T0SIM", "user": "understudy",
		"user_id": "U0SIM", "bot_id": "B0SIM",
	}, ""
}

// check returns the error of a message's arguments, or "".
func (s *Workspace) check(args url.Values) string {
	channel := args.Get("channel")
	switch {
	case channel == "" || len(s.opts.Channels) > 0 && !slices.Contains(s.opts.Channels, channel):
		return "channel_not_found"
	case args.Get("text") == "" && nested(args, "blocks") == nil && nested(args, "attachments") == nil:
		return "no_text"
	case len([]rune(args.Get("text"))) > 40000:
		return "msg_too_long"
	}
	return ""
}

// post is chat.postMessage. The lock is held.
func (s *Workspace) post(args url.Values) (map[string]any, string) {
	if code := s.check(args); code != "" {
		return nil, code
	}
	thread := args.Get("thread_ts")
	if thread != "" && s.find(args.Get("channel"), thread) == nil {
		return nil, "thread_not_found"
	}
	m := s.add("chat.postMessage", args)
	return map[string]any{
		"channel": channelID(m.Channel), "ts": m.TS,
		"message": map[string]any{"type": "message", "text": m.Text, "ts": m.TS, "bot_id": "B0SIM", "user": "U0SIM"},
	}, ""
}

// update is chat.update. The lock is held.
func (s *Workspace) update(args url.Values) (map[string]any, string) {
	m := s.find(args.Get("channel"), args.Get("ts"))
	switch {
	case args.Get("channel") != channelID(args.Get("channel")):
		return nil, "channel_not_found" // a name is taken by chat.postMessage alone
	case m == nil:
		return nil, "message_not_found"
	}
	args.Set("channel", m.Channel)
	if code := s.check(args); code != "" {
		return nil, code
	}
	m.Edits = append(m.Edits, m.Text)
	m.Text = args.Get("text")
	m.Blocks, m.Attachments = nested(args, "blocks"), nested(args, "attachments")
	return map[string]any{"channel": channelID(m.Channel), "ts": m.TS, "text": m.Text}, ""
}

// channelID is what the Web API calls a channel that was named.
func channelID(name string) string {
	if name == "" || name[0] == 'C' {
		return name
	}
	h := fnv.New32a()
	h.Write([]byte(strings.TrimPrefix(name, "#")))
	return fmt.Sprintf("C%08X", h.Sum32())
}

// add remembers a message. The lock is held.
func (s *Workspace) add(method string, args url.Values) *Message {
	s.serial++
	now := time.Now()
	s.messages = append(s.messages, Message{
		Method: method, Channel: args.Get("channel"), TS: fmt.Sprintf("%d.%06d", now.Unix(), s.serial),
		ThreadTS: args.Get("thread_ts"), Text: args.Get("text"), Blocks: nested(args, "blocks"),
		Attachments: nested(args, "attachments"), Time: now,
	})
	return &s.messages[len(s.messages)-1]
}

// find returns a message by its id. The lock is held.
func (s *Workspace) find(channel, ts string) *Message {
	for i := range s.messages {
		if m := &s.messages[i]; m.TS == ts && channelID(m.Channel) == channelID(channel) {
			return m
		}
	}
	return nil
}

// webhook takes a message as JSON, or as JSON in a form's payload, and answers with one word.
func (s *Workspace) webhook(w http.ResponseWriter, r *http.Request) {
	args, err := arguments(r)
	if s.meet(w, r, Webhook) {
		return
	}
	if payload := args.Get("payload"); err == nil && payload != "" {
		var members map[string]json.RawMessage
		err = json.Unmarshal([]byte(payload), &members)
		args = url.Values{}
		for name, value := range members {
			var text string
			if json.Unmarshal(value, &text) != nil {
				text = string(value)
			}
			args.Set(name, text)
		}
	}
	switch {
	case err != nil:
		http.Error(w, "invalid_payload", http.StatusBadRequest)
		return
	case args.Get("text") == "" && nested(args, "blocks") == nil && nested(args, "attachments") == nil:
		http.Error(w, "no_text", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	args.Del("channel") // A webhook is bound to its channel.
	s.add(Webhook, args)
	s.notify()
	s.mu.Unlock()
	w.Header().Set("Content-Type", "text/html")
	_, _ = w.Write([]byte("ok"))
}

// admin adds the paths that set faults and show the messages.
func (s *Workspace) admin(mux *http.ServeMux) {
	mux.HandleFunc("POST /-/faults", func(w http.ResponseWriter, r *http.Request) {
		var f Fault
		dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&f); err != nil {
			http.Error(w, fmt.Sprintf("the body is not a fault: %v", err), http.StatusBadRequest)
			return
		}
		if f.Status != 0 && (f.Status < 200 || f.Status > 599) {
			http.Error(w, fmt.Sprintf("status %d: use 200 to 599", f.Status), http.StatusBadRequest)
			return
		}
		s.Fail(f)
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("DELETE /-/faults", func(w http.ResponseWriter, _ *http.Request) {
		s.Heal()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /-/messages", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, 200, map[string]any{"messages": s.Messages()})
	})
}
