package failover

import (
	"bytes"
	"errors"
	"slices"
)

// Event is one complete event of a server-sent event stream. Its slices point
// into the Splitter's buffer and are valid until the next call of Next.
type Event struct {
	Raw  []byte // as received, the blank line that ends it included
	Name []byte // value of the last "event" field; nil for none
	Data []byte // the "data" lines joined by LF; nil for none
}

// MaxEventSize is the largest event that is accepted, the line limit of the
// official SDKs' own readers.
const MaxEventSize = 32 << 20

// ErrEventTooLarge reports an event beyond MaxEventSize.
var ErrEventTooLarge = errors.New("stream event larger than 32 MiB")

// ErrFrame reports a stream whose framing is damaged, where events come in
// frames.
var ErrFrame = errors.New("damaged frame in the stream")

// Splitter cuts a byte stream into server-sent events. It accepts LF, CRLF and
// CR line ends, a byte order mark at the start, several data lines, a missing
// space after the colon, comments, and a last event without a blank line. It
// does no I/O: Write gives it bytes, Next takes complete events out.
type Splitter struct {
	buf     []byte // unconsumed bytes; buf[:start] is consumed
	start   int
	scanned int    // bytes of buf[start:] known to hold no end of an event
	joined  []byte // scratch for events with several data lines
	begun   bool   // the byte order mark was looked for
	ended   bool   // Close was called
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// Write appends bytes of the stream. It fails only with ErrEventTooLarge.
func (s *Splitter) Write(p []byte) (int, error) {
	s.compact()
	if len(s.buf)+len(p) > MaxEventSize {
		return 0, ErrEventTooLarge
	}
	s.buf = append(s.buf, p...)
	return len(p), nil
}

// Space returns room for the next n bytes of the stream, which the caller
// fills before it calls Wrote: one copy less than Write. It fails only with
// ErrEventTooLarge.
func (s *Splitter) Space(n int) ([]byte, error) {
	s.compact()
	if len(s.buf)+n > MaxEventSize {
		return nil, ErrEventTooLarge
	}
	s.buf = slices.Grow(s.buf, n)
	return s.buf[len(s.buf) : len(s.buf)+n], nil
}

// Wrote appends the first n bytes of the room that Space returned.
func (s *Splitter) Wrote(n int) { s.buf = s.buf[:len(s.buf)+n] }

// compact moves what is unconsumed to the front of the buffer. A buffer that
// one huge event has blown up is let go of once it is empty.
func (s *Splitter) compact() {
	if s.start == len(s.buf) && cap(s.buf) > 64<<10 {
		s.buf, s.start, s.joined = nil, 0, nil
	}
	if s.start > 0 {
		s.buf = s.buf[:copy(s.buf, s.buf[s.start:])]
		s.start = 0
	}
}

// Close marks the end of the stream: what is left becomes a last event.
func (s *Splitter) Close() { s.ended = true }

// Pending reports how many bytes wait for the end of their event.
func (s *Splitter) Pending() int { return len(s.buf) - s.start }

// Next returns the next complete event. The second result is false when more
// bytes are needed or the stream is used up.
func (s *Splitter) Next() (Event, bool) {
	if !s.begun && !s.skipMark() {
		return Event{}, false
	}
	rest := s.buf[s.start:]
	end := s.eventEnd(rest)
	if end < 0 {
		if !s.ended || len(bytes.TrimSpace(rest)) == 0 {
			return Event{}, false
		}
		end = len(rest)
	}
	s.start += end
	s.scanned = 0
	return s.parse(rest[:end:end]), true
}

// skipMark drops a byte order mark. It reports false while too few bytes have
// come to tell.
func (s *Splitter) skipMark() bool {
	rest := s.buf[s.start:]
	if len(rest) < len(byteOrderMark) && bytes.HasPrefix(byteOrderMark, rest) && !s.ended {
		return false
	}
	s.begun = true
	if bytes.HasPrefix(rest, byteOrderMark) {
		s.start += len(byteOrderMark)
	}
	return true
}

// eventEnd returns the length of the first event of b with the blank line that
// ends it, or -1. A CR as the last byte does not end a line yet, since an LF
// may follow, unless the stream has ended.
func (s *Splitter) eventEnd(b []byte) int {
	i := s.scanned
	for i < len(b) {
		n := bytes.IndexAny(b[i:], "\r\n")
		if n < 0 {
			i = len(b) // a long line must not be searched again at every read
			break
		}
		i += n
		first := s.lineEnd(b, i)
		if first < 0 {
			break
		}
		second := s.lineEnd(b, i+first)
		switch {
		case second > 0:
			return i + first + second
		case second < 0: // undecided: look here again
			s.scanned = i
			return -1
		}
		i += first
	}
	// The last line end may be the first half of a blank line.
	s.scanned = max(0, min(i, len(b))-2)
	return -1
}

// lineEnd returns the length of the line end at b[i], 0 where there is none,
// and -1 where more bytes are needed to tell.
func (s *Splitter) lineEnd(b []byte, i int) int {
	switch {
	case i >= len(b):
		if s.ended {
			return 0
		}
		return -1
	case b[i] == '\n':
		return 1
	case b[i] != '\r':
		return 0
	case i+1 < len(b) && b[i+1] == '\n':
		return 2
	case i+1 < len(b) || s.ended:
		return 1
	}
	return -1
}

// parse reads the fields of one event.
func (s *Splitter) parse(raw []byte) Event {
	ev := Event{Raw: raw}
	lines := 0
	for rest := raw; len(rest) > 0; {
		line := rest
		if n := bytes.IndexAny(rest, "\r\n"); n >= 0 {
			line = rest[:n]
			rest = rest[n+1:]
			if len(rest) > 0 && raw[len(raw)-len(rest)-1] == '\r' && rest[0] == '\n' {
				rest = rest[1:]
			}
		} else {
			rest = nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(name) {
		case "event":
			ev.Name = value
		case "data":
			if lines++; lines == 1 {
				ev.Data = value
				continue
			}
			if lines == 2 {
				s.joined = append(s.joined[:0], ev.Data...)
			}
			s.joined = append(append(s.joined, '\n'), value...)
			ev.Data = s.joined
		}
	}
	return ev
}
