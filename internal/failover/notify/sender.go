package notify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"
)

// Results of a message.
const (
	resultSent       = "sent"
	resultFailed     = "failed"     // Slack will not take it
	resultDropped    = "dropped"    // no room, or the process ended
	resultSuppressed = "suppressed" // not wanted, not possible, or too many
)

// Results lists what Options.Sent may be told.
func Results() []string {
	return []string{resultSent, resultFailed, resultDropped, resultSuppressed}
}

// Pace of delivery.
const (
	sendPause   = time.Second // Slack takes about one message a second
	hourlyLimit = 20          // messages of one chain in an hour
	firstRetry  = time.Second
	lastRetry   = time.Minute
	giveUpAfter = time.Hour // a message is late rather than lost
)

// sender delivers to one address, one note after the other. It is used by one
// goroutine.
type sender struct {
	opts   Options
	lane   *lane
	posted map[string]place       // messages that can be edited
	recent map[string][]time.Time // by chain
}

// place is where a message is.
type place struct{ channel, ts string }

func newSender(o Options, l *lane) *sender {
	return &sender{opts: o, lane: l, posted: map[string]place{}, recent: map[string][]time.Time{}}
}

// run delivers until the lane is closed. When ctx ends it stops waiting, when
// hard ends it stops.
func (s *sender) run(ctx, hard context.Context) {
	for d := range s.lane.box {
		result := s.deliver(ctx, hard, d)
		if result != resultSent && !d.edit {
			s.lane.missed.Add(1)
		}
		s.opts.Sent(d.event, result)
		pause(ctx, sendPause)
	}
}

// pause waits, but not beyond the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// deliver sends a note, and tries again while that makes sense.
func (s *sender) deliver(ctx, hard context.Context, d delivery) string {
	if _, ok := s.posted[d.key]; d.edit && !ok {
		return resultSuppressed // a webhook cannot edit; the next message says it
	}
	if !d.edit && !s.admit(d.chain, time.Now()) {
		return resultSuppressed
	}
	missed := s.lane.missed.Load()
	if missed > 0 && !d.edit {
		d.text += fmt.Sprintf("\n…and %d more that could not be sent", missed)
	}
	from := time.Now()
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		err := s.send(hard, d)
		if err == nil {
			if !d.edit {
				s.lane.missed.Add(-missed)
			}
			return resultSent
		}
		again, after := retryable(err)
		attrs := []any{"event", d.event, "chain", d.chain, "error", err.Error(), "fix", fix(err)}
		switch {
		case !again || time.Since(from) > giveUpAfter:
			s.opts.Log.Error("Slack did not take a message", attrs...)
			return resultFailed
		case ctx.Err() != nil:
			s.opts.Log.Error("Slack did not take a message before the end of the process", attrs...)
			return resultDropped
		case wait == firstRetry:
			s.opts.Log.Warn("Slack does not take a message yet; it is tried again", attrs...)
		}
		pause(ctx, max(wait, min(after, giveUpAfter)))
	}
}

// admit keeps a chain within its hourly limit.
func (s *sender) admit(chain string, now time.Time) bool {
	kept := slices.DeleteFunc(s.recent[chain], func(at time.Time) bool { return now.Sub(at) >= time.Hour })
	admitted := len(kept) < hourlyLimit
	if admitted {
		kept = append(kept, now)
	}
	s.recent[chain] = kept
	return admitted
}

// send makes one request. Its error holds neither the address nor the token.
func (s *sender) send(ctx context.Context, d delivery) error {
	ref := d.to.token
	if !d.to.webhook.IsZero() {
		ref = d.to.webhook
	}
	secret, err := s.opts.Secret(ref)
	if err != nil {
		return &secretError{err}
	}
	if !d.to.webhook.IsZero() {
		err = s.hook(ctx, secret, d)
	} else {
		err = s.call(ctx, secret, d)
	}
	if err != nil {
		return &sendError{err, secret}
	}
	return nil
}

func (s *sender) hook(ctx context.Context, address string, d delivery) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return &secretError{errors.New("the Secret of notifications.slack.webhookURL does not hold an https URL")}
	}
	return slack.PostWebhookCustomHTTPContext(ctx, address, s.opts.Client,
		&slack.WebhookMessage{Text: d.text, UnfurlLinks: new(false), UnfurlMedia: new(false)})
}

func (s *sender) call(ctx context.Context, token string, d delivery) error {
	options := []slack.Option{slack.OptionHTTPClient(s.opts.Client)}
	if s.opts.SlackAPI != "" {
		options = append(options, slack.OptionAPIURL(s.opts.SlackAPI))
	}
	api, text := slack.New(token, options...), slack.MsgOptionText(d.text, false)
	if at, ok := s.posted[d.key]; ok && d.edit {
		_, _, _, err := api.UpdateMessageContext(ctx, at.channel, at.ts, text)
		return err
	}
	channel, ts, err := api.PostMessageContext(ctx, d.to.channel, text, slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl())
	if err == nil {
		s.remember(d.key, place{channel, ts})
	}
	return err
}

// remember keeps a bounded number of messages for later edits.
func (s *sender) remember(key string, at place) {
	if len(s.posted) >= 1000 {
		clear(s.posted)
	}
	s.posted[key] = at
}

// secretError says that the address or the token could not be read or is none;
// it may appear later.
type secretError struct{ err error }

func (e *secretError) Error() string { return e.err.Error() }
func (e *secretError) Unwrap() error { return e.err }

// sendError is a failed request, without the address, which is a secret itself.
type sendError struct {
	err    error
	secret string
}

func (e *sendError) Error() string {
	err := e.err
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	if e.secret == "" {
		return err.Error()
	}
	return strings.ReplaceAll(err.Error(), e.secret, "***")
}

func (e *sendError) Unwrap() error { return e.err }

// passing are the errors of Slack's API that pass by themselves.
var passing = []string{"internal_error", "fatal_error", "service_unavailable", "request_timeout", "ratelimited", "rate_limited", "team_added_to_org"}

// retryable reports whether an error passes, and after how long at least.
// Whatever is not surely final passes: a proxy's page, a reset, a lost name.
func retryable(err error) (bool, time.Duration) {
	if limited, ok := errors.AsType[*slack.RateLimitedError](err); ok {
		return true, limited.RetryAfter
	}
	if status, ok := errors.AsType[slack.StatusCodeError](err); ok {
		return status.Code >= http.StatusInternalServerError || status.Code == http.StatusTooManyRequests || status.Code == http.StatusRequestTimeout, 0
	}
	if said, ok := errors.AsType[slack.SlackErrorResponse](err); ok {
		return slices.Contains(passing, said.Err), 0
	}
	return true, 0
}

// fix tells what to do.
func fix(err error) string {
	if e, ok := errors.AsType[slack.SlackErrorResponse](err); ok {
		switch e.Err {
		case "invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired":
			return "put a valid bot token into the Secret of notifications.slack.token"
		case "missing_scope":
			return "give the bot the scope chat:write"
		case "channel_not_found", "not_in_channel", "is_archived":
			return "name an existing channel in notifications.slack.channel and invite the bot"
		}
		return "look the error up in Slack's documentation of the method"
	}
	if status, ok := errors.AsType[slack.StatusCodeError](err); ok && status.Code < 500 && status.Code != http.StatusTooManyRequests {
		return "make a new incoming webhook and put its URL into the Secret of notifications.slack.webhookURL"
	}
	if _, ok := errors.AsType[*secretError](err); ok {
		return "put the webhook's URL, or the bot's token, into the Secret that notifications.slack names"
	}
	return "check the network between the pod and Slack"
}
