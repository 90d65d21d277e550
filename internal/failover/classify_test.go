package failover

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"
)

// received is when the fixtures' answers arrived; their dates refer to it.
var received = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// fixture reads a captured answer: a line with the verdict, written by hand,
// then the answer as it came.
func fixture(t *testing.T, path string) (string, Evidence) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want, answer, _ := strings.Cut(string(raw), "\n")
	head, body, _ := strings.Cut(answer, "\n\n")
	resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(strings.ReplaceAll(head, "\n", "\r\n")+"\r\n\r\n")), nil)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	resp.Body.Close()
	ev := Evidence{Status: resp.StatusCode, Header: resp.Header, Body: []byte(body), Now: received}
	if resp.StatusCode == http.StatusOK {
		ev.Err = errInBand
	}
	return strings.TrimPrefix(want, "# "), ev
}

// said writes a verdict the way the fixtures do.
func said(v Verdict) string {
	flag := func(on bool, word string) string {
		if on {
			return word
		}
		return "-"
	}
	action := map[Action]string{Next: "next", Return: "return", Drop: "drop"}[v.Action]
	return fmt.Sprintf("%s %s %s %s %s %s %q", v.Class, v.Blame, action, flag(v.Strike, "strike"), flag(v.Retry, "retry"), v.Hold, v.Detail)
}

func TestEveryCapturedFaultGetsItsVerdict(t *testing.T) {
	paths, err := filepath.Glob("testdata/faults/*/*.http")
	if err != nil || len(paths) < 50 {
		t.Fatalf("%d fixtures, %v", len(paths), err)
	}
	hit := map[int]bool{}
	for _, path := range paths {
		want, ev := fixture(t, path)
		v := Classify(ev)
		if got := said(v); got != want {
			t.Errorf("%s:\n got %s\nwant %s", path, got, want)
		}
		f := factsOf(ev)
		for i := range answerRows {
			if answerRows[i].matches(f) {
				hit[i] = true
				break
			}
		}
		// F06 and F37 are classified as what they wear, or hold.
		if name := filepath.Base(path)[:3]; v.Fault != name && name != "F06" && name != "F37" {
			t.Errorf("%s: the row is %s", path, v.Fault)
		}
	}
	// The app's own choice of a model is no fact of the answer.
	_, ev := fixture(t, "testdata/faults/openai/F26-model.http")
	ev.AppModel = true
	if got, want := said(Classify(ev)), `ModelNotFound caller return - - 0s "404 invalid_request_error"`; got != want {
		t.Errorf("a model that the app chose:\n got %s\nwant %s", got, want)
	}
	_, ev = fixture(t, "testdata/faults/bedrock/F27-on-demand.http")
	ev.AppModel = true
	if got, want := said(Classify(ev)), `InvalidRequest caller return - - 0s "400 ValidationException"`; got != want {
		t.Errorf("a model that the app chose at Bedrock:\n got %s\nwant %s", got, want)
	}
	for i, r := range answerRows {
		if !hit[i] && r.why != "the app chose a model that the provider does not know" {
			t.Errorf("no fixture hits row %d, %s: %s", i, r.fault, r.why)
		}
	}
}

