package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"

	"github.com/understudy-dev/understudy/internal/failover"
)

// googleScope covers Vertex AI.
const googleScope = "https://www.googleapis.com/auth/cloud-platform"

// tokens keeps one access token of Google's. It has no goroutine: whoever needs
// a token fetches it, one at a time, and a token that will do for a while is
// replaced by one caller while the others use it.
type tokens struct {
	fetch func(ctx context.Context) (*oauth2.Token, error)
	busy  chan struct{} // holds the one who fetches
	last  atomic.Pointer[fetched]
}

// fetched is how one attempt to get a token ended.
type fetched struct {
	at    time.Time
	token *oauth2.Token // the latest one, also where this attempt failed
	err   error
}

// A token is replaced when it has refreshEarly left, and used while it has
// lastMinute left.
const (
	refreshEarly = 5 * time.Minute
	lastMinute   = time.Minute
)

func (f *fetched) lasts(d time.Duration) bool {
	return f != nil && f.token != nil && (f.token.Expiry.IsZero() || time.Until(f.token.Expiry) > d)
}

// get returns a token, and waits for one no longer than ctx allows.
func (t *tokens) get(ctx context.Context) (string, error) {
	asked := time.Now()
	last := t.last.Load()
	switch {
	case last.lasts(refreshEarly), last.lasts(lastMinute) && last.err != nil && asked.Sub(last.at) < lookAgain:
		return last.token.AccessToken, nil
	case last.lasts(lastMinute):
		select {
		case t.busy <- struct{}{}:
		default:
			return last.token.AccessToken, nil
		}
	default:
		select {
		case t.busy <- struct{}{}:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	defer func() { <-t.busy }()
	return t.renew(ctx, asked)
}

// renew fetches a token, unless somebody else just did.
func (t *tokens) renew(ctx context.Context, asked time.Time) (string, error) {
	last := t.last.Load()
	if last == nil || last.at.Before(asked) {
		next := &fetched{}
		if last != nil {
			next.token = last.token
		}
		token, err := t.fetch(ctx)
		if ctx.Err() != nil && err != nil {
			return "", ctx.Err() // says nothing about the issuer
		}
		if err == nil {
			next.token = token
		}
		next.at, next.err = time.Now(), err
		t.last.Store(next)
		last = next
	}
	if last.lasts(lastMinute) || last.err == nil && last.token != nil {
		return last.token.AccessToken, nil
	}
	return "", fmt.Errorf("%w: %w", failover.ErrNoCredential, last.err)
}

// google finds the tokens of a service account, or of the process's own
// identity where the credential is empty.
func (p *Provider) google(c failover.Credentials) *tokens {
	transport := p.transport(transportKey{host: "tokens of Google", connect: failover.DefaultConnect}, nil)
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.tokens[c.Fingerprint]
	if t == nil {
		t = &tokens{busy: make(chan struct{}, 1), fetch: ownToken}
		if account := c.Reveal(); account != "" {
			client := &http.Client{Transport: transport, CheckRedirect: noRedirect}
			t.fetch = func(ctx context.Context) (*oauth2.Token, error) {
				return accountToken(context.WithValue(ctx, oauth2.HTTPClient, client), account)
			}
		}
		p.tokens[c.Fingerprint] = t
	}
	return t
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// ownToken asks for a token of the identity that the process runs as: workload
// identity in a cluster, GOOGLE_APPLICATION_CREDENTIALS, or what gcloud left.
func ownToken(ctx context.Context) (*oauth2.Token, error) {
	found, err := google.FindDefaultCredentials(ctx, googleScope)
	if err != nil {
		return nil, errors.New("the sidecar has no identity of its own at Google; give its service account one, or add auth.secretKeyRef")
	}
	return tokenOf(found.TokenSource)
}

// accountToken asks for a token of a service account's key. No other kind of
// document is accepted: some name files and addresses that they send them to.
func accountToken(ctx context.Context, document string) (*oauth2.Token, error) {
	cfg, err := google.JWTConfigFromJSON([]byte(document), googleScope)
	if err != nil {
		return nil, errors.New("the key is not one of a Google service account; store the JSON file that Google made, as it is")
	}
	return tokenOf(cfg.TokenSource(ctx))
}

// tokenOf asks a source, and keeps what a server said out of the error.
func tokenOf(s oauth2.TokenSource) (*oauth2.Token, error) {
	token, err := s.Token()
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		return nil, fmt.Errorf("no token from Google: status %d", refused.Response.StatusCode)
	}
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return nil, fmt.Errorf("asking Google for a token: %w", failed.Err)
	}
	if err != nil {
		return nil, errors.New("no token from Google")
	}
	return token, nil
}
