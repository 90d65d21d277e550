package proxy

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestALongAnswerAfterAStreamOnTheSameConnectionIsNotCut(t *testing.T) {
	bubble(t, func(t *testing.T, s *simulated) {
		c, resp, w := s.stream(t)
		defer c.Close()
		go func() { io.WriteString(w, lastTokens); w.Close() }()
		if _, err := io.ReadAll(resp.Body); err != nil {
			t.Fatal(err)
		}
		s.provider.delay = 8 * time.Minute
		if resp, body, err := c.do(post("/v1/chat/completions", "", ok)); err != nil || resp.StatusCode != 200 || body != answerBody {
			t.Errorf("the second answer was lost: %v", err)
		}
	})
}

func TestAnAppThatPausesIsNotTheProvidersFault(t *testing.T) {
	bubble(t, func(t *testing.T, s *simulated) {
		c, resp, w := s.stream(t)
		defer c.Close()
		go func() {
			io.WriteString(w, firstToken) // which the app does not take yet
			io.WriteString(w, firstToken)
			io.WriteString(w, lastTokens)
			w.Close()
		}()
		time.Sleep(4 * time.Minute) // twice the idle time
		readToken(t, resp)
		readToken(t, resp)
		if b, err := io.ReadAll(resp.Body); err != nil || string(b) != lastTokens {
			t.Errorf("the stream ended with %q, %v", b, err)
		}
	})
}

func TestAnAppThatIsStuckDoesNotHoldAnAnswerForEver(t *testing.T) {
	bubble(t, func(t *testing.T, s *simulated) {
		c, _, w := s.stream(t)
		defer c.Close()
		go io.WriteString(w, firstToken)
		time.Sleep(writeTimeout - time.Second)
		if n := s.InFlight(); n != 1 {
			t.Errorf("%d in flight while the app may come back", n)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := s.InFlight(); n != 0 || len(s.provider.left) != 1 {
			t.Errorf("%d in flight, %d calls given up", n, len(s.provider.left))
		}
		w.Close()
	})
}

func TestAnAppThatLeavesIsToldToTheProviderAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, s *simulated) {
		began := time.Now()
		c, _, w := s.stream(t)
		c.Close()
		synctest.Wait()
		s.provider.delay = time.Hour
		c = s.app.dial(t)
		io.WriteString(c, post("/v1/chat/completions", "", ok))
		synctest.Wait()
		c.Close()
		synctest.Wait()
		if len(s.provider.left) != 2 || s.InFlight() != 0 || time.Since(began) != 0 {
			t.Errorf("after %s %d in flight, given up: %v", time.Since(began), s.InFlight(), s.provider.left)
		}
		w.Close()
	})
}

func TestTokensAreHandedOnAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, s *simulated) {
		c, resp, w := s.stream(t)
		defer c.Close()
		if p := resp.Header.Get("X-Understudy-Provider"); p != "p" {
			t.Errorf("the head came with the provider %q", p)
		}
		for range 3 {
			time.Sleep(time.Second)
			at := time.Now()
			go io.WriteString(w, firstToken)
			readToken(t, resp)
			if d := time.Since(at); d != 0 {
				t.Errorf("a token took %s", d)
			}
		}
		w.Close()
	})
}

func TestWhoeverDripsARequestIsCutOff(t *testing.T) {
	bubble(t, func(t *testing.T, s *simulated) {
		c := s.app.dial(t)
		defer c.Close()
		began := time.Now()
		io.WriteString(c, "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
		if _, err := http.ReadResponse(c.r, nil); err == nil || time.Since(began) != readHeaderTimeout {
			t.Errorf("a head that does not end was given %s, %v", time.Since(began), err)
		}
		c = s.app.dial(t)
		defer c.Close()
		began = time.Now()
		resp, body, err := c.do("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\n{\"model\":")
		if err != nil || resp.StatusCode != 400 || !resp.Close || !strings.Contains(body, "within 30s") || time.Since(began) != readBodyTimeout {
			t.Errorf("a body that does not end was given %s: %s %v", time.Since(began), body, err)
		}
		if n := s.provider.count(); n != 0 {
			t.Errorf("%d calls reached the provider", n)
		}
	})
}

func TestOfManyLargeBodiesSomeMustWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		large := `{"model":"m","messages":["` + strings.Repeat("x", 1<<20) + `"]}`
		s := simulate(t, 5<<19) // two and a half of them
		s.load(t)
		s.provider.delay = time.Minute
		for range 2 {
			c := s.app.dial(t)
			defer c.Close()
			go c.do(post("/v1/chat/completions", "", large))
		}
		synctest.Wait()
		for name, request := range map[string]string{
			"a body with its length": post("/v1/chat/completions", "", large),
			"a body in chunks":       chunked(fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(large), large)),
		} {
			c := s.app.dial(t)
			defer c.Close()
			go io.WriteString(c, request)
			resp, err := http.ReadResponse(c.r, nil)
			if err != nil || resp.StatusCode != 503 || resp.Header.Get("Retry-After") != "1" || resp.Header.Get("X-Understudy-Origin") != "sidecar" {
				t.Errorf("%s: %+v, %v", name, resp, err)
			}
		}
		if n := s.provider.count(); n != 2 {
			t.Errorf("%d calls reached the provider", n)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if held := s.memory.held.Load(); held != 0 {
			t.Errorf("%d bytes are held by nobody", held)
		}
		s.provider.delay = 0
		c := s.app.dial(t)
		defer c.Close()
		huge := post("/v1/chat/completions", "", `{"model":"m","messages":["`+strings.Repeat("x", 3<<20)+`"]}`)
		if resp, _, err := c.do(huge); err != nil || resp.StatusCode != 200 {
			t.Errorf("a body that is alone was refused: %v", err)
		}
		s.end(t)
	})
}

func TestAPanicInARequestIsAnError(t *testing.T) {
	bubble(t, func(t *testing.T, s *simulated) {
		s.provider.body = func() io.ReadCloser { panic("prompt") }
		c := s.app.dial(t)
		defer c.Close()
		resp, body, err := c.do(chunked(fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(ok), ok)))
		if err != nil || resp.StatusCode != 500 || resp.Header.Get("X-Understudy-Origin") != "sidecar" || !strings.Contains(body, `"error"`) {
			t.Errorf("a panic gave %+v %s, %v", resp, body, err)
		}
		if n := s.InFlight(); n != 0 {
			t.Errorf("%d in flight", n)
		}
	})
}

// probe asks the admin port.
func (s *simulated) probe(t *testing.T, path string) int {
	t.Helper()
	c := s.admin.dial(t)
	defer c.Close()
	resp, _, err := c.do("GET " + path + " HTTP/1.1\r\nHost: 10.1.2.3:8090\r\nConnection: close\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}

func TestAStartDoesNotWaitForAChainForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulate(t, 0)
		expect := func(startup, ready int) {
			t.Helper()
			if a, b, c := s.probe(t, "/startupz"), s.probe(t, "/readyz"), s.probe(t, "/livez"); a != startup || b != ready || c != 200 {
				t.Errorf("after %s: startupz %d, readyz %d, livez %d", time.Since(s.started), a, b, c)
			}
		}
		expect(503, 503)
		c := s.app.dial(t)
		defer c.Close()
		if resp, body, err := c.do(post("/v1/messages", "", ok)); err != nil || resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" || !strings.Contains(body, "No ProviderChain is loaded") {
			t.Errorf("without a chain: %s %v", body, err)
		}
		time.Sleep(startGrace + time.Nanosecond)
		expect(200, 503)
		s.load(t)
		expect(200, 200)
		s.end(t)
	})
}
