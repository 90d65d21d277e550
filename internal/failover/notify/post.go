package notify

import (
	"context"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/understudy-dev/understudy/internal/failover"
)

// address is where a chain's messages go: one webhook, or one channel of a bot.
type address struct {
	webhook, token failover.SecretRef
	channel        string
}

func addressOf(s *failover.SlackConfig) address {
	return address{s.WebhookURL, s.Token, s.Channel}
}

// delivery is one note with its address.
type delivery struct {
	note
	chain string
	to    address
}

// post has a lane for every address. It is used by one goroutine; the lanes
// have their own.
type post struct {
	opts   Options
	client *http.Client // our own, if Options has none
	ctx    context.Context
	hard   context.Context // ends a second after ctx, with whatever is under way
	cancel context.CancelFunc
	lanes  map[address]*lane
	wg     sync.WaitGroup
}

// lane is what waits for one address.
type lane struct {
	box    chan delivery
	missed atomic.Int64 // notes that did not get there; the next message says so
}

// flushFor bounds the last deliveries of a process that ends.
const flushFor = time.Second

func newPost(ctx context.Context, o Options) *post {
	p := &post{opts: o, ctx: ctx, lanes: map[address]*lane{}}
	p.hard, p.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if o.Client == nil {
		p.client = &http.Client{
			Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute},
			Timeout:   10 * time.Second,
			// A redirect would carry the message, and a bot's token, elsewhere.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
		p.opts.Client = p.client
	}
	return p
}

// put hands a delivery over, or drops it.
func (p *post) put(d delivery) {
	l := p.lanes[d.to]
	if l == nil {
		l = &lane{box: make(chan delivery, queueSize)}
		p.lanes[d.to] = l
		s := newSender(p.opts, l)
		p.wg.Go(func() { s.run(p.ctx, p.hard) })
	}
	select {
	case l.box <- d:
	default:
		l.missed.Add(1)
		p.opts.Sent(d.event, resultDropped)
	}
}

// retain lets the lanes end that no chain uses any more, once they are empty.
func (p *post) retain(s *failover.Snapshot) {
	if len(p.lanes) == 0 {
		return
	}
	used := map[address]bool{}
	for _, c := range s.Chains() {
		if slack := c.Config.Notifications.Slack; slack != nil {
			used[addressOf(slack)] = true
		}
	}
	maps.DeleteFunc(p.lanes, func(a address, l *lane) bool {
		if !used[a] {
			close(l.box)
		}
		return !used[a]
	})
}

// close waits for the lanes to end, for flushFor at most.
func (p *post) close() {
	for _, l := range p.lanes {
		close(l.box)
	}
	timer := time.AfterFunc(flushFor, p.cancel)
	p.wg.Wait()
	timer.Stop()
	p.cancel()
	if p.client != nil {
		p.client.CloseIdleConnections()
	}
}
