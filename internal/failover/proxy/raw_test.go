package proxy

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

const ok = `{"model":"m","messages":[]}`

func post(path, headers, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s", path, headers, len(body), body)
}

func chunked(body string) string {
	return "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + body
}

func TestRawInput(t *testing.T) {
	for _, c := range []struct {
		name, request string
		status        int    // 0: any refusal
		part          string // of the body
		calls         int
	}{
		{"a plain request", post("/v1/chat/completions", "", ok), 200, `"content":"hi"`, 1},
		{"a named chain", post("/chains/chain/v1/chat/completions", "", ok), 200, "", 1},
		{"an unknown chain", post("/chains/other/v1/chat/completions", "", ok), 404, `\"chain\"`, 0},
		{"any other path", post("/v1/images/generations", "", ok), 200, "", 1},
		{"a stored answer", "GET /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n\r\n", 200, "", 1},
		{"an encoded separator", post("/v1/files/a%2f..%2fb", "", ok), 404, "cannot be passed", 0},
		{"an encoded dot segment", post("/v1/files/%2e%2e/models", "", ok), 404, "", 0},
		{"a backslash", post("/v1/files/..%5cb", "", ok), 404, "", 0},
		{"an empty segment", post("/v1//files", "", ok), 404, "", 0},
		{"a path with /v1 twice", post("/v1/v1/messages", "", ok), 404, "base URL", 0},
		{"dot segments", post("/v1/../v1/chat/completions", "", ok), 404, "", 0},
		{"an encoded slash", post("/v1%2fchat/completions", "", ok), 404, "", 0},
		{"a foreign host", strings.Replace(post("/v1/chat/completions", "", ok), "localhost", "evil.example:8089", 1), 421, "", 0},
		{"an absolute target", post("http://169.254.169.254/latest", "", ok), 400, "", 0},
		{"CONNECT", "CONNECT evil:443 HTTP/1.1\r\nHost: evil:443\r\n\r\n", 400, "", 0},
		{"OPTIONS for the server", "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "", 0},
		{"OPTIONS before a page's call", "OPTIONS /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n\r\n", 405, "", 0},
		{"HEAD", "HEAD /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 405, "", 0},
		{"an HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", 400, "", 0},
		{"an upgrade to HTTP/2", post("/v1/chat/completions", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n", ok), 200, "", 1},
		{"an upgrade to a websocket", "GET /v1/realtime HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nOrigin: https://evil.example\r\n\r\n", 403, "another origin", 0},
		{"a slash at the end", post("/v1/chat/completions/", "", ok), 404, "leave out the slash", 0},
		{"two slashes", post("//v1/chat/completions", "", ok), 404, "", 0},
		{"an encoded letter", post("/v1/%63hat/completions", "", ok), 404, "", 0},
		{"a semicolon", post("/v1/chat/completions;x", "", ok), 404, "", 0},
		{"a fragment", post("/v1/chat/completions#x", "", ok), 404, "", 0},
		{"a chain without a name", post("/chains//v1/chat/completions", "", ok), 404, "", 0},
		{"dot segments behind a chain", post("/chains/../v1/chat/completions", "", ok), 404, "", 0},
		{"a query", post("/v1/chat/completions?beta=true", "", ok), 200, "", 1},
		{"a wrong path in Anthropic's dialect", post("/chains/chain/v1/messages/batches", "", ok), 400, `{"type":"error"`, 0},
		{"Anthropic's header on another path", post("/v1/files", "anthropic-version: 2023-06-01\r\n", ok), 400, `{"type":"error"`, 0},
		{"another sidecar's request", post("/v1/messages", "Via: 1.1 proxy, 1.1 understudy\r\n", ok), 508, `{"type":"error"`, 0},
		{"a port-forward's host", strings.Replace(post("/v1/chat/completions", "", ok), "localhost", "127.0.0.1:40123", 1), 200, "", 1},
		{"an IPv6 host", strings.Replace(post("/v1/chat/completions", "", ok), "localhost", "[::1]:8089", 1), 200, "", 1},
		{"a host that begins like ours", strings.Replace(post("/v1/chat/completions", "", ok), "localhost", "localhost.evil.example", 1), 421, "localhost", 0},
		{"another loopback address", strings.Replace(post("/v1/chat/completions", "", ok), "localhost", "127.0.0.2", 1), 421, "", 0},
		{"an empty host", strings.Replace(post("/v1/chat/completions", "", ok), "localhost", "", 1), 421, "", 0},
		{"no host", "POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", 400, "", 0},
		{"a rebound page", strings.Replace(post("/v1/chat/completions", "Origin: http://evil.example:8089\r\nSec-Fetch-Site: same-origin\r\n", ok), "localhost", "evil.example:8089", 1), 421, "", 0},
		{"an old browser's page", post("/v1/chat/completions", "Origin: https://evil.example\r\n", ok), 403, "", 0},
		{"our own page", post("/v1/chat/completions", "Origin: http://localhost\r\nSec-Fetch-Site: same-origin\r\n", ok), 200, "", 1},
		{"text", strings.Replace(post("/v1/chat/completions", "", ok), "application/json", "text/plain", 1), 415, "", 0},
		{"JSON with a charset", strings.Replace(post("/v1/chat/completions", "", ok), "application/json", "Application/JSON; charset=utf-8", 1), 200, "", 1},
		{"a list", post("/v1/chat/completions", "", `[1]`), 400, "not a JSON object", 0},
		{"two values", post("/v1/chat/completions", "", `{"model":"m"} {}`), 400, "", 0},
		{"a length with a sign", "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: +2\r\n\r\n{}", 400, "", 0},
		{"a negative length", "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: -2\r\n\r\n{}", 400, "", 0},
		{"a space before a colon", "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length : 2\r\n\r\n{}", 400, "", 0},
		{"a NUL in a header", post("/v1/chat/completions", "X-A: a\x00b\r\n", ok), 400, "", 0},
		{"equal lengths", post("/v1/chat/completions", fmt.Sprintf("Content-Length: %d\r\n", len(ok)), ok), 200, "", 1},
		{"chunked twice", "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked, identity\r\n\r\n", 501, "", 0},
		{"bare line feeds around a chunk", chunked(fmt.Sprintf("%x\n%s\n0\n\n", len(ok), ok)), 400, "framed", 0},
		{"a chunk's size that is none", chunked("zz\r\n{}\r\n0\r\n\r\n"), 400, "framed", 0},
		{"chunks", chunked(fmt.Sprintf("1\r\n{\r\n%x;x=y\r\n%s\r\n0\r\nX-Trailer: t\r\n\r\n", len(ok)-1, ok[1:])), 200, "", 1},
		{"very large headers", post("/v1/chat/completions", strings.Repeat("X-Big: "+strings.Repeat("x", 60<<10)+"\r\n", 34), ok), 431, "", 0},
		{"too many chunks", chunked(strings.Repeat("100000\r\n"+strings.Repeat("x", 1<<20)+"\r\n", 33)), 413, "32 MiB", 0},
		{"OPTIONS", "OPTIONS /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n\r\n", 405, "", 0},
		{"a wrong method", "GET /v1/embeddings HTTP/1.1\r\nHost: localhost\r\n\r\n", 405, "POST", 0},
		{"another site's page", post("/v1/chat/completions", "Origin: https://evil.example\r\nSec-Fetch-Site: cross-site\r\n", ok), 403, "", 0},
		{"a form", strings.Replace(post("/v1/chat/completions", "", ok), "application/json", "application/x-www-form-urlencoded", 1), 415, "content-type: application/json", 0},
		{"our own loop", post("/v1/chat/completions", "Via: 1.1 understudy\r\n", ok), 508, "", 0},
		{"not JSON", post("/v1/chat/completions", "", `{"model":`), 400, "not valid JSON", 0},
		{"an empty body", post("/v1/chat/completions", "", ""), 400, "empty", 0},
		{"two models", post("/v1/chat/completions", "", `{"model":"a","model":"b"}`), 400, "twice", 0},
		{"too large", "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99999999\r\n\r\n", 413, "32 MiB", 0},
		{"differing lengths", "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x", 400, "", 0},
		{"two hosts", "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\nContent-Length: 2\r\n\r\n{}", 400, "", 0},
		{"an unknown transfer coding", "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n", 501, "", 0},
		{"large headers", post("/v1/chat/completions", "X-Big: "+strings.Repeat("x", 80<<10)+"\r\n", ok), 431, "", 0},
		{"not gzip", post("/v1/chat/completions", "Content-Encoding: gzip\r\n", ok), 400, "gzip", 0},
		{"another coding", post("/v1/chat/completions", "Content-Encoding: br\r\n", ok), 415, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := startEdge(t)
			resp, body, _ := e.raw(t, c.request)
			if resp == nil {
				t.Fatalf("no answer: %s", body)
			}
			if resp.StatusCode != c.status || !strings.Contains(body, c.part) {
				t.Errorf("got %d %s, want %d with %q", resp.StatusCode, body, c.status, c.part)
			}
			if c.calls == 0 && resp.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Error("a page was told that it may call")
			}
			if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") != (c.calls > 0 || resp.Header.Get("X-Understudy-Origin") == "sidecar") {
				t.Errorf("the headers are %v", resp.Header)
			}
			if n := e.provider.count(); n != c.calls {
				t.Errorf("%d calls reached the provider, want %d", n, c.calls)
			}
		})
	}
}

func TestNothingIsSmuggledBehindAChunkedBody(t *testing.T) {
	chunk := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(ok), ok)
	for path, status := range map[string]int{"/v1/chat/completions": 200, "/v1/v1/files": 404, "/-/status": 405} {
		e := startEdge(t)
		second := post("/v1/chat/completions", "", ok)
		resp, _, rest := e.raw(t, "POST "+path+" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"+chunk+second)
		if resp == nil || resp.StatusCode != status || !resp.Close {
			t.Fatalf("%s: got %+v", path, resp)
		}
		if b, _ := io.ReadAll(rest); len(b) > 0 {
			t.Errorf("%s: a second answer came: %s", path, b)
		}
		if n := e.provider.count(); n > 1 || n == 1 && status != 200 {
			t.Errorf("%s: %d calls reached the provider", path, n)
		}
	}
}
