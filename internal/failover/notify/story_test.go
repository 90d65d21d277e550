package notify

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/understudy-dev/understudy/internal/failover"
)

func TestAnOutageAfterAReorderIsTold(t *testing.T) {
	s := newStory(t, "anthropic", "openai", "opus")
	s.wait(time.Minute)
	p := s.chain.Providers
	s.chain.Providers = []failover.ProviderStatus{p[1], p[0], p[2]} // openai leads now
	s.wait(time.Minute)
	s.set(0, failover.Open, 0)
	s.wait(time.Minute)
	s.told("Failover")
	s.chain.Providers = append([]failover.ProviderStatus{{Name: "new", State: "Closed"}}, s.chain.Providers...)
	s.wait(time.Minute)
	s.set(0, failover.Open, 0)
	s.wait(time.Minute)
	s.told("Failover Failover")
	if want := "Primary: `new` is down\nActive: `anthropic` is handling requests"; len(s.notes) == 2 && !strings.Contains(s.notes[1].text, want) {
		t.Errorf("the message is %q", s.notes[1].text)
	}
}

func TestABackupThatNobodyAsksIsNotRepeated(t *testing.T) {
	s := newStory(t, "anthropic", "openai", "opus")
	s.set(0, failover.Open, 0)
	s.wait(time.Minute)
	s.set(1, failover.Open, 0)
	s.wait(5 * time.Minute)
	s.set(0, failover.Closed, 0)
	s.set(1, failover.HalfOpen, 0) // and stays so, since anthropic answers
	s.wait(10 * time.Hour)
	s.told("Failover Failover Recovery")
	s.set(0, failover.Open, 0)
	s.wait(2 * time.Second)
	s.set(1, failover.Open, 0)
	s.wait(time.Minute)
	s.told("Failover Failover Recovery Failover")
	last := s.notes[len(s.notes)-1].text
	if want := "Active: `opus` is handling requests"; !strings.Contains(last, want) || !strings.Contains(last, "Also down: `openai`") {
		t.Errorf("the message is %q", last)
	}
}

func TestProvidersThatFailTogetherAreOneMessage(t *testing.T) {
	s := newStory(t, "haiku", "opus", "openai")
	s.wait(time.Minute)
	s.set(0, failover.Open, 0)
	s.set(1, failover.Open, 0)
	s.wait(9 * time.Hour)
	s.told("Failover Failover Failover") // the first and two repeats, each for both
	for _, n := range s.notes {
		if !strings.Contains(n.text, "Primary: `haiku` is down\nActive: `openai` is handling requests") || !strings.Contains(n.text, "Also down: `opus`") {
			t.Errorf("the message is %q", n.text)
		}
	}
	s.set(0, failover.Closed, 0)
	s.wait(2 * time.Minute)
	s.told("Failover Failover Failover Recovery")
	if text := s.notes[3].text; !strings.Contains(text, "Also down: `opus`") {
		t.Errorf("the recovery is %q", text)
	}
}

func TestARepeatNamesWhoAnswers(t *testing.T) {
	s := newStory(t, "anthropic", "openai")
	s.set(0, failover.Open, 0)
	s.wait(4*time.Hour - time.Minute)
	s.set(0, failover.HalfOpen, 0)
	s.serving = false // a quiet hour
	s.wait(time.Hour)
	s.told("Failover")
	s.set(0, failover.Open, 0)
	s.wait(time.Minute)
	s.told("Failover Failover")
	if text := s.notes[1].text; !strings.Contains(text, "Active: `openai` is handling") {
		t.Errorf("the repeated message is %q", text)
	}
}

func TestARareRequestIsEnoughToBeBack(t *testing.T) {
	s := newStory(t, "anthropic", "openai")
	s.set(0, failover.Open, 0)
	s.wait(10 * time.Minute)
	s.serving = false
	s.counts.answered = map[string]uint64{"anthropic": s.counts.answered["anthropic"] + 1, "openai": s.counts.answered["openai"]}
	s.set(0, failover.Closed, 0)
	s.wait(30 * time.Second)
	s.told("Failover")
	s.wait(time.Minute)
	s.told("Failover Recovery")
}

func TestACircuitThatClosedWithoutAnAnswerIsNotBack(t *testing.T) {
	s := newStory(t, "anthropic", "openai")
	s.chain.Providers[0].CredentialError = errors.New("the Secret llm-keys has no key anthropic")
	s.wait(time.Minute)
	s.told("Failover")
	if text := s.notes[0].text; !strings.Contains(text, "Error: the Secret llm-keys has no key anthropic\nReason: NoCredential\n") {
		t.Errorf("the message is %q", text)
	}
	s.serving = false
	s.chain.Providers[0].CredentialError = nil // the key is there now; nobody has used it
	s.wait(time.Hour)
	s.told("Failover")
	s.serving = true
	s.wait(time.Minute)
	s.told("Failover Recovery")
}

func TestTheEndTellsHowOftenItFlapped(t *testing.T) {
	s := newStory(t, "anthropic", "openai")
	s.set(0, failover.Open, 0)
	s.wait(time.Minute)
	for range 3 {
		s.set(0, failover.Closed, 0)
		s.wait(20 * time.Second)
		s.set(0, failover.Open, 0)
		s.wait(20 * time.Second)
	}
	s.set(0, failover.Closed, 0)
	s.wait(2 * time.Minute)
	last := s.notes[len(s.notes)-1]
	if last.event != eventRecovery || !strings.Contains(last.text, "Came back and failed again: 3 times") {
		t.Errorf("the last note is %+v", last)
	}
}

func TestTheEndOfAnExhaustionIsProved(t *testing.T) {
	s := newStory(t, "anthropic", "openai")
	s.serving = false
	s.counts.spent++
	s.wait(time.Minute)
	s.told("Exhausted")
	if !strings.Contains(s.notes[0].text, "could answer 1 request\n") {
		t.Errorf("the message is %q", s.notes[0].text)
	}
	s.wait(time.Hour) // circuits that admit are no answer
	s.told("Exhausted")
	s.serving = true
	s.wait(2 * time.Second)
	s.told("Exhausted Recovery")
}

func TestTextsBeginAsPromised(t *testing.T) {
	s := newStory(t, "anthropic", "openai")
	s.set(0, failover.Open, 0)
	s.chain.Providers[0].Circuit.Detail = "<!channel> *x*\u2028`<https://evil.test|click>` \u202e& " + strings.Repeat("long", 1000)
	s.wait(10 * time.Second)
	s.told("Failover")
	want := ":rotating_light: AI Failover Activated\nPrimary: `anthropic` is down\nActive: `openai` is handling requests\nError: " +
		"&lt;!channel&gt; *x* '&lt;https://evil.test|click&gt;'  &amp; longlong"
	if got := s.notes[0].text; !strings.HasPrefix(got, want) || len(got) > 1000 {
		t.Errorf("the message is %q", got)
	}
	if got := strings.Split(s.notes[0].text, "\n")[4]; got != "Reason: Overloaded" {
		t.Errorf("the reason is %q", got)
	}
}

func FuzzEscape(f *testing.F) {
	f.Add("<!channel> `code` & \n*bold*")
	f.Fuzz(func(t *testing.T, s string) {
		out := escape(s)
		if strings.ContainsAny(out, "<>`\n\r") || len(out) > 6*maxForeign {
			t.Errorf("%q became %q", s, out)
		}
	})
}