func TestEveryFaultWithoutAnAnswerGetsItsVerdict(t *testing.T) {
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	hit := map[int]bool{}
	for _, c := range []struct {
		err  error
		want string
	}{
		{errImpatient, `ResponseTimeout nobody next - - 0s`},
		{errFirstByte, `FirstByteTimeout entry next strike - 0s`},
		{errResponse, `ResponseTimeout entry next strike - 0s`},
		{errFirstToken, `FirstTokenTimeout entry next strike - 0s`},
		{errIdle, `IdleTimeout entry next strike - 0s`},
		{errHTML, `UnexpectedContent host next strike - 0s`},
		{errContent, `UnexpectedContent entry next strike - 0s`},
		{errEncoding, `UnexpectedContent host next strike - 0s`},
		{ErrEventTooLarge, `UnexpectedContent entry next strike - 0s`},
		{fmt.Errorf("%w: checksum", ErrFrame), `UnexpectedContent entry next strike - 0s`},
		{fmt.Errorf("%w: %w", ErrNoCredential, dial(syscall.ECONNREFUSED)), `NoCredential credential next - - 30s`},
		{errEmpty, `EmptyAnswer entry next strike - 0s`},
		{errTruncated, `Truncated entry next strike - 0s`},
		{ErrShutdown, `ServiceUnavailable self drop - - 0s`},
		{context.Canceled, `ClientClosed nobody drop - - 0s`},
		{dial(&net.DNSError{Err: "no such host", IsNotFound: true}), `DNSError host next - - 1m0s`},
		{dial(&net.DNSError{Err: "server misbehaving", IsTemporary: true}), `DNSError host next strike - 0s`},
		{dial(os.NewSyscallError("connect", syscall.ENETUNREACH)), `EgressDown host next strike - 0s`},
		{dial(os.NewSyscallError("socket", syscall.EMFILE)), `EgressDown self next - - 0s`},
		{&net.OpError{Op: "proxyconnect", Err: errors.New("407")}, `EgressDown host next - - 1m0s`},
		{errors.New("net/http: TLS handshake timeout"), `ConnectTimeout host next strike - 0s`},
		{&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, `TLSError host next - - 5m0s`},
		{dial(os.ErrDeadlineExceeded), `ConnectTimeout host next strike - 0s`},
		{dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)), `ConnectionRefused host next strike - 0s`},
		{fmt.Errorf("read: %w", io.ErrUnexpectedEOF), `ConnectionReset host next strike retry 0s`},
		{&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, `ConnectionReset host next strike retry 0s`},
		{errors.New("stream error: stream ID 3; REFUSED_STREAM"), `ConnectionReset host next strike retry 0s`},
	} {
		v := Classify(Evidence{Err: c.err, Now: received})
		if got := said(v); !strings.HasPrefix(got, c.want) {
			t.Errorf("%v:\n got %s\nwant %s", c.err, got, c.want)
		}
		for i := range errorRows {
			if errorRows[i].match(c.err) {
				hit[i] = true
				break
			}
		}
	}
	for i, r := range errorRows {
		if !hit[i] {
			t.Errorf("no case hits row %d: %s", i, r.why)
		}
	}
}

func FuzzClassify(f *testing.F) {
	paths, _ := filepath.Glob("testdata/faults/*/*.http")
	for _, p := range paths {
		raw, _ := os.ReadFile(p)
		f.Add(429, "20", raw)
	}
	f.Fuzz(func(t *testing.T, status int, retryAfter string, body []byte) {
		v := Classify(Evidence{Status: status, Header: http.Header{"Retry-After": {retryAfter}}, Body: body, Now: received})
		if v.Hold < 0 || v.Hold > time.Hour || v.Class == "" || v.RetryAfter < 0 {
			t.Errorf("the verdict is %+v", v)
		}
		if len(v.Detail) > 80 || strings.ContainsFunc(v.Detail, func(r rune) bool { return unicode.IsControl(r) || r > 127 }) {
			t.Errorf("the detail is %q", v.Detail)
		}
	})
}

func FuzzPeek(f *testing.F) {
	f.Add([]byte(`{"model":"a","stream":true,"messages":[{"content":"\"stream\":false"}]}`), "b")
	f.Add([]byte(` { } `), `x"y`)
	f.Fuzz(func(t *testing.T, body []byte, model string) {
		s, err := Peek(body)
		if err != nil {
			return
		}
		r, err := s.withModel(NewReplay(body), model).Reader()
		if err != nil {
			t.Fatal(err)
		}
		out, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if model == s.Model && s.model[1] > 0 {
			return
		}
		again, err := Peek(out)
		if err != nil || again.Model != model && !strings.ContainsFunc(model, func(r rune) bool { return r == unicode.ReplacementChar }) {
			t.Errorf("%q with the model %q became %q: %v", body, model, out, err)
		}
		if at := s.model; at[1] > 0 && (!bytes.HasPrefix(out, body[:at[0]]) || !bytes.HasSuffix(out, body[at[1]:])) {
			t.Errorf("more than the model changed: %q became %q", body, out)
		}
	})
}
