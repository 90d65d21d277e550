package provider

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/understudy-dev/understudy/internal/failover"
)

// bedrockVersion is the version of Messages that every model behind
// InvokeModel takes, and that ARN-versioned ones insist on.
const bedrockVersion = "bedrock-2023-05-31"

// unknownBetas are values of anthropic-beta that mean something to Anthropic's
// own API and its tools only, or nothing any more. Other hosts answer 400 to a
// value that they do not know; what else an app asks for is its own decision.
var unknownBetas = []string{
	"messages-2023-12-15", "prompt-caching-2024-07-31", "pdfs-2024-09-25", "token-counting-2024-11-01",
	"message-batches-2024-09-24", "extended-cache-ttl-2025-04-11", "claude-code-20250219", "oauth-2025-04-20",
}

// invokeBody is a Messages body as InvokeModel wants it: the model and whether
// the answer is streamed stand in the path, and what Anthropic takes as headers
// stands in the body. Every other member keeps its bytes and its place.
func invokeBody(call failover.Call, h http.Header) (*failover.Replay, error) {
	body, err := readBody(call.Body)
	if err != nil {
		return nil, err
	}
	out := bytes.NewBuffer(make([]byte, 0, len(body)+64))
	out.WriteByte('{')
	present := map[string]bool{}
	err = failover.EachMember(body, func(name []byte, value failover.RawJSON) bool {
		switch key := string(name); key {
		case "model", "stream":
		default:
			present[key] = true
			appendMember(out, key, value)
		}
		return true
	})
	if err != nil {
		return nil, errors.New("the body is not a JSON object")
	}
	addHeaders(out, present, h)
	if call.Operation == failover.CountTokens {
		return countRequest(out, present), nil
	}
	out.WriteByte('}')
	return failover.NewReplay(out.Bytes()), nil
}

// addHeaders moves Anthropic's headers into the body.
func addHeaders(out *bytes.Buffer, present map[string]bool, h http.Header) {
	if !present["anthropic_version"] {
		appendMember(out, "anthropic_version", []byte(`"`+bedrockVersion+`"`))
	}
	if betas := betasOf(h["Anthropic-Beta"]); len(betas) > 0 && !present["anthropic_beta"] {
		appendMember(out, "anthropic_beta", asJSON(betas))
	}
	if id := h.Get("Anthropic-User-Profile-Id"); id != "" && !present["user_profile_id"] {
		appendMember(out, "user_profile_id", asJSON(id))
	}
	for name := range h {
		if strings.HasPrefix(name, "Anthropic-") {
			delete(h, name)
		}
	}
}

// betasOf lists the values of a header that may be repeated and may hold lists.
func betasOf(lines []string) []string {
	var betas []string
	for _, line := range lines {
		for beta := range strings.SplitSeq(line, ",") {
			if beta = strings.TrimSpace(beta); beta != "" && !slices.Contains(unknownBetas, beta) && !slices.Contains(betas, beta) {
				betas = append(betas, beta)
			}
		}
	}
	return betas
}

// countRequest wraps a body for CountTokens, which takes it as the text that
// InvokeModel would get. That needs a limit of the answer, which a body for
// counting has not.
func countRequest(out *bytes.Buffer, present map[string]bool) *failover.Replay {
	if !present["max_tokens"] {
		appendMember(out, "max_tokens", []byte("1"))
	}
	out.WriteByte('}')
	text := base64.StdEncoding.EncodeToString(out.Bytes())
	return failover.NewReplay([]byte(`{"input":{"invokeModel":{"body":"` + text + `"}}}`))
}

func appendMember(out *bytes.Buffer, name string, value []byte) {
	if out.Len() > 1 {
		out.WriteByte(',')
	}
	out.Write(asJSON(name))
	out.WriteByte(':')
	out.Write(value)
}

// asJSON writes strings and lists of them, for which there is no error.
func asJSON(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func readBody(body *failover.Replay) ([]byte, error) {
	r, err := body.Reader()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b := bytes.NewBuffer(make([]byte, 0, body.Size()+bytes.MinRead))
	_, err = b.ReadFrom(r)
	return b.Bytes(), err
}

// countBody is the answer of CountTokens in the words of Messages. It is read
// by the first Read, within that read's time.
type countBody struct {
	from io.ReadCloser
	out  *bytes.Reader
}

// maxCount bounds an answer that holds one number.
const maxCount = 64 << 10

// Read implements io.Reader.
func (b *countBody) Read(p []byte) (int, error) {
	if b.out == nil {
		body, err := io.ReadAll(io.LimitReader(b.from, maxCount))
		if err != nil {
			return 0, err
		}
		if n, ok := failover.RawJSON(bytes.TrimSpace(body)).Member("inputTokens").Int(); ok {
			body = append([]byte(`{"input_tokens":`), asJSON(n)...)
			body = append(body, '}')
		}
		b.out = bytes.NewReader(body)
	}
	return b.out.Read(p)
}

// Close implements io.Closer.
func (b *countBody) Close() error { return b.from.Close() }
