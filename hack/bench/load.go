package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// client calls one target over its own connections.
type client struct {
	url  string
	http *http.Client
	lost int // calls without an answer so far
}

func newClient(url string) *client {
	return &client{url: url, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 10_000, MaxConnsPerHost: 0, DisableCompression: true}}}
}

// chat is a Chat request of about that many bytes.
func chat(size int, stream bool) []byte {
	return fmt.Appendf(nil, `{"model":"m","stream":%t,"messages":[{"role":"user","content":"%s"}]}`, stream, strings.Repeat("x", max(1, size-80)))
}

func (c *client) request(ctx context.Context, body []byte, header map[string]string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/v1/chat/completions", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(io.LimitReader(resp.Body, 300))
		resp.Body.Close()
		return nil, fmt.Errorf("%s answered %d: %s", c.url, resp.StatusCode, b)
	}
	return resp, nil
}

// unary makes n calls over conns connections and returns each one's time.
func (c *client) unary(ctx context.Context, body []byte, n, conns int) ([]time.Duration, error) {
	return c.parallel(n, conns, func() (time.Duration, error) {
		from := time.Now()
		resp, err := c.request(ctx, body, nil)
		if err != nil {
			return 0, err
		}
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		return time.Since(from), err
	})
}

// firstToken makes n streamed calls, one after the other, and returns the time
// until the first content of each.
func (c *client) firstToken(ctx context.Context, n int) ([]time.Duration, error) {
	return c.parallel(n, 1, func() (time.Duration, error) {
		from := time.Now()
		resp, err := c.request(ctx, chat(1024, true), map[string]string{"X-Stainless-Tokens": "2"})
		if err != nil {
			return 0, err
		}
		defer resp.Body.Close()
		r := bufio.NewReader(resp.Body)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return 0, err
			}
			if strings.Contains(line, "token ") {
				d := time.Since(from)
				_, err = io.Copy(io.Discard, r)
				return d, err
			}
		}
	})
}

// paced runs several streams of paced tokens at once.
func (c *client) paced(ctx context.Context, streams, tokens int) error {
	_, err := c.parallel(streams, streams, func() (time.Duration, error) {
		resp, err := c.request(ctx, chat(1024, true), map[string]string{"X-Stainless-Tokens": fmt.Sprint(tokens), "X-Stainless-Pace": "5ms"})
		if err != nil {
			return 0, err
		}
		defer resp.Body.Close()
		_, err = io.Copy(io.Discard, resp.Body)
		return 0, err
	})
	return err
}

// hold opens n streams and returns when each has had its first content; the
// returned function ends them.
func (c *client) hold(ctx context.Context, n int) (func(), error) {
	ctx, cancel := context.WithCancel(ctx)
	var mu sync.Mutex
	var open []*http.Response
	_, err := c.parallel(n, 64, func() (time.Duration, error) {
		resp, err := c.request(ctx, chat(1024, true), map[string]string{"X-Stainless-Tokens": "1", "X-Stainless-Hold": "1"})
		if err != nil {
			return 0, err
		}
		if _, err := io.ReadAtLeast(resp.Body, make([]byte, 400), 200); err != nil {
			return 0, err
		}
		mu.Lock()
		open = append(open, resp)
		mu.Unlock()
		return 0, nil
	})
	return func() {
		cancel()
		for _, r := range open {
			r.Body.Close()
		}
		c.http.CloseIdleConnections()
	}, err
}

// parallel spreads n calls over workers.
func (c *client) parallel(n, workers int, call func() (time.Duration, error)) ([]time.Duration, error) {
	jobs := make(chan struct{}, n)
	for range n {
		jobs <- struct{}{}
	}
	close(jobs)
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		times = make([]time.Duration, 0, n)
		lost  int
		first error
	)
	for range min(workers, n) {
		wg.Go(func() {
			for range jobs {
				d, err := call()
				mu.Lock()
				if err == nil {
					times = append(times, d)
				} else if lost++; first == nil {
					first = err
				}
				stop := lost > tolerated(n)
				mu.Unlock()
				if stop {
					return
				}
			}
		})
	}
	wg.Wait()
	slices.Sort(times)
	c.lost += lost
	if lost > tolerated(n) {
		return times, first
	}
	return times, nil
}

// tolerated is how many of n calls may be lost: they are a figure of the table,
// and too many of them are a broken run.
func tolerated(n int) int { return max(1, n/100) }

func quantile(sorted []time.Duration, q float64) float64 {
	return float64(sorted[min(len(sorted)-1, int(q*float64(len(sorted))))].Nanoseconds()) / 1000
}

func median(v []float64) float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	return v[len(v)/2]
}
