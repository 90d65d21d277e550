package slack

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// send posts a body and returns the status and the answer.
func send(t *testing.T, s *Workspace, path, contentType, body string) (int, string) {
	t.Helper()
	r := httptest.NewRequest("POST", path, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w.Code, strings.TrimSpace(w.Body.String())
}

const (
	form = "application/x-www-form-urlencoded"
	asJS = "application/json"
)

func TestTheWebhookTakesTextAndRefusesTheRest(t *testing.T) {
	s := New(Options{})
	tests := []struct {
		name, path, body string
		status           int
		want             string
	}{
		{"text", DefaultWebhook, `{"text":"héllo"}`, 200, "ok"},
		{"blocks alone", DefaultWebhook, `{"blocks":[{"type":"divider"}]}`, 200, "ok"},
		{"nothing", DefaultWebhook, `{}`, 400, "no_text"},
		{"not JSON", DefaultWebhook, `{`, 400, "invalid_payload"},
		{"another webhook", "/services/T1/B1/x", `{"text":"x"}`, 404, "no_service"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if status, got := send(t, s, tt.path, asJS, tt.body); status != tt.status || got != tt.want {
				t.Errorf("got %d %q, want %d %q", status, got, tt.status, tt.want)
			}
		})
	}
	if m := s.Messages(); len(m) != 2 || m[0].Text != "héllo" {
		t.Errorf("messages %+v", m)
	}
}

func TestAPostedMessageCanBeEditedAndThreaded(t *testing.T) {
	s := New(Options{Token: "xoxb-1", Channels: []string{"C1"}})
	status, got := send(t, s, "/api/chat.postMessage", form, "token=xoxb-1&channel=C1&text=one")
	if status != 200 || !strings.Contains(got, `"ok":true`) {
		t.Fatalf("got %d %s", status, got)
	}
	ts := s.Messages()[0].TS
	if _, got := send(t, s, "/api/chat.update", form, "token=xoxb-1&channel=C1&text=two&ts="+ts); !strings.Contains(got, `"ok":true`) {
		t.Fatalf("update: %s", got)
	}
	if _, got := send(t, s, "/api/chat.postMessage", asJS, `{"token":"xoxb-1","channel":"C1","text":"reply","thread_ts":"`+ts+`"}`); !strings.Contains(got, `"ok":true`) {
		t.Fatalf("reply: %s", got)
	}
	m := s.Messages()
	if len(m) != 2 || m[0].Text != "two" || len(m[0].Edits) != 1 || m[0].Edits[0] != "one" || m[1].ThreadTS != ts {
		t.Errorf("messages %+v", m)
	}
}

func TestAMessageIsEditedByItsChannelsID(t *testing.T) {
	s := New(Options{Token: "xoxb-1", Channels: []string{"#ops"}})
	_, got := send(t, s, "/api/chat.postMessage", asJS, `{"token":"xoxb-1","channel":"#ops","text":"one"}`)
	var posted struct{ Channel, TS string }
	if err := json.Unmarshal([]byte(got), &posted); err != nil || !strings.HasPrefix(posted.Channel, "C") {
		t.Fatalf("post: %s", got)
	}
	edit := func(channel string) string {
		_, got := send(t, s, "/api/chat.update", form, "token=xoxb-1&text=two&ts="+posted.TS+"&channel="+channel)
		return got
	}
	if got := edit("%23ops"); !strings.Contains(got, "channel_not_found") {
		t.Errorf("by its name: %s", got)
	}
	if got := edit(posted.Channel); !strings.Contains(got, `"ok":true`) || s.Messages()[0].Text != "two" {
		t.Errorf("by its id: %s", got)
	}
}

func TestTheWebAPINamesItsErrors(t *testing.T) {
	s := New(Options{Token: "xoxb-1", Channels: []string{"C1"}})
	tests := []struct{ path, body, want string }{
		{"/api/chat.postMessage", "channel=C1&text=x", "not_authed"},
		{"/api/chat.postMessage", "token=bad&channel=C1&text=x", "invalid_auth"},
		{"/api/chat.postMessage", "token=xoxb-1&channel=C9&text=x", "channel_not_found"},
		{"/api/chat.postMessage", "token=xoxb-1&channel=C1", "no_text"},
		{"/api/chat.postMessage", "token=xoxb-1&channel=C1&text=x&thread_ts=1.0", "thread_not_found"},
		{"/api/chat.update", "token=xoxb-1&channel=C1&text=x&ts=1.0", "message_not_found"},
		{"/api/chat.delete", "token=xoxb-1", "unknown_method"},
	}
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			if status, got := send(t, s, tt.path, form, tt.body); status != 200 || !strings.Contains(got, `"error":"`+tt.want+`"`) {
				t.Errorf("got %d %s", status, got)
			}
		})
	}
}

func TestAFaultEndsAfterItsTimes(t *testing.T) {
	s := New(Options{})
	s.Fail(Fault{Method: Webhook, Status: 429, Times: 2})
	var got []int
	for range 3 {
		status, _ := send(t, s, DefaultWebhook, asJS, `{"text":"x"}`)
		got = append(got, status)
	}
	if got[0] != 429 || got[1] != 429 || got[2] != 200 {
		t.Errorf("statuses %v, want 429 429 200", got)
	}
	if n := s.Calls(Webhook); n != 3 {
		t.Errorf("%d calls, want 3", n)
	}
	s.Fail(Fault{Error: "invalid_auth"})
	if _, got := send(t, s, "/api/auth.test", form, "token=x"); !strings.Contains(got, "invalid_auth") {
		t.Errorf("got %s", got)
	}
	s.Heal()
	if _, got := send(t, s, "/api/auth.test", form, "token=x"); !strings.Contains(got, `"ok":true`) {
		t.Errorf("after healing: %s", got)
	}
}

func TestAHangEndsWhenTheWorkspaceCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		s.Fail(Fault{Hang: true})
		ended := false
		go func() {
			defer func() { ended = recover() == http.ErrAbortHandler }()
			r := httptest.NewRequest("POST", DefaultWebhook, io.NopCloser(strings.NewReader(`{"text":"x"}`)))
			s.Handler().ServeHTTP(httptest.NewRecorder(), r)
		}()
		synctest.Wait()
		if ended {
			t.Fatal("the request did not hang")
		}
		s.Close()
		synctest.Wait()
		if !ended {
			t.Error("the request still hangs")
		}
	})
}
