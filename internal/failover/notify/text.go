package notify

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/understudy-dev/understudy/internal/failover"
)

// Events, as users name them.
const (
	eventFailover       = "Failover"
	eventRecovery       = "Recovery"
	eventExhausted      = "Exhausted"
	eventConfigRejected = "ConfigRejected"
)

// Events lists what Options.Sent may be told of.
func Events() []string {
	return []string{eventFailover, eventRecovery, eventExhausted, eventConfigRejected}
}

// maxForeign bounds a piece of text that is not ours.
const maxForeign = 500

// escape makes foreign text harmless in Slack's markup: its three special
// characters, the backtick that would end a code span, and everything that
// breaks a line, turns its direction or is not seen.
func escape(s string) string {
	if len(s) > maxForeign {
		s = strings.ToValidUTF8(s[:maxForeign], "") + "…"
	}
	s = strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) || unicode.Is(unicode.Zs, r) {
			return ' '
		}
		return r
	}, s)
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "`", "'").Replace(s)
}

// reasonOf is the reason as it stands in logs and metrics, too.
func reasonOf(p failover.ProviderStatus) failover.Class {
	if p.CredentialError != nil {
		return failover.NoCredential
	}
	return p.Circuit.Reason
}

// describe is the error of a provider in a few safe words.
func describe(p failover.ProviderStatus) string {
	switch {
	case p.CredentialError != nil:
		return p.CredentialError.Error()
	case p.Circuit.Detail != "":
		return p.Circuit.Detail
	}
	return string(p.Circuit.Reason)
}

func failoverText(t *tracker, provider string, in *incident, st failover.ChainStatus) string {
	var b strings.Builder
	fmt.Fprintf(&b, ":rotating_light: AI Failover Activated\nPrimary: `%s` is down\n", escape(provider))
	fmt.Fprintf(&b, "Active: `%s` is handling requests\n", escape(st.Active))
	fmt.Fprintf(&b, "Error: %s\nReason: %s\n", escape(describe(in.status)), reasonOf(in.status))
	if reasonOf(in.status) == failover.Unauthorized {
		b.WriteString("The key was revoked, or the provider's authentication is down.\n")
	}
	b.WriteString(alsoDown(provider, st))
	b.WriteString(flapped(in))
	fmt.Fprintf(&b, "Chain: `%s`, since %s", escape(t.chain), in.began.UTC().Format("2006-01-02 15:04:05 UTC"))
	return b.String() + t.from()
}

// alsoDown names the other providers that cannot be used.
func alsoDown(provider string, st failover.ChainStatus) string {
	var others []string
	for _, p := range st.Providers {
		if p.Name != provider && !p.Usable() {
			others = append(others, "`"+escape(p.Name)+"`")
		}
	}
	if len(others) == 0 {
		return ""
	}
	return "Also down: " + strings.Join(others, ", ") + "\n"
}

// flapped counts the times that an incident looked as if it were over.
func flapped(in *incident) string {
	if in.flaps == 0 {
		return ""
	}
	return "Came back and failed again: " + number(uint64(in.flaps), "time") + "\n"
}

func number(n uint64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.FormatUint(n, 10) + " " + what + "s"
}

func (t *tracker) from() string {
	if t.pod == "" {
		return ""
	}
	return "\nPod: `" + escape(t.pod) + "`"
}

func recoveryText(t *tracker, p failover.ProviderStatus, in *incident, l look) string {
	active := "nobody"
	if l.status.Active != "" {
		active = "`" + escape(l.status.Active) + "` is handling requests"
	}
	bypassed := l.counts.bypassed[p.Name] - in.bypassed
	return fmt.Sprintf(":white_check_mark: AI Failover Recovered\nPrimary: `%s` is back\nActive: %s\nDuration: %s, %s bypassed it\n%s%sChain: `%s`%s",
		escape(p.Name), active, in.closed.Sub(in.began).Round(time.Second), number(bypassed, "request"),
		flapped(in), alsoDown(p.Name, l.status), escape(t.chain), t.from())
}

func exhaustedText(t *tracker, x *exhaustion, st failover.ChainStatus) string {
	var b strings.Builder
	fmt.Fprintf(&b, ":red_circle: AI Failover Exhausted\nNo provider of `%s` could answer %s\n", escape(t.chain), number(x.requests, "request"))
	for _, p := range st.Providers {
		fmt.Fprintf(&b, "`%s`: %s", escape(p.Name), p.State)
		if reason := reasonOf(p); !p.Usable() {
			fmt.Fprintf(&b, ", %s", reason)
			if d := describe(p); d != string(reason) {
				fmt.Fprintf(&b, " (%s)", escape(d))
			}
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "Since: %s", x.began.UTC().Format("2006-01-02 15:04:05 UTC"))
	return b.String() + t.from()
}

func calmText(t *tracker, x *exhaustion, st failover.ChainStatus) string {
	return fmt.Sprintf(":white_check_mark: AI Failover Recovered\nChain `%s` answers again\nActive: `%s` is handling requests\nDuration: %s, %s failed%s",
		escape(t.chain), escape(st.Active), x.last.Sub(x.began).Round(time.Second), number(x.requests, "request"), t.from())
}

// rejectedText tells of a version that is not used; served tells whether a
// former one is.
func rejectedText(chain, reason, pod string, served bool) string {
	rest := "it is not served"
	if served {
		rest = "its former version stays in use"
	}
	return fmt.Sprintf(":warning: ProviderChain Rejected\nChain: `%s`; %s\nError: %s%s", escape(chain), rest, escape(reason), (&tracker{pod: pod}).from())
}
