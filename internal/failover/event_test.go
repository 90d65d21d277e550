package failover

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// gathered is what one event of a test said.
type gathered struct{ raw, name, data string }

// drain takes all complete events out.
func drain(s *Splitter) []gathered {
	var all []gathered
	for {
		ev, ok := s.Next()
		if !ok {
			return all
		}
		all = append(all, gathered{string(ev.Raw), string(ev.Name), string(ev.Data)})
	}
}

// cutInto feeds a stream in pieces of n bytes.
func cutInto(t testing.TB, stream string, n int) []gathered {
	var s Splitter
	var all []gathered
	for rest := stream; rest != ""; {
		piece := rest[:min(n, len(rest))]
		rest = rest[len(piece):]
		if _, err := s.Write([]byte(piece)); err != nil {
			t.Fatal(err)
		}
		all = append(all, drain(&s)...)
	}
	s.Close()
	return append(all, drain(&s)...)
}

func TestASplitterCutsAStreamIntoEventsHoweverItArrives(t *testing.T) {
	tests := []struct {
		name, stream string
		want         []gathered
	}{
		{"line feeds", "event: a\ndata: 1\n\ndata: 2\n\n", []gathered{{"event: a\ndata: 1\n\n", "a", "1"}, {"data: 2\n\n", "", "2"}}},
		{"carriage returns with line feeds", "data: 1\r\n\r\ndata: 2\r\n\r\n", []gathered{{"data: 1\r\n\r\n", "", "1"}, {"data: 2\r\n\r\n", "", "2"}}},
		{"carriage returns", "data: 1\r\rdata: 2\r\r", []gathered{{"data: 1\r\r", "", "1"}, {"data: 2\r\r", "", "2"}}},
		{"a byte order mark", "\xef\xbb\xbfdata: 1\n\n", []gathered{{"data: 1\n\n", "", "1"}}},
		{"several data lines", "data: 1\ndata:  2\ndata\ndata:3\n\n", []gathered{{"data: 1\ndata:  2\ndata\ndata:3\n\n", "", "1\n 2\n\n3"}}},
		{"no space behind the colon", "event:a\ndata:1\n\n", []gathered{{"event:a\ndata:1\n\n", "a", "1"}}},
		{"a comment", ": hello\n\n", []gathered{{": hello\n\n", "", ""}}},
		{"a last event without a blank line", "data: 1\n\ndata: 2", []gathered{{"data: 1\n\n", "", "1"}, {"data: 2", "", "2"}}},
		{"a last event with half of it", "data: 2\n", []gathered{{"data: 2\n", "", "2"}}},
		{"white space at the end", "data: 1\n\n\n", []gathered{{"data: 1\n\n", "", "1"}}},
		{"other fields", "id: 7\nretry: 1\ndata: 1\n\n", []gathered{{"id: 7\nretry: 1\ndata: 1\n\n", "", "1"}}},
		{"the last of two names", "event: a\nevent: b\ndata: 1\n\n", []gathered{{"event: a\nevent: b\ndata: 1\n\n", "b", "1"}}},
		{"nothing", "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for n := 1; n <= len(tt.stream)+1; n++ {
				got := cutInto(t, tt.stream, n)
				if len(got) != len(tt.want) {
					t.Fatalf("pieces of %d: %d events %q, want %d", n, len(got), got, len(tt.want))
				}
				for i := range got {
					if got[i] != tt.want[i] {
						t.Errorf("pieces of %d: event %d = %q, want %q", n, i, got[i], tt.want[i])
					}
				}
			}
		})
	}
}

func TestAnEventWithoutDataHasNone(t *testing.T) {
	var s Splitter
	_, _ = s.Write([]byte("event: ping\n\ndata:\n\n"))
	if ev, ok := s.Next(); !ok || ev.Data != nil || string(ev.Name) != "ping" {
		t.Errorf("Next = %q %v, want an event without data", ev, ok)
	}
	if ev, ok := s.Next(); !ok || ev.Data == nil || len(ev.Data) != 0 || ev.Name != nil {
		t.Errorf("Next = %q %v, want an event with empty data", ev, ok)
	}
}

func TestASplitterHoldsWhatIsNotComplete(t *testing.T) {
	var s Splitter
	_, _ = s.Write([]byte("data: 1\n\ndata: 2\n"))
	if got := drain(&s); len(got) != 1 || s.Pending() != len("data: 2\n") {
		t.Errorf("%d events and %d bytes pending, want 1 and 8", len(got), s.Pending())
	}
	room, err := s.Space(9)
	if err != nil || len(room) != 9 {
		t.Fatalf("Space = %d bytes, %v", len(room), err)
	}
	s.Wrote(copy(room, "\ndata: 3"))
	if got := drain(&s); len(got) != 1 || got[0].data != "2" || s.Pending() != len("data: 3") {
		t.Errorf("events %q and %d bytes pending, want the held one and 7", got, s.Pending())
	}
	s.Wrote(0)
	s.Close()
	if got := drain(&s); len(got) != 1 || got[0].data != "3" {
		t.Errorf("the end of the stream gives %q, want the last event", got)
	}
}

