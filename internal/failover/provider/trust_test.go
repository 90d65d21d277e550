package provider

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/understudy-dev/understudy/internal/failover"
)

// authority signs itself, and a server of that name.
func authority(t *testing.T, name string) (caPEM string, server tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name}, IsCA: true, BasicConstraintsValid: true,
		// Bubbles begin in the year 2000.
		NotBefore: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// inHouse is a server with a certificate of its own authority.
func inHouse(t *testing.T, cert tls.Certificate, name *string) *httptest.Server {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { *name = r.TLS.ServerName }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func TestAnInHouseEndpointIsTrustedByItsOwnAuthority(t *testing.T) {
	const name = "llm.corp.example"
	ca, cert := authority(t, name)
	otherCA, otherCert := authority(t, name)
	asked := ""
	first, second := inHouse(t, cert, &asked), inHouse(t, otherCert, &asked)

	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "corp-ca"), 0o755); err != nil {
		t.Fatal(err)
	}
	put := func(value string) {
		t.Helper()
		path := filepath.Join(dir, "corp-ca", "ca.crt")
		if err := os.WriteFile(path+".new", []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	p := New(Options{SecretsDir: dir, Getenv: os.Getenv})
	defer p.CloseIdle()
	to := func(server *httptest.Server, serverName string) *endpoint {
		t.Helper()
		e, err := p.Endpoint(failover.ProviderConfig{
			Type: failover.OpenAICompatible, BaseURL: server.URL,
			TLS: failover.TLS{CA: failover.SecretRef{Secret: "corp-ca", Key: "ca.crt"}, ServerName: serverName},
		})
		if err != nil {
			t.Fatal(err)
		}
		return e.(*endpoint)
	}
	e := to(first, name)
	if _, err := e.Credential(); err == nil || !strings.Contains(err.Error(), `key "ca.crt" of Secret "corp-ca": is not there`) {
		t.Errorf("without the authority's certificate: %v", err)
	}

	put(ca)
	e.trust.ca.last.Store(nil) // as after a second
	if _, err := e.Credential(); err != nil {
		t.Error(err)
	}
	if _, err := send(t, e); err != nil || asked != name {
		t.Errorf("asked for %q: %v", asked, err)
	}
	for what, wrong := range map[string]*endpoint{"another authority": to(second, name), "another name": to(first, "other.corp.example"), "the address as the name": to(first, "")} {
		_, err := send(t, wrong)
		if v := failover.Classify(failover.Evidence{Err: err}); err == nil || v.Class != failover.TLSError {
			t.Errorf("%s: %v", what, err)
		}
	}

	put(otherCA)
	e.trust.ca.last.Store(nil)
	if _, err := send(t, to(second, name)); err != nil {
		t.Errorf("after the authority was replaced: %v", err)
	}
	if _, err := send(t, e); err == nil {
		t.Error("the former authority is still trusted")
	}

	put("no certificate")
	e.trust.ca.last.Store(nil)
	if _, err := e.Credential(); err == nil || !strings.Contains(err.Error(), `tls: key "ca.crt" of Secret "corp-ca": holds no certificate`) {
		t.Errorf("with something else: %v", err)
	}
	if _, err := send(t, e); err == nil {
		t.Error("an endpoint that cannot be verified was asked")
	}
}

func TestAReplacedAuthorityIsSeenWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "ca.crt")
		transports := map[*http.Transport]bool{}
		p := New(Options{Getenv: os.Getenv})
		trust, err := p.trust(&url.URL{Scheme: "https", Host: "llm.corp.example"}, failover.ProviderConfig{TLS: failover.TLS{CA: failover.SecretRef{File: file}}})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			ca, _ := authority(t, "llm.corp.example")
			if err := os.WriteFile(file+".new", []byte(ca), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(file+".new", file); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			for range 2 {
				transport, err := trust.transport()
				if err != nil {
					t.Fatal(err)
				}
				transports[transport] = true
			}
		}
		if len(transports) != 3 {
			t.Errorf("%d transports for 3 authorities", len(transports))
		}
	})
}

func TestTLSIsForHTTPS(t *testing.T) {
	_, err := New(Options{}).Endpoint(failover.ProviderConfig{Type: failover.OpenAICompatible, BaseURL: "http://llm.ml.svc", TLS: failover.TLS{ServerName: "a"}})
	if err == nil || !strings.HasPrefix(err.Error(), "tls: is for https addresses; write https://") {
		t.Errorf("got %v", err)
	}
}

// TestEgressProxiesAreForWhatIsElsewhere lets a proxy be configured, and asks
// who is sent through it.
func TestEgressProxiesAreForWhatIsElsewhere(t *testing.T) {
	seen := ""
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r.RequestURI }))
	defer proxy.Close()
	address, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	p := New(Options{Proxy: func(*http.Request) (*url.URL, error) { return address, nil }})
	defer p.CloseIdle()
	for host, through := range map[string]bool{
		"llm.ml.svc": true, "10.0.0.7": true, "[fd00::7]": true,
		"localhost": false, "LOCALHOST.": false, "app.localhost": false, "127.0.0.1": false, "127.9.9.9": false, "[::1]": false, "0.0.0.0": false, "[::ffff:127.0.0.1]": false,
	} {
		got, err := p.proxy(&http.Request{URL: &url.URL{Scheme: "http", Host: host + ":8000"}})
		if (got != nil) != through || err != nil {
			t.Errorf("%s: through %v, %v", host, got, err)
		}
	}
	e, err := p.Endpoint(failover.ProviderConfig{Type: failover.OpenAICompatible, BaseURL: "http://llm.ml.svc/v1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := send(t, e.(*endpoint)); err != nil || seen != "http://llm.ml.svc/v1/chat/completions" {
		t.Errorf("the proxy was asked for %q: %v", seen, err)
	}
	port := address.Port()
	own := New(Options{OwnPorts: []string{port}, Proxy: p.opts.Proxy})
	e, err = own.Endpoint(failover.ProviderConfig{Type: failover.OpenAICompatible, BaseURL: "http://llm.ml.svc/v1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := send(t, e.(*endpoint)); err == nil {
		t.Error("our own port was used as a proxy")
	}
}
