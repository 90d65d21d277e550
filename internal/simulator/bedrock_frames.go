package simulator

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"strings"
)

// BadChecksum sends one frame whose checksum is wrong after After content events, and goes on. Streams of Bedrock only.
const BadChecksum Effect = "bad-checksum"

// frame writes an event as a frame of an AWS event stream. A frame is
//
//	total length, length of the headers     4 bytes each
//	CRC-32 of these 8 bytes                 4 bytes
//	headers, payload
//	CRC-32 of all that                      4 bytes
//
// with big-endian numbers. A header is the length of its name (1 byte), the name, 7 for a string, the length of the
// string (2 bytes) and the string.
func (x *exchange) frame(ev event) string {
	kind, message := ":event-type", "event"
	name, payload := ev.name, ev.data
	switch {
	case ev.phase == exception:
		kind, message = ":exception-type", "exception"
	case strings.HasPrefix(x.action, "invoke"):
		name = "chunk"
		payload = encode(struct {
			Bytes   string `json:"bytes"`
			Padding string `json:"p"`
		}{base64.StdEncoding.EncodeToString([]byte(ev.data)), padding(len(ev.data))})
	}
	return rawFrame([]byte(payload), kind, name, ":content-type", "application/json", ":message-type", message)
}

// rawFrame writes a frame with headers given as pairs.
func rawFrame(payload []byte, headers ...string) string {
	var head []byte
	for i := 0; i+1 < len(headers); i += 2 {
		name, value := headers[i], headers[i+1]
		head = append(append(head, byte(len(name))), name...)
		head = binary.BigEndian.AppendUint16(append(head, 7), uint16(len(value)))
		head = append(head, value...)
	}
	total := 12 + len(head) + len(payload) + 4
	out := binary.BigEndian.AppendUint32(make([]byte, 0, total), uint32(total))
	out = binary.BigEndian.AppendUint32(out, uint32(len(head)))
	out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out))
	out = append(append(out, head...), payload...)
	return string(binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out)))
}

// spoiled is a frame with a wrong checksum.
func spoiled(frame string) string {
	last := len(frame) - 1
	return frame[:last] + string(frame[last]^0xff)
}

// padding hides the length of what was said, as Bedrock does with every event.
func padding(n int) string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	return letters[:1+n%len(letters)]
}
