package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/understudy-dev/understudy/internal/simulator"
)

// TestStreamsOutliveReloadsAndARotatedKey holds 200 streams open while the
// chain changes 50 times and the key once.
func TestStreamsOutliveReloadsAndARotatedKey(t *testing.T) {
	w := newWorld(t)
	w.start(w.chainOfThree("2s"))
	w.anthropic.Fail(simulator.Fault{Effect: simulator.Drip, Delay: 150 * time.Millisecond})

	const streams = 200
	var running sync.WaitGroup
	problems := make(chan string, streams)
	begun := make(chan struct{}, streams)
	for i := range streams {
		running.Go(func() {
			// Every stream says something else, so that a mix would show.
			text := strings.TrimSpace(strings.Repeat(fmt.Sprintf("stream-%d ", i), 120))
			if err := readStream(w.url, text, begun); err != nil {
				problems <- fmt.Sprintf("stream %d: %v", i, err)
			}
		})
	}
	for range streams {
		<-begun
	}
	for i := range 50 {
		chain := strings.Replace(w.chainOfThree("2s"), "claude-haiku-4-5", fmt.Sprintf("claude-haiku-4-%d", 6+i%2), 1)
		replaceFile(t, w.chainFile(), chain)
		want := fmt.Sprintf(`"model": "claude-haiku-4-%d"`, 6+i%2)
		eventually(t, "the reload", func() bool { return strings.Contains(w.get("/status"), want) })
		if i == 25 {
			w.secret("llm-keys", "anthropic", "sk-ant-canary-rotated")
		}
	}
	running.Wait()
	close(problems)
	for p := range problems {
		t.Error(p)
	}
	if n := len(w.openai.Requests()); n != 0 {
		t.Errorf("%d streams went to another provider", n)
	}
}

// readStream asks for a text as a stream of the provider's own dialect, and
// compares what came with what was asked for.
func readStream(url, text string, begun chan<- struct{}) error {
	body := fmt.Sprintf(`{"model":"x","max_tokens":4000,"stream":true,"messages":[{"role":"user","content":%q}]}`, "say "+text)
	req, err := http.NewRequest(http.MethodPost, url+"/v1/messages", strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Anthropic-Version", "2023-06-01")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		begun <- struct{}{}
		return err
	}
	defer resp.Body.Close()
	begun <- struct{}{}
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	var got strings.Builder
	for line := range strings.Lines(string(raw)) {
		if _, delta, ok := strings.Cut(line, `"text_delta","text":"`); ok {
			piece, _, _ := strings.Cut(delta, `"`)
			got.WriteString(piece)
		}
	}
	if got.String() != text {
		return fmt.Errorf("%d of %d bytes are right: %.200s", len(got.String()), len(text), raw)
	}
	if !strings.Contains(string(raw), "event: message_stop") {
		return fmt.Errorf("the stream has no end")
	}
	return nil
}
