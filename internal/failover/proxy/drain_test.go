package proxy

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestTheDrainEndsWhenTheAppHasBeenQuiet(t *testing.T) {
	bubble(t, func(t *testing.T, s *simulated) {
		s.stop()
		began := time.Now()
		for range 3 { // each of which begins the quiet anew
			time.Sleep(quietFor - time.Millisecond)
			c := s.app.dial(t)
			defer c.Close()
			if resp, _, err := c.do(post("/v1/chat/completions", "", ok)); err != nil || resp.StatusCode != 200 {
				t.Errorf("a request during the drain: %v", err)
			}
		}
		<-s.ended
		if d := s.endedAt.Sub(began); d != 4*quietFor-3*time.Millisecond {
			t.Errorf("it ended after %s", d)
		}
	})
}

func TestAnIdleSidecarEndsAfterTheQuiet(t *testing.T) {
	bubble(t, func(t *testing.T, s *simulated) {
		time.Sleep(time.Hour)
		began := time.Now()
		s.stop()
		<-s.ended
		if d := s.endedAt.Sub(began); d != quietFor {
			t.Errorf("it ended after %s", d)
		}
	})
}

func TestTheDrainWaitsForALongStream(t *testing.T) {
	bubble(t, func(t *testing.T, s *simulated) {
		c, resp, w := s.stream(t)
		defer c.Close()
		s.stop()
		began := time.Now()
		time.Sleep(20 * time.Second)
		go func() { io.WriteString(w, lastTokens); w.Close() }()
		if b, err := io.ReadAll(resp.Body); err != nil || string(b) != lastTokens {
			t.Errorf("the stream ended with %q, %v", b, err)
		}
		<-s.ended
		if d := s.endedAt.Sub(began); d != 20*time.Second+quietFor {
			t.Errorf("it ended after %s", d)
		}
	})
}

func TestAtTheDrainTimeoutStreamsEndHonestly(t *testing.T) {
	bubble(t, func(t *testing.T, s *simulated) {
		c, resp, w := s.stream(t)
		defer c.Close()
		s.provider.delay = time.Hour
		unary := s.app.dial(t)
		defer unary.Close()
		type result struct {
			resp *http.Response
			body string
			err  error
		}
		got := make(chan result, 1)
		go func() {
			resp, body, err := unary.do(post("/v1/chat/completions", "", ok))
			got <- result{resp, body, err}
		}()
		s.stop()
		began := time.Now()
		b, err := io.ReadAll(resp.Body)
		if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(string(b), "shutting down") || strings.Contains(string(b), "[DONE]") {
			t.Errorf("the stream ended with %q, %v", b, err)
		}
		if r := <-got; r.err != nil || r.resp.StatusCode != 503 || !strings.Contains(r.body, "shutting down") {
			t.Errorf("the unary call ended with %+v", r)
		}
		<-s.ended
		if d := s.endedAt.Sub(began); d != 25*time.Second || s.err != nil {
			t.Errorf("it ended after %s, %v", d, s.err)
		}
		w.Close()
	})
}

func TestAnAppThatDoesNotReadDoesNotHoldTheEndUp(t *testing.T) {
	bubble(t, func(t *testing.T, s *simulated) {
		c, _, w := s.stream(t)
		defer c.Close()
		go io.WriteString(w, firstToken) // never taken
		s.stop()
		began := time.Now()
		<-s.ended
		if d := s.endedAt.Sub(began); d != 25*time.Second+farewell {
			t.Errorf("it ended after %s", d)
		}
		w.Close()
	})
}

func TestASecondSignalEndsAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, s *simulated) {
		c, _, w := s.stream(t)
		defer c.Close()
		s.stop()
		time.Sleep(time.Second)
		began := time.Now()
		s.kill()
		<-s.ended
		if d := s.endedAt.Sub(began); d != 0 || s.err != nil {
			t.Errorf("it ended after %s, %v", d, s.err)
		}
		w.Close()
	})
}
