package notify

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/understudy-dev/understudy/internal/failover"
	"github.com/understudy-dev/understudy/internal/simulator/slack"
)

const (
	webhookURL = "http://slack.test" + slack.DefaultWebhook
	botToken   = "xoxb-canary"
)

// desk is a sender in front of a simulated workspace.
type desk struct {
	workspace *slack.Workspace
	opts      Options
	sender    *sender
	log       *bytes.Buffer
	rotated   string // what the Secret holds now
	mu        sync.Mutex
}

func newDesk() *desk {
	d := &desk{workspace: slack.New(slack.Options{Token: botToken, Channels: []string{"#llm-ops"}}), log: &bytes.Buffer{}}
	transport := roundTripper(func(r *http.Request) (_ *http.Response, err error) {
		defer func() {
			if recover() != nil { // the server hung up
				err = io.EOF
			}
		}()
		rec := httptest.NewRecorder()
		d.workspace.Handler().ServeHTTP(rec, r)
		return rec.Result(), nil
	})
	d.opts = Options{
		Client: &http.Client{Transport: transport, Timeout: 10 * time.Second}, SlackAPI: "http://slack.test/api/", Log: slog.New(slog.NewTextHandler(d.log, nil)), Sent: func(string, string) {},
		Secret: func(r failover.SecretRef) (string, error) {
			secret := map[string]string{"url": webhookURL, "token": botToken, "old": "xoxb-revoked", "odd": "xoxb:canary", "path": "https://hooks.test:canary/%zz"}[r.Key]
			d.mu.Lock()
			defer d.mu.Unlock()
			if d.rotated != "" {
				return d.rotated, nil
			}
			if secret == "" {
				return "", errors.New("the Secret has no such key")
			}
			return secret, nil
		},
	}
	d.sender = newSender(d.opts, &lane{})
	return d
}

// deliver has the sender deliver one note.
func (d *desk) deliver(t *testing.T, n note, key string) string {
	return d.sender.deliver(t.Context(), t.Context(), delivery{note: n, chain: "shop", to: to(key)})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func to(key string) address {
	if key == "token" || key == "old" {
		return address{token: failover.SecretRef{Secret: "slack", Key: key}, channel: "#llm-ops"}
	}
	return address{webhook: failover.SecretRef{Secret: "slack", Key: key}}
}

func TestDelivery(t *testing.T) {
	for _, c := range []struct {
		name   string
		key    string
		fault  slack.Fault
		edit   bool
		result string
		posted int
	}{
		{"a webhook", "url", slack.Fault{}, false, "sent", 1},
		{"a bot token", "token", slack.Fault{}, false, "sent", 1},
		{"a webhook cannot edit", "url", slack.Fault{}, true, "suppressed", 0},
		{"Slack's limit of rate", "token", slack.Fault{Status: 429, RetryAfter: "30", Times: 2}, false, "sent", 1},
		{"Slack's limit of rate on a webhook", "url", slack.Fault{Status: 429, RetryAfter: "30", Times: 2}, false, "sent", 1},
		{"Slack's outage", "url", slack.Fault{Status: 503, Times: 3}, false, "sent", 1},
		{"Slack's endless outage", "url", slack.Fault{Status: 503}, false, "failed", 0},
		{"a revoked token", "old", slack.Fault{}, false, "failed", 0},
		{"an edit of nothing", "token", slack.Fault{}, true, "suppressed", 0},
		{"Slack's own error", "token", slack.Fault{Error: "internal_error", Times: 2}, false, "sent", 1},
		{"a limit of rate with a date", "url", slack.Fault{Status: 429, RetryAfter: "Fri, 31 Dec 1999 23:59:59 GMT", Times: 2}, false, "sent", 1},
		{"a limit of rate for a year", "url", slack.Fault{Status: 429, RetryAfter: "31536000", Times: 1}, false, "sent", 1},
		{"a hang", "url", slack.Fault{Hang: true, Times: 2}, false, "sent", 1},
		{"half an hour's outage", "url", slack.Fault{Status: 503, Times: 34}, false, "sent", 1},
		{"a webhook that is none", "odd", slack.Fault{}, false, "failed", 0},
		{"a webhook that cannot be read", "path", slack.Fault{}, false, "failed", 0},
		{"no such key in the Secret", "none", slack.Fault{}, false, "failed", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk()
				defer d.workspace.Close()
				if c.fault != (slack.Fault{}) {
					d.workspace.Fail(c.fault)
				}
				got := d.deliver(t, note{event: eventFailover, key: "k", edit: c.edit, text: "text"}, c.key)
				if got != c.result || len(d.workspace.Messages()) != c.posted {
					t.Errorf("the result is %q with %d messages, want %q with %d", got, len(d.workspace.Messages()), c.result, c.posted)
				}
				if c.result == "failed" && !strings.Contains(d.log.String(), "fix=") {
					t.Errorf("the log does not say what to do: %s", d.log)
				}
				for _, secret := range []string{slack.DefaultWebhook, botToken, "xoxb-revoked", "canary", "%zz"} {
					if strings.Contains(d.log.String(), secret) {
						t.Errorf("the log holds %q: %s", secret, d.log)
					}
				}
			})
		})
	}
}

func TestABotEditsItsMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk()
		defer d.workspace.Close()
		d.deliver(t, note{key: "k", text: "first"}, "token")
		d.deliver(t, note{key: "k", edit: true, text: "second"}, "token")
		if m := d.workspace.Messages(); len(m) != 1 || m[0].Text != "second" || len(m[0].Edits) != 1 {
			t.Errorf("the channel shows %+v", m)
		}
	})
}

func TestAChainIsHeldToItsHourlyLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk()
		defer d.workspace.Close()
		for range 50 {
			d.deliver(t, note{text: "x"}, "url")
		}
		if n := len(d.workspace.Messages()); n != hourlyLimit {
			t.Errorf("%d messages in an hour", n)
		}
		time.Sleep(time.Hour)
		if got := d.deliver(t, note{text: "x"}, "url"); got != "sent" {
			t.Errorf("an hour later the result is %q", got)
		}
	})
}

func TestARejectionIsToldOnceAndTrafficNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(Options{Snapshot: func() *failover.Snapshot { return nil }, Log: slog.New(slog.DiscardHandler)})
		for range 10_000 { // nobody reads
			n.ConfigRejected("shop", errors.New("spec.providers[0].baseURL: is wrong"))
			n.Attempted(failover.Attempt{Chain: "shop", Provider: "a", Class: failover.OK})
			n.Finished(failover.RequestReport{Chain: "shop", Outcome: failover.ExhaustedAll})
			n.Bypassed("shop", "a", failover.CircuitOpen)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- n.Run(ctx) }()
		time.Sleep(10 * time.Second)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
