package provider

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/understudy-dev/understudy/internal/failover"
)

// frameOf writes a frame with headers given as pairs.
func frameOf(payload string, headers ...string) []byte {
	var head []byte
	for i := 0; i+1 < len(headers); i += 2 {
		head = append(append(head, byte(len(headers[i]))), headers[i]...)
		head = binary.BigEndian.AppendUint16(append(head, 7), uint16(len(headers[i+1])))
		head = append(head, headers[i+1]...)
	}
	out := binary.BigEndian.AppendUint32(nil, uint32(16+len(head)+len(payload)))
	out = binary.BigEndian.AppendUint32(out, uint32(len(head)))
	out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out))
	out = append(append(out, head...), payload...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out))
}

func eventFrame(kind, payload string) []byte {
	return frameOf(payload, ":event-type", kind, ":content-type", "application/json", ":message-type", "event")
}

func readFrames(in io.Reader, invoke bool) (string, error) {
	b := newFrameBody(io.NopCloser(in), invoke)
	out, err := io.ReadAll(b)
	return string(out), err
}

func TestFramesBecomeEvents(t *testing.T) {
	for name, c := range map[string]struct {
		invoke   bool
		in, want string
	}{
		"events of Converse": {
			false, string(eventFrame("messageStart", `{"role":"assistant"}`)) + string(eventFrame("metadata", "{\"a\":1,\r\n\"b\":2}")),
			"event: messageStart\ndata: {\"role\":\"assistant\"}\n\nevent: metadata\ndata: {\"a\":1,\ndata: \ndata: \"b\":2}\n\n",
		},
		"an exception of Converse": {
			false, string(frameOf(`{"message":"Too <many>"}`, ":exception-type", "throttlingException", ":message-type", "exception")),
			"event: exception\ndata: {\"type\":\"throttlingException\",\"message\":\"Too <many>\"}\n\n",
		},
		"an error without a name": {
			false, string(frameOf("", ":error-code", "InternalFailure", ":error-message", "oh", ":message-type", "error")),
			"event: exception\ndata: {\"type\":\"InternalFailure\",\"message\":\"oh\"}\n\n",
		},
		"a frame of an unknown kind": {false, string(frameOf("x", ":message-type", "weather")), ""},
		"an event of InvokeModel": {
			true, string(eventFrame("chunk", `{"bytes":"eyJ0eXBlIjoicGluZyIsIngiOiAiPGI+In0=","p":"abc"}`)),
			"event: ping\ndata: {\"type\":\"ping\",\"x\": \"<b>\"}\n\n",
		},
		"an event of InvokeModel without an event": {true, string(eventFrame("chunk", `{"p":"abc"}`)), ""},
		"an exception of InvokeModel": {
			true, string(frameOf(`{"message":"Too many"}`, ":exception-type", "throttlingException", ":message-type", "exception")),
			"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"Too many\",\"details\":{\"error_code\":\"ThrottlingException\"}}}\n\n",
		},
		"a failed model of InvokeModel": {
			true, string(frameOf(`{"message":"oh"}`, ":exception-type", "modelStreamErrorException", ":message-type", "exception")),
			"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"oh\",\"details\":{\"error_code\":\"ModelStreamErrorException\"}}}\n\n",
		},
		"nothing": {false, "", ""},
	} {
		for _, in := range []io.Reader{
			strings.NewReader(c.in), iotest.OneByteReader(strings.NewReader(c.in)), iotest.DataErrReader(strings.NewReader(c.in)),
		} {
			if got, err := readFrames(in, c.invoke); err != nil || got != c.want {
				t.Errorf("%s: got %q, %v; want %q", name, got, err, c.want)
			}
		}
	}
}

func TestAFrameIsHandedOnBeforeTheNextOneComes(t *testing.T) {
	r, w := io.Pipe()
	b := newFrameBody(r, false)
	go w.Write(eventFrame("messageStart", "{}"))
	buf := make([]byte, 100)
	n, err := b.Read(buf)
	if want := "event: messageStart\ndata: {}\n\n"; err != nil || string(buf[:n]) != want {
		t.Errorf("got %q, %v", buf[:n], err)
	}
	w.CloseWithError(errors.New("gone"))
	if _, err := b.Read(buf); err == nil || err.Error() != "gone" {
		t.Errorf("the connection's end is told as %v", err)
	}
}

func TestNoCutWithinAFrameLooksLikeAnEnd(t *testing.T) {
	frames := bytes.Join([][]byte{eventFrame("messageStart", "{}"), eventFrame("messageStop", `{"stopReason":"end_turn"}`)}, nil)
	boundary := len(eventFrame("messageStart", "{}"))
	for cut := range frames {
		_, err := readFrames(bytes.NewReader(frames[:cut]), false)
		if clean := cut == 0 || cut == boundary; clean != (err == nil) || !clean && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut at %d of %d: %v", cut, len(frames), err)
		}
	}
}

func TestADamagedFrameIsNotRead(t *testing.T) {
	whole := eventFrame("messageStop", `{"stopReason":"end_turn"}`)
	for at := range whole {
		damaged := bytes.Clone(whole)
		damaged[at] ^= 0x10
		out, err := readFrames(bytes.NewReader(damaged), false)
		if out != "" || !errors.Is(err, failover.ErrFrame) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("byte %d: %q, %v", at, out, err)
		}
	}
}

// endless is a payload without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestAFrameThatClaimsToBeHugeIsGivenUp(t *testing.T) {
	head := binary.BigEndian.AppendUint32(nil, 1<<31)
	head = binary.BigEndian.AppendUint32(head, 0)
	head = binary.BigEndian.AppendUint32(head, crc32.ChecksumIEEE(head))
	if _, err := readFrames(io.MultiReader(bytes.NewReader(head), endless{}), false); !errors.Is(err, failover.ErrEventTooLarge) {
		t.Errorf("got %v", err)
	}
}

func FuzzFrames(f *testing.F) {
	f.Add(eventFrame("contentBlockDelta", `{"delta":{"text":"a"}}`), false)
	f.Add(eventFrame("chunk", `{"bytes":"e30="}`), true)
	f.Add(frameOf(`{"message":"x"}`, ":exception-type", "throttlingException", ":message-type", "exception"), true)
	f.Add(frameOf("{", ":message-type", "event"), false)
	f.Fuzz(func(t *testing.T, in []byte, invoke bool) {
		for _, repaired := range [][]byte{in, repair(in)} {
			out, err := readFrames(bytes.NewReader(repaired), invoke)
			if out != "" && !strings.HasSuffix(out, "\n\n") {
				t.Fatalf("half an event: %q", out)
			}
			if err == nil && len(repaired) > 0 && len(repaired) < 16 {
				t.Fatalf("%d bytes are taken for frames", len(repaired))
			}
		}
	})
}

// repair sets length and checksums, so that what is inside is looked at.
func repair(in []byte) []byte {
	if len(in) < 16 {
		return in
	}
	out := binary.BigEndian.AppendUint32(nil, uint32(len(in)))
	out = append(out, 0, 0, in[6], in[7])
	out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out))
	out = append(out, in[12:len(in)-4]...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out))
}
