package provider

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/understudy-dev/understudy/internal/failover"
)

// secret reads one value and notices when it changes. It has no goroutine: a
// file is looked at again by whoever needs the value, at most once a second,
// so that a rotated key is used within a second of its appearing.
type secret struct {
	ref    failover.SecretRef
	dir    string
	getenv func(string) string
	salt   []byte

	mu      sync.Mutex
	looked  time.Time
	seen    fileID
	current failover.Credentials
	err     error
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
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.looked.IsZero() && now.Sub(s.looked) < lookAgain {
		return s.current, s.err
	}
	s.looked = now
	s.read()
	return s.current, s.err
}

// read looks at the source. Requires the lock: reads are of local files of a
// few bytes, and whoever waits needs the same value.
func (s *secret) read() {
	if s.ref.Env != "" {
		s.take(s.getenv(s.ref.Env))
		return
	}
	path, err := s.path()
	if err != nil {
		s.forget(err)
		return
	}
	info, err := os.Stat(path)
	if err != nil {
		s.forget(s.missing(err))
		return
	}
	id := fileID{info, info.Size(), info.ModTime()}
	if id.equal(s.seen) && s.err == nil {
		return
	}
	f, err := os.Open(path)
	if err != nil {
		s.forget(s.missing(err))
		return
	}
	defer f.Close()
	value, err := io.ReadAll(io.LimitReader(f, maxSecret))
	if err != nil {
		s.forget(s.missing(err))
		return
	}
	s.take(string(value))
	s.seen = id
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

// take accepts a value that was read.
func (s *secret) take(value string) {
	value = strings.TrimSpace(value)
	switch {
	case value == "":
		s.forget(fmt.Errorf("%s: is empty", s.name()))
	case strings.ContainsFunc(value, func(r rune) bool { return r < 0x20 || r == 0x7f }):
		s.forget(fmt.Errorf("%s: holds a line break or another control character; store the key alone", s.name()))
	default:
		mac := hmac.New(sha256.New, s.salt)
		mac.Write([]byte(value))
		s.current, s.err = failover.NewCredentials(hex.EncodeToString(mac.Sum(nil))[:12], value), nil
	}
}

func (s *secret) forget(err error) {
	s.current, s.err, s.seen = failover.Credentials{}, err, fileID{}
}
