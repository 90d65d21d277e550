package provider

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// parseBaseURL checks an entry's address, or takes the kind's.
func parseBaseURL(k kind, raw string, hasKey bool) (*url.URL, error) {
	if raw == "" {
		raw = k.baseURL
	}
	if raw == "" {
		return nil, errors.New("baseURL: is required for this type; write the address that its SDK takes, such as https://llm.example.com/v1")
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("baseURL: %q is not an http or https address; write it with its scheme, such as https://llm.example.com/v1", shown(raw))
	}
	switch {
	case u.User != nil:
		return nil, errors.New("baseURL: holds a user or password; put the key into auth instead")
	case u.Fragment != "" || u.RawQuery != "" && (k.query == "" || !onlyQuery(u, k.query)):
		return nil, errors.New("baseURL: holds a query or a fragment; leave it out")
	case u.Scheme == "http" && hasKey && !private(u.Hostname()):
		return nil, fmt.Errorf("baseURL: %q would send the key in the clear; write https://", shown(raw))
	}
	u.Path = strings.TrimRight(u.Path, "/")
	if u.Path == "" {
		u.Path = k.path
	}
	u.RawPath = ""
	return u, nil
}

// onlyQuery reports an address whose query is that one parameter.
func onlyQuery(u *url.URL, name string) bool {
	q, err := url.ParseQuery(u.RawQuery)
	return err == nil && len(q) == 1 && len(q[name]) == 1 && q[name][0] != ""
}

// shown is an address without what could be secret in it.
func shown(raw string) string {
	raw, _, _ = strings.Cut(raw, "?")
	if _, after, ok := strings.Cut(raw, "@"); ok {
		return after
	}
	return raw
}

// private reports names and addresses that do not leave the machine, the
// cluster or the private network.
func private(host string) bool {
	host = strings.ToLower(host)
	if host == "localhost" || strings.HasSuffix(host, ".svc") || strings.Contains(host, ".svc.") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && (addr.IsLoopback() || addr.IsPrivate())
}

// hostID is the fault domain of an address: scheme, host and port.
func hostID(u *url.URL) string {
	return u.Scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), portOf(u))
}

func portOf(u *url.URL) string {
	switch port := u.Port(); {
	case port != "":
		return port
	case u.Scheme == "http":
		return "80"
	}
	return "443"
}
