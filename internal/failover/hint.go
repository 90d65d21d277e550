package failover

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// retryHint reads how long a provider asks to be left alone, from its headers
// and from its message, in the order of their precision. 0 means that there is
// no hint; "Retry-After: 0", which some servers send as a filler, is none.
func retryHint(h http.Header, message string, now time.Time) time.Duration {
	if ms, err := strconv.ParseFloat(h.Get("Retry-After-Ms"), 64); err == nil && ms > 0 {
		return seconds(ms / 1000)
	}
	if v := h.Get("Retry-After"); v != "" {
		if s, err := strconv.ParseFloat(v, 64); err == nil {
			return seconds(s)
		}
		if at, err := http.ParseTime(v); err == nil {
			return max(0, at.Sub(now))
		}
	}
	if d := resetHint(h, now); d > 0 {
		return d
	}
	return regainHint(message, now)
}

// maxHint bounds a hint before it is compared with anything, so that a huge
// number cannot overflow.
const maxHint = 366 * 24 * time.Hour

func seconds(s float64) time.Duration {
	switch {
	case !(s > 0): // NaN as well
		return 0
	case s > maxHint.Seconds():
		return maxHint
	}
	return time.Duration(s * float64(time.Second))
}

// resetHint reads the rate-limit headers of a budget that is used up:
// anthropic-ratelimit-<budget>-reset is an RFC 3339 time, x-ratelimit-reset-*
// a duration such as "6m0s" or, on some servers, a number of seconds.
func resetHint(h http.Header, now time.Time) time.Duration {
	var longest time.Duration
	for _, budget := range [...]string{"Requests", "Tokens", "Input-Tokens", "Output-Tokens"} {
		if h.Get("Anthropic-Ratelimit-"+budget+"-Remaining") == "0" {
			if at, err := time.Parse(time.RFC3339, h.Get("Anthropic-Ratelimit-"+budget+"-Reset")); err == nil {
				longest = max(longest, at.Sub(now))
			}
		}
	}
	for _, budget := range [...]string{"Requests", "Tokens"} {
		if h.Get("X-Ratelimit-Remaining-"+budget) != "0" {
			continue
		}
		reset := h.Get("X-Ratelimit-Reset-" + budget)
		if d, err := time.ParseDuration(reset); err == nil {
			longest = max(longest, d)
		} else if s, err := strconv.ParseFloat(reset, 64); err == nil {
			longest = max(longest, seconds(s))
		}
	}
	return min(longest, maxHint)
}

// regainHint reads the date in Anthropic's spend-limit message: "You will
// regain access on 2026-04-01 at 00:00 UTC."
func regainHint(message string, now time.Time) time.Duration {
	_, rest, ok := strings.Cut(message, "regain access on ")
	if !ok {
		return 0
	}
	const layout = "2006-01-02 at 15:04 utc"
	if len(rest) < len(layout) {
		return 0
	}
	at, err := time.Parse(layout, strings.ToLower(rest[:len(layout)]))
	if err != nil {
		return 0
	}
	return min(max(0, at.Sub(now)), maxHint)
}
