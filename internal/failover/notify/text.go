package notify

import (
	"fmt"
	"strings"
	"time"

	"github.com/understudy-dev/understudy/internal/failover"
)

// Events, as users name them.
const (
	eventFailover       = "Failover"
	eventRecovery       = "Recovery"
	eventExhausted      = "Exhausted"
	eventConfigRejected = "ConfigRejected"
)

// maxForeign bounds a piece of text that is not ours.
const maxForeign = 500

// escape makes foreign text harmless in Slack's markup: its three special
// characters, the backtick that would end a code span, and line breaks.
func escape(s string) string {
	if len(s) > maxForeign {
		s = strings.ToValidUTF8(s[:maxForeign], "") + "…"
	}
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "`", "'", "\n", " ", "\r", " ").Replace(s)
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
	if st.Active == "" {
		b.WriteString("Active: nobody\n")
	} else {
		fmt.Fprintf(&b, "Active: `%s` is handling requests\n", escape(st.Active))
	}
	fmt.Fprintf(&b, "Error: %s\n", escape(describe(in.status)))
	if in.status.Circuit.Reason == failover.Unauthorized {
		b.WriteString("The key was revoked, or the provider's authentication is down.\n")
	}
	var others []string
	for _, p := range st.Providers {
		if p.Name != provider && !p.Usable() {
			others = append(others, "`"+escape(p.Name)+"`")
		}
	}
	if len(others) > 0 {
		fmt.Fprintf(&b, "Also down: %s\n", strings.Join(others, ", "))
	}
	if in.flaps > 0 {
		fmt.Fprintf(&b, "Came back and failed again: %d times\n", in.flaps)
	}
	fmt.Fprintf(&b, "Chain: `%s`, since %s", escape(t.chain), in.began.UTC().Format("2006-01-02 15:04:05 UTC"))
	return b.String() + t.from()
}

func (t *tracker) from() string {
	if t.pod == "" {
		return ""
	}
	return "\nPod: `" + escape(t.pod) + "`"
}

func recoveryText(t *tracker, p failover.ProviderStatus, in *incident, st failover.ChainStatus, c counts) string {
	active := "nobody"
	if st.Active != "" {
		active = "`" + escape(st.Active) + "` is handling requests"
	}
	return fmt.Sprintf(":white_check_mark: AI Failover Recovered\nPrimary: `%s` is back\nActive: %s\nDuration: %s, %d requests bypassed it\nChain: `%s`%s",
		escape(p.Name), active, in.closed.Sub(in.began).Round(time.Second), c.bypassed[p.Name]-in.bypassed, escape(t.chain), t.from())
}

func exhaustedText(t *tracker, x *exhaustion, st failover.ChainStatus) string {
	var b strings.Builder
	fmt.Fprintf(&b, ":red_circle: AI Failover Exhausted\nNo provider of `%s` could answer %d requests\n", escape(t.chain), x.requests)
	for _, p := range st.Providers {
		fmt.Fprintf(&b, "`%s`: %s", escape(p.Name), p.State)
		if !p.Usable() {
			fmt.Fprintf(&b, ", %s", escape(describe(p)))
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "Since: %s", x.began.UTC().Format("2006-01-02 15:04:05 UTC"))
	return b.String() + t.from()
}

func calmText(t *tracker, x *exhaustion, st failover.ChainStatus) string {
	return fmt.Sprintf(":white_check_mark: AI Failover Recovered\nChain `%s` answers again\nActive: `%s` is handling requests\nDuration: %s, %d requests failed%s",
		escape(t.chain), escape(st.Active), x.last.Sub(x.began).Round(time.Second), x.requests, t.from())
}

func rejectedText(chain, reason string) string {
	return fmt.Sprintf(":warning: ProviderChain Rejected\nChain: `%s`; its former version stays in use\nError: %s", escape(chain), escape(reason))
}
