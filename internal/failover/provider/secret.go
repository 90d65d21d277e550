package provider

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/understudy-dev/understudy/internal/failover"
)

// secret reads one value and notices when it changes. It has no goroutine: a
// file is looked at again by whoever needs the value, at most once a second,
// so that a rotated key is used within a second of its appearing. Whoever comes
// meanwhile gets the value that is known, so nobody waits for a disk but those
// who need the very first one.
type secret struct {
	secretKey
	dir    string
	getenv func(string) string
	salt   []byte
	log    *slog.Logger

	last    atomic.Pointer[reading]
	looking atomic.Bool
}

// reading is what one look at the source found. It does not change.
type reading struct {
	at          time.Time
	seen        fileID // of a file that was read
	credentials failover.Credentials
	err         error
}

// fileID tells two states of a file apart; a Secret's volume swaps a symlink,
// so the inode changes with the content.
type fileID struct {
	info    os.FileInfo
	size    int64
	changed time.Time
}

func (a fileID) equal(b fileID) bool {
	return a.info != nil && b.info != nil && os.SameFile(a.info, b.info) && a.size == b.size && a.changed.Equal(b.changed)
}

// lookAgain is how long a value is believed.
const lookAgain = time.Second

// maxSecret bounds what is read of a file.
const maxSecret = 64 << 10

// credentials returns the present value.
func (s *secret) credentials() (failover.Credentials, error) {
	now := time.Now()
	r := s.last.Load()
	switch {
	case r == nil:
		r = s.look(now, &reading{})
	case now.Sub(r.at) >= lookAgain && s.looking.CompareAndSwap(false, true):
		r = s.look(now, r)
		s.looking.Store(false)
	}
	return r.credentials, r.err
}

// look reads the source anew and publishes what it found.
func (s *secret) look(now time.Time, before *reading) *reading {
	r := *before
	r.at = now
	if s.ref.Env != "" {
		r.credentials, r.err = s.check(s.getenv(s.ref.Env))
	} else if value, seen, err := s.read(before.seen); err != nil {
		r = reading{at: now, err: err}
	} else if !seen.equal(before.seen) {
		r.seen = seen
		r.credentials, r.err = s.check(value)
	}
	s.last.Store(&r)
	s.tell(before.err, r.err)
	return &r
}

// tell logs what has changed. The errors name the place and never the value.
func (s *secret) tell(before, now error) {
	switch {
	case now != nil && (before == nil || before.Error() != now.Error()):
		s.log.Warn("a key is missing, and whoever needs it is skipped", "error", now)
	case now == nil && before != nil:
		s.log.Info("a missing key is there", "key", s.name())
	}
}

// read returns the file's content, or nothing where it is the one seen before.
func (s *secret) read(before fileID) (string, fileID, error) {
	path, err := s.path()
	if err != nil {
		return "", fileID{}, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", fileID{}, s.missing(err)
	}
	id := fileID{info, info.Size(), info.ModTime()}
	switch {
	case id.equal(before):
		return "", id, nil
	case !info.Mode().IsRegular():
		return "", fileID{}, fmt.Errorf("%s: is not a file", s.name())
	case info.Size() > maxSecret:
		return "", fileID{}, fmt.Errorf("%s: is larger than %d KiB, which no key is", s.name(), maxSecret>>10)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fileID{}, s.missing(err)
	}
	defer f.Close()
	value, err := io.ReadAll(io.LimitReader(f, maxSecret))
	if err != nil {
		return "", fileID{}, s.missing(err)
	}
	return string(value), id, nil
}

// path is where the value's file is. The names come from a chain, so they must
// be names and not ways out of the folder.
func (s *secret) path() (string, error) {
	if s.ref.File != "" {
		return s.ref.File, nil
	}
	if s.dir == "" {
		return "", fmt.Errorf("%s: no Secrets are mounted; start the sidecar with --secrets-dir", s.name())
	}
	for _, part := range []string{s.ref.Secret, s.ref.Key} {
		if part == "" || part == "." || part == ".." || strings.ContainsAny(part, `/\`) {
			return "", fmt.Errorf("%s: %q is not a name of a Secret or of a key", s.name(), part)
		}
	}
	return filepath.Join(s.dir, s.ref.Secret, s.ref.Key), nil
}

// missing says what is not there, in words that name the reference only.
func (s *secret) missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		if s.ref.Secret != "" {
			if _, err := os.Stat(filepath.Join(s.dir, s.ref.Secret)); errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("%s: %w", s.name(), failover.ErrSecretNotMounted)
			}
			return fmt.Errorf("%s: is not there; add the key to the Secret", s.name())
		}
		return fmt.Errorf("%s: is not there; create it", s.name())
	}
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		err = path.Err
	}
	return fmt.Errorf("%s: cannot be read: %w", s.name(), err)
}

func (s *secret) name() string {
	switch {
	case s.ref.Env != "":
		return "environment variable " + s.ref.Env
	case s.ref.File != "":
		return "file " + s.ref.File
	}
	return fmt.Sprintf("key %q of Secret %q", s.ref.Key, s.ref.Secret)
}

// check accepts a value that was read.
func (s *secret) check(value string) (failover.Credentials, error) {
	value = strings.TrimSpace(value)
	if compact := new(bytes.Buffer); strings.HasPrefix(value, "{") && json.Compact(compact, []byte(value)) == nil {
		value = compact.String() // a set of keys, which people write over several lines
	}
	switch {
	case value == "" && s.ref.Env != "":
		return failover.Credentials{}, fmt.Errorf("%s: is not set; give it to the sidecar", s.name())
	case value == "":
		return failover.Credentials{}, fmt.Errorf("%s: is empty", s.name())
	case !s.text && strings.ContainsFunc(value, func(r rune) bool { return r < 0x20 || r == 0x7f }):
		return failover.Credentials{}, fmt.Errorf("%s: holds a line break or another control character; store the key alone", s.name())
	}
	mac := hmac.New(sha256.New, s.salt)
	mac.Write([]byte(value))
	return failover.NewCredentials(hex.EncodeToString(mac.Sum(nil))[:12], value), nil
}