func TestABufferThatOneEventBlewUpIsLetGo(t *testing.T) {
	var s Splitter
	_, _ = s.Write([]byte("data: " + strings.Repeat("x", 1<<20) + "\n\n"))
	if got := drain(&s); len(got) != 1 {
		t.Fatalf("%d events, want 1", len(got))
	}
	_, _ = s.Write([]byte("data: 1\n\n"))
	if got := drain(&s); len(got) != 1 || got[0].data != "1" || cap(s.buf) > 64<<10 {
		t.Errorf("events %q in a buffer of %d bytes", got, cap(s.buf))
	}
}

func TestASplitterRefusesAnEventBeyondTheLimit(t *testing.T) {
	var s Splitter
	if _, err := s.Write(bytes.Repeat([]byte("x"), MaxEventSize)); err != nil {
		t.Fatalf("at the limit: %v", err)
	}
	if _, err := s.Write([]byte("x")); !errors.Is(err, ErrEventTooLarge) {
		t.Errorf("beyond the limit: %v, want ErrEventTooLarge", err)
	}
	if _, err := s.Space(1); !errors.Is(err, ErrEventTooLarge) {
		t.Errorf("room beyond the limit: %v, want ErrEventTooLarge", err)
	}
}

func TestALongLineIsScannedOnlyOnce(t *testing.T) {
	var s Splitter
	_, _ = s.Write([]byte("data: "))
	piece := []byte(strings.Repeat("x", 1000))
	for range 2000 {
		_, _ = s.Write(piece)
		if _, ok := s.Next(); ok {
			t.Fatal("an event before its blank line")
		}
		if left := len(s.buf) - s.start - s.scanned; left > 4 {
			t.Fatalf("%d bytes would be scanned again", left)
		}
	}
	_, _ = s.Write([]byte("\n\n"))
	if got := drain(&s); len(got) != 1 || len(got[0].data) != 2000*1000 {
		t.Errorf("the long line is not whole")
	}
}

func TestALargeEventIsScannedOnlyOnce(t *testing.T) {
	const pieces = 2000
	for name, end := range map[string]string{"many lines": "\n", "one line": ""} {
		t.Run(name, func(t *testing.T) {
			var s Splitter
			piece := []byte("data: " + strings.Repeat("x", 1000) + end)
			for range pieces {
				_, _ = s.Write(piece)
				if _, ok := s.Next(); ok {
					t.Fatal("an event before its blank line")
				}
				if left := len(s.buf) - s.start - s.scanned; left > 4 {
					t.Fatalf("%d bytes would be scanned again", left)
				}
			}
			_, _ = s.Write([]byte("\n\n"))
			if got := drain(&s); len(got) != 1 || len(got[0].raw) < pieces*len(piece) {
				t.Errorf("the large event is not whole")
			}
		})
	}
}

func FuzzSplitter(f *testing.F) {
	f.Add("event: a\ndata: 1\n\ndata: 2\r\n\r\n: c\r\r", uint8(3))
	f.Add("\xef\xbb\xbfdata: 1\n\r\n\rdata", uint8(1))
	f.Add("\n\n\ndata:x\n\n", uint8(2))
	f.Fuzz(func(t *testing.T, stream string, piece uint8) {
		whole := cutInto(t, stream, len(stream)+1)
		cut := cutInto(t, stream, int(piece)+1)
		if len(whole) != len(cut) {
			t.Fatalf("%d events at once, %d in pieces of %d", len(whole), len(cut), int(piece)+1)
		}
		rest := strings.TrimPrefix(stream, string(byteOrderMark))
		for i := range whole {
			if whole[i] != cut[i] {
				t.Fatalf("event %d: %q at once, %q in pieces of %d", i, whole[i], cut[i], int(piece)+1)
			}
			after, ok := strings.CutPrefix(rest, whole[i].raw)
			if !ok {
				t.Fatalf("event %d is %q, but the stream goes on with %q", i, whole[i].raw, rest)
			}
			rest = after
		}
		if strings.TrimSpace(rest) != "" {
			t.Fatalf("left over: %q", rest)
		}
	})
}

func BenchmarkSplitter(b *testing.B) {
	chunk := []byte("data: {\"choices\":[{\"delta\":{\"content\":\" world\"}}]}\n\n")
	var s Splitter
	b.ReportAllocs()
	b.SetBytes(int64(len(chunk)))
	for b.Loop() {
		_, _ = s.Write(chunk)
		if _, ok := s.Next(); !ok {
			b.Fatal("no event")
		}
	}
}
