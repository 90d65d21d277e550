package provider

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"

	"github.com/understudy-dev/understudy/internal/failover"
)

// frameBody reads the frames of an AWS event stream as server-sent events. Of a
// stream of Converse each frame becomes the event of its type, and an exception
// one that is called so; of a stream of InvokeModel each becomes the event of
// Anthropic's that it holds, byte for byte, and an exception Anthropic's error.
//
// It hands on one frame at a time, when it is complete and both its checksums
// are right; a body that ends within a frame was cut.
type frameBody struct {
	body    io.ReadCloser
	invoke  bool
	decoder *eventstream.Decoder
	frame   frameReader
	payload []byte // scratch
	out     []byte
	rest    []byte // of out, what was not read yet
	err     error
}

// maxScratch bounds what is kept from one frame for the next.
const maxScratch = 64 << 10

func newFrameBody(body io.ReadCloser, invoke bool) *frameBody {
	return &frameBody{body: body, invoke: invoke, decoder: eventstream.NewDecoder(), frame: frameReader{from: body}}
}

// Read implements io.Reader.
func (b *frameBody) Read(p []byte) (int, error) {
	for len(b.rest) == 0 {
		if b.err != nil {
			return 0, b.err
		}
		b.next()
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// Close implements io.Closer.
func (b *frameBody) Close() error { return b.body.Close() }

// next reads one frame into b.rest, or its failure into b.err.
func (b *frameBody) next() {
	b.frame.size, b.frame.err = 0, nil
	m, err := b.decoder.Decode(&b.frame, b.payload)
	switch {
	case err == nil:
	case b.frame.err == nil:
		b.err = fmt.Errorf("%w: %w", failover.ErrFrame, err)
		return
	case errors.Is(b.frame.err, io.EOF) && b.frame.size > 0:
		// The decoder takes an end between two fields for the end of the stream.
		b.err = io.ErrUnexpectedEOF
		return
	default:
		b.err = b.frame.err
		return
	}
	if b.payload = m.Payload[:0]; cap(b.payload) > maxScratch {
		b.payload = nil
	}
	b.out = b.event(b.out[:0], m)
	b.rest = b.out
}

// event appends what a frame means.
func (b *frameBody) event(dst []byte, m eventstream.Message) []byte {
	switch header(m, ":message-type") {
	case "exception":
		message := failover.RawJSON(bytes.TrimSpace(m.Payload)).Member("message").Text()
		return b.exception(dst, header(m, ":exception-type"), message)
	case "error":
		return b.exception(dst, header(m, ":error-code"), header(m, ":error-message"))
	case "event":
	default:
		return dst
	}
	if !b.invoke {
		return appendEvent(dst, header(m, ":event-type"), m.Payload)
	}
	// What is no event of the model leaves no trace.
	text := failover.RawJSON(bytes.TrimSpace(m.Payload)).Member("bytes").Text()
	event, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(event) == 0 {
		return dst
	}
	return appendEvent(dst, failover.RawJSON(event).Member("type").Text(), event)
}

// anthropicTypes are Anthropic's words for the exceptions of a stream; any
// other is an api_error.
var anthropicTypes = map[string]string{
	"throttlingexception": "rate_limit_error", "serviceunavailableexception": "overloaded_error",
	"validationexception": "invalid_request_error", "modeltimeoutexception": "timeout_error",
}

func (b *frameBody) exception(dst []byte, name, message string) []byte {
	if !b.invoke {
		return appendEvent(dst, "exception", asJSON(struct {
			Type    string `json:"type"`
			Message string `json:"message"`
		}{name, message}))
	}
	type details struct {
		Code string `json:"error_code"`
	}
	type inner struct {
		Type    string  `json:"type"`
		Message string  `json:"message"`
		Details details `json:"details"`
	}
	kind := anthropicTypes[strings.ToLower(name)]
	if kind == "" {
		kind = "api_error"
	}
	if name != "" {
		name = strings.ToUpper(name[:1]) + name[1:]
	}
	return appendEvent(dst, "error", asJSON(struct {
		Type  string `json:"type"`
		Error inner  `json:"error"`
	}{"error", inner{kind, message, details{name}}}))
}

// header returns a frame's header as text; empty for one that is absent.
func header(m eventstream.Message, name string) string {
	if v, ok := m.Headers.Get(name).(eventstream.StringValue); ok {
		return string(v)
	}
	return ""
}

// appendEvent appends one server-sent event. Line ends, which JSON allows
// between its tokens only, begin a further line of data.
func appendEvent(dst []byte, name string, data []byte) []byte {
	if name != "" {
		dst = append(dst, "event: "...)
		dst = append(dst, strings.NewReplacer("\n", " ", "\r", " ").Replace(name)...)
		dst = append(dst, '\n')
	}
	for {
		end := bytes.IndexAny(data, "\r\n")
		if end < 0 {
			break
		}
		dst = append(append(append(dst, "data: "...), data[:end]...), '\n')
		data = data[end+1:]
	}
	return append(append(append(dst, "data: "...), data...), "\n\n"...)
}

// frameReader counts the bytes of the frame that is being read. A frame says
// its own length, so what it says is bounded here.
type frameReader struct {
	from io.Reader
	size int
	err  error
}

// Read implements io.Reader.
func (r *frameReader) Read(p []byte) (int, error) {
	if r.size > failover.MaxEventSize {
		r.err = failover.ErrEventTooLarge
		return 0, r.err
	}
	n, err := r.from.Read(p)
	r.size += n
	if err != nil {
		r.err = err
	}
	return n, err
}
