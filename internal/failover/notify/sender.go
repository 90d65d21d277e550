package notify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/slack-go/slack"

	"github.com/understudy-dev/understudy/internal/failover"
)

// delivery is one note with its address.
type delivery struct {
	note
	chain  string
	slack  failover.SlackConfig
	missed int64 // notes before it that found no room
}

// Pace of delivery.
const (
	sendPause   = time.Second // Slack takes about one message a second
	hourlyLimit = 20          // messages of one chain in an hour
	firstRetry  = time.Second
	lastRetry   = time.Minute
	giveUpAfter = 10 * time.Minute
)

// sender delivers, one note after the other. It is used by one goroutine.
type sender struct {
	opts   Options
	posted map[string]place       // messages that can be edited
	recent map[string][]time.Time // by chain
}

// place is where a message is.
type place struct{ channel, ts string }

func newSender(o Options) *sender {
	return &sender{opts: o, posted: map[string]place{}, recent: map[string][]time.Time{}}
}

func (s *sender) run(ctx context.Context, outbox <-chan delivery) {
	for {
		select {
		case d := <-outbox:
			result := s.deliver(ctx, d)
			s.opts.Sent(d.event, result)
			if !pause(ctx, sendPause) {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// deliver sends a note, and tries again while that makes sense.
func (s *sender) deliver(ctx context.Context, d delivery) string {
	webhook := !d.slack.WebhookURL.IsZero()
	if d.edit && webhook {
		return "suppressed" // a webhook cannot edit; the next message says it
	}
	if !d.edit && !s.admit(d.chain, time.Now()) {
		return "suppressed"
	}
	if d.missed > 0 {
		d.text += fmt.Sprintf("\n…and %d more that could not be sent", d.missed)
	}
	wait := firstRetry
	for from := time.Now(); ; {
		err := s.send(ctx, d)
		if err == nil {
			return "sent"
		}
		retry, after := retryable(err)
		if !retry || time.Since(from) > giveUpAfter || ctx.Err() != nil {
			s.opts.Log.Error("Slack did not take a message", "event", d.event, "chain", d.chain, "error", safe(err), "fix", fix(err))
			return "failed"
		}
		if !pause(ctx, max(wait, after)) {
			return "dropped"
		}
		wait = min(2*wait, lastRetry)
	}
}

// admit keeps a chain within its hourly limit.
func (s *sender) admit(chain string, now time.Time) bool {
	var kept []time.Time
	for _, at := range s.recent[chain] {
		if now.Sub(at) < time.Hour {
			kept = append(kept, at)
		}
	}
	if len(kept) < hourlyLimit {
		s.recent[chain] = append(kept, now)
		return true
	}
	s.recent[chain] = kept
	return false
}

func (s *sender) send(ctx context.Context, d delivery) error {
	if !d.slack.WebhookURL.IsZero() {
		address, err := s.opts.Secret(d.slack.WebhookURL)
		if err != nil {
			return &secretError{err}
		}
		return slack.PostWebhookCustomHTTPContext(ctx, address, s.opts.Client, &slack.WebhookMessage{Text: d.text})
	}
	token, err := s.opts.Secret(d.slack.Token)
	if err != nil {
		return &secretError{err}
	}
	options := []slack.Option{slack.OptionHTTPClient(s.opts.Client)}
	if s.opts.SlackAPI != "" {
		options = append(options, slack.OptionAPIURL(s.opts.SlackAPI))
	}
	api := slack.New(token, options...)
	if at, ok := s.posted[d.key]; ok && d.edit {
		_, _, _, err := api.UpdateMessageContext(ctx, at.channel, at.ts, slack.MsgOptionText(d.text, false))
		return err
	}
	channel, ts, err := api.PostMessageContext(ctx, d.slack.Channel, slack.MsgOptionText(d.text, false),
		slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl())
	if err == nil {
		s.remember(d.key, place{channel, ts})
	}
	return err
}

// remember keeps a bounded number of messages for later edits.
func (s *sender) remember(key string, at place) {
	if len(s.posted) > 1000 {
		clear(s.posted)
	}
	s.posted[key] = at
}

// secretError says that the address or the token could not be read; it may
// appear later.
type secretError struct{ err error }

func (e *secretError) Error() string { return e.err.Error() }
func (e *secretError) Unwrap() error { return e.err }

// retryable reports whether an error passes, and after how long at least.
func retryable(err error) (bool, time.Duration) {
	if limited, ok := errors.AsType[*slack.RateLimitedError](err); ok {
		return true, limited.RetryAfter
	}
	if status, ok := errors.AsType[slack.StatusCodeError](err); ok {
		return status.Code >= http.StatusInternalServerError || status.Code == http.StatusTooManyRequests, 0
	}
	if _, ok := errors.AsType[slack.SlackErrorResponse](err); ok {
		return false, 0
	}
	_, network := errors.AsType[*url.Error](err)
	_, secret := errors.AsType[*secretError](err)
	return network || secret, 0
}

// safe is an error without the address, which is a secret itself.
func safe(err error) string {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	return err.Error()
}

// fix tells what to do about an answer that will not change by itself.
func fix(err error) string {
	if e, ok := errors.AsType[slack.SlackErrorResponse](err); ok {
		switch e.Err {
		case "invalid_auth", "not_authed", "account_inactive", "token_revoked":
			return "put a valid bot token into the Secret of notifications.slack.token"
		case "channel_not_found", "not_in_channel", "is_archived":
			return "name an existing channel in notifications.slack.channel and invite the bot"
		}
	}
	if status, ok := errors.AsType[slack.StatusCodeError](err); ok && status.Code < 500 {
		return "make a new incoming webhook and put its URL into the Secret of notifications.slack.webhookURL"
	}
	return "check the network between the pod and Slack"
}
