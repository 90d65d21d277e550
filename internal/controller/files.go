package controller

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/understudy-dev/understudy/internal/controller/schema"
)

// files watches chain files by looking at them. A stat every half second costs
// nothing that can be measured, and sees what notifications miss: a ConfigMap
// that changes by the swap of a symlink two levels up, a folder that did not
// exist yet, a network mount.
//
// It is used by one goroutine.
type files struct {
	paths  []string
	merger *merger
	log    *slog.Logger
	seen   map[string]*fileState
}

// fileState is what was known of a file when it was handled last.
type fileState struct {
	stamp  stamp
	digest [sha256.Size]byte
	chains []string
}

// stamp tells whether a file has to be read again.
type stamp struct {
	target string // behind the symlinks
	size   int64
	mtime  time.Time
}

// maxChainFile bounds a chain file; objects of the API cannot be larger either.
const maxChainFile = 1 << 20

// newFiles loads every file. The first bad one is an error.
func newFiles(paths []string, m *merger, log *slog.Logger) (*files, error) {
	f := &files{paths: paths, merger: m, log: log, seen: map[string]*fileState{}}
	for _, p := range paths {
		found, err := ChainFiles(p)
		if err != nil {
			return nil, fmt.Errorf("--chain-file %s: %w", p, err)
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("--chain-file %s: the folder holds no .yaml file; add one with a ProviderChain", p)
		}
		for _, path := range found {
			if err := f.look(path); err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
		}
	}
	return f, nil
}

// ChainFiles lists the files of a path: itself, or the YAML files of a folder by
// name, without the hidden ones that a ConfigMap's mount is made of. The error
// does not repeat the path.
func ChainFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	var found []string
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); !strings.HasPrefix(e.Name(), ".") && (ext == ".yaml" || ext == ".yml") {
			found = append(found, filepath.Join(path, e.Name()))
		}
	}
	slices.Sort(found)
	return found, nil
}

func withoutPath(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err
	}
	return err
}

// poll looks at every file once.
func (f *files) poll() {
	for _, p := range f.paths {
		found, err := ChainFiles(p)
		if err != nil {
			f.lost(p, err)
			continue
		}
		for _, path := range found {
			if err := f.look(path); err != nil {
				f.merger.report(path, sourceFile, err)
			}
		}
	}
}

// lost notes a path that went away; what it held stays in use.
func (f *files) lost(path string, err error) {
	st := f.seen[path]
	if st == nil || st.stamp == (stamp{}) {
		return
	}
	st.stamp, st.digest = stamp{}, [sha256.Size]byte{}
	f.log.Warn("chain file is gone; its chains stay in use", "file", path, "error", withoutPath(err).Error())
}

// look reads a file if it may have changed, and offers its chains if it has.
// A content is handled once, whether it was good or bad.
func (f *files) look(path string) error {
	now, err := stampOf(path)
	if err != nil {
		if f.seen[path] == nil {
			return withoutPath(err)
		}
		f.lost(path, err)
		return nil
	}
	st := f.seen[path]
	if st == nil {
		st = &fileState{}
		f.seen[path] = st
	}
	if now == st.stamp {
		return nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return withoutPath(err)
	}
	digest := sha256.Sum256(data)
	if digest == st.digest {
		st.stamp = now
		return nil
	}
	err = f.offer(st, data)
	st.stamp, st.digest = now, digest
	return err
}

func (f *files) offer(st *fileState, data []byte) error {
	if len(data) > maxChainFile {
		return fmt.Errorf("the file is larger than %d KiB", maxChainFile>>10)
	}
	chains, err := schema.Decode(data)
	if err != nil {
		return err
	}
	var names []string
	var errs []error
	for i := range chains {
		names = append(names, chains[i].Name)
		cc, err := Translate(&chains[i], sourceFile)
		if err == nil {
			err = f.merger.offer(cc)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("chain %q: %w", chains[i].Name, err))
		}
	}
	for _, former := range st.chains {
		if !slices.Contains(names, former) {
			f.merger.gone(former, sourceFile)
		}
	}
	st.chains = names
	return errors.Join(errs...)
}

func stampOf(path string) (stamp, error) {
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return stamp{}, err
	}
	info, err := os.Stat(target)
	if err != nil {
		return stamp{}, err
	}
	return stamp{target, info.Size(), info.ModTime()}, nil
}
