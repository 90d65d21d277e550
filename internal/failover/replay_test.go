package failover

import (
	"bytes"
	"io"
	"sync"
	"testing"
)

// lend returns a replay over a buffer of its own, and tells whether the buffer
// went back: only then does the pool lend it again.
func lend(t *testing.T, body string) (r *Replay, wentBack func() bool) {
	t.Helper()
	b := &Buffer{Bytes: []byte(body), pool: &sync.Pool{}}
	return NewLoanedReplay(b), func() bool { return len(b.Bytes) == 0 }
}

func read(t *testing.T, r *Replay) (io.ReadCloser, string) {
	t.Helper()
	reader, err := r.Reader()
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	return reader, string(b)
}

func TestABodyGoesBackWhenNobodyNeedsIt(t *testing.T) {
	const body = `{"model":"m"}`
	for _, c := range []struct {
		name string
		use  func(*testing.T, *Replay) (late func())
	}{
		{"never sent", func(*testing.T, *Replay) func() { return nil }},
		{"read to its end", func(t *testing.T, r *Replay) func() { read(t, r); return nil }},
		{"read and closed", func(t *testing.T, r *Replay) func() { rc, _ := read(t, r); rc.Close(); rc.Close(); return nil }},
		{"closed unread, after the release", func(t *testing.T, r *Replay) func() {
			rc, err := r.Reader()
			if err != nil {
				t.Fatal(err)
			}
			return func() { rc.Close() }
		}},
		{"still being read at the release", func(t *testing.T, r *Replay) func() {
			rc, err := r.Reader()
			if err != nil {
				t.Fatal(err)
			}
			rc.Read(make([]byte, 3))
			return func() {
				if rest, err := io.ReadAll(rc); err != nil || string(rest) != body[3:] {
					t.Errorf("the rest is %q, %v", rest, err)
				}
			}
		}},
		{"sent again with another model", func(t *testing.T, r *Replay) func() {
			s := r.spliced(9, 12, []byte(`"other"`))
			rc, got := read(t, s)
			if got != `{"model":"other"}` || s.Size() != int64(len(got)) {
				t.Errorf("got %q of %d bytes", got, s.Size())
			}
			rc.Close()
			s.Release()
			return nil
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, wentBack := lend(t, body)
			late := c.use(t, r)
			if wentBack() {
				t.Fatal("the bytes went back before the release")
			}
			r.Release()
			r.Release()
			if late != nil {
				if wentBack() {
					t.Fatal("the bytes went back while a reader needed them")
				}
				late()
			}
			if !wentBack() {
				t.Error("the bytes did not go back")
			}
			if _, err := r.Reader(); err == nil {
				t.Error("a released body can be read")
			}
		})
	}
}

func TestAKeptBodyDoesNotGoBack(t *testing.T) {
	r, wentBack := lend(t, "{}")
	r.Keep()
	r.Release()
	if wentBack() {
		t.Error("bytes went back that somebody refers to")
	}
}

// TestReadersAndReleaseRace lends few buffers to many requests, each of which
// fills its own; a buffer that went back too early would be seen changed.
func TestReadersAndReleaseRace(t *testing.T) {
	var buffers Buffers
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for range 300 {
				b := buffers.Get(3000)
				b.Bytes = append(b.Bytes, bytes.Repeat([]byte{byte('a' + g)}, 3000)...)
				r := NewLoanedReplay(b)
				reader, err := r.Reader()
				if err != nil {
					t.Error(err)
					return
				}
				var both sync.WaitGroup
				both.Go(func() {
					got, _ := io.ReadAll(reader)
					if n := bytes.Count(got, []byte{byte('a' + g)}); n != len(got) {
						t.Errorf("%d of %d bytes are another request's", len(got)-n, len(got))
					}
				})
				both.Go(func() { reader.Close() })
				r.Release()
				both.Wait()
			}
		})
	}
	all.Wait()
}
