package controller

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/understudy-dev/understudy/api/v1alpha1"
	"github.com/understudy-dev/understudy/internal/controller/schema"
	"github.com/understudy-dev/understudy/internal/failover"
)

// files watches chain files by looking at them. A stat every half second costs
// nothing that can be measured, and sees what notifications miss: a ConfigMap
// that changes by the swap of a symlink two levels up, a folder that did not
// exist yet, a network mount.
//
// It is used by one goroutine.
type files struct {
	paths []string
	log   *slog.Logger
	// report is told of a file that cannot be used.
	report func(chain, source string, err error)
	seen   map[string]*fileState
	// owner is the file that holds a chain: two files with one chain would
	// replace each other's version for ever.
	owner map[string]string
}

// fileState is what was known of a file when it was handled last.
type fileState struct {
	stamp   stamp
	written stamp // of a file that is being written in place
	digest  [sha256.Size]byte
	chains  []string
	trouble string // what was reported last; empty: nothing since a good look
	waits   bool   // for a chain that another file holds
}

// stamp tells whether a file has to be read again.
type stamp struct {
	target string // behind the symlinks
	info   os.FileInfo
}

func (s stamp) same(o stamp) bool {
	return s.inPlace(o) && s.info.Size() == o.info.Size() && s.info.ModTime().Equal(o.info.ModTime())
}

// inPlace reports that both are of one file, whatever it holds.
func (s stamp) inPlace(o stamp) bool {
	return s.info != nil && o.info != nil && s.target == o.target && os.SameFile(s.info, o.info)
}

// change is a new content of a file.
type change struct {
	path   string
	state  *fileState
	chains []v1alpha1.ProviderChain
}

// sink takes what the files hold.
type sink interface {
	// offer hands over a version of a chain and says why it is not used.
	offer(failover.ChainConfig) error
	// drop says that a chain was taken out of its file.
	drop(chain string)
}

// maxChainFile bounds a chain file; objects of the API cannot be larger either.
const maxChainFile = 1 << 20

func newFiles(paths []string, log *slog.Logger, report func(chain, source string, err error)) *files {
	return &files{paths: paths, log: log, report: report, seen: map[string]*fileState{}, owner: map[string]string{}}
}

// start loads every file. The first bad one is an error.
func (f *files) start(to sink) error {
	for _, p := range f.paths {
		found, err := ChainFiles(p)
		if err != nil {
			return fmt.Errorf("--chain-file %s: %w", p, err)
		}
		if len(found) == 0 {
			return fmt.Errorf("--chain-file %s: the folder holds no .yaml file; add one with a ProviderChain", p)
		}
		for _, path := range found {
			if f.seen[path] != nil {
				continue // named twice
			}
			now, err := stampOf(path)
			if err != nil {
				return fmt.Errorf("%s: %w", path, withoutPath(err))
			}
			st := &fileState{}
			f.seen[path] = st
			chains, err := st.read(now)
			if err == nil {
				err = f.offer(change{path, st, chains}, to)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
	}
	return nil
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
		ext := filepath.Ext(e.Name())
		if !e.IsDir() && !strings.HasPrefix(e.Name(), ".") && (ext == ".yaml" || ext == ".yml") {
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

// poll looks at every file once. Chains that left their file are let go before
// any is taken, so that a chain may move from one file to another.
func (f *files) poll(to sink) {
	present := map[string]bool{}
	var changes []change
	for _, p := range f.paths {
		found, _ := ChainFiles(p) // what is not found is lost
		for _, path := range found {
			if present[path] {
				continue
			}
			now, err := stampOf(path)
			if err != nil {
				continue
			}
			present[path] = true
			if c := f.look(path, now); c != nil {
				changes = append(changes, *c)
			}
		}
	}
	for _, path := range slices.Sorted(maps.Keys(f.seen)) {
		if !present[path] {
			f.lose(path)
		}
	}
	for _, c := range changes {
		f.release(c, to)
	}
	for _, c := range changes {
		_ = f.offer(c, to) // the sink has reported it
	}
}

// lose notes a file that went away; what it held stays in use.
func (f *files) lose(path string) {
	st := f.seen[path]
	delete(f.seen, path)
	for _, name := range st.chains {
		f.free(name, path)
	}
	f.log.Warn("chain file is gone; its chains stay in use", "file", path, "chains", st.chains)
}

// look reads a file if it has changed. A content is handled once, whether it
// was good or bad. A file that changes in place may be half written: it is
// read when it has not changed from one look to the next. One that was swapped
// for another is whole.
func (f *files) look(path string, now stamp) *change {
	st := f.seen[path]
	if st == nil {
		st = &fileState{}
		f.seen[path] = st
	}
	if now.same(st.stamp) {
		return nil
	}
	if swapped := st.stamp.info != nil && !now.inPlace(st.stamp); !swapped && !now.same(st.written) {
		st.written = now
		return nil
	}
	before := st.digest
	chains, err := st.read(now)
	if err != nil {
		if text := err.Error(); text != st.trouble {
			st.trouble = text
			f.report(path, sourceFile, err)
		}
		return nil
	}
	st.trouble = ""
	if before == st.digest {
		return nil
	}
	return &change{path, st, chains}
}

// read takes the file's content.
func (st *fileState) read(now stamp) ([]v1alpha1.ProviderChain, error) {
	file, err := os.Open(now.target)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxChainFile+1))
	if err != nil {
		return nil, withoutPath(err)
	}
	digest := sha256.Sum256(data)
	if st.stamp = now; digest == st.digest {
		return nil, nil
	}
	st.digest = digest
	if len(data) > maxChainFile {
		return nil, fmt.Errorf("the file is larger than %d KiB; split it", maxChainFile>>10)
	}
	chains, err := schema.Decode(data)
	if err == nil && len(chains) == 0 {
		err = errors.New("the file holds no ProviderChain; write one, or remove the file")
	}
	return chains, err
}

// release lets go of the chains that are not in the file any more.
func (f *files) release(c change, to sink) {
	for _, former := range c.state.chains {
		if !slices.ContainsFunc(c.chains, func(pc v1alpha1.ProviderChain) bool { return pc.Name == former }) {
			f.free(former, c.path)
			to.drop(former)
		}
	}
	c.state.chains = nil
}

// free makes a chain available to other files; one that waits is read again.
func (f *files) free(chain, path string) {
	if f.owner[chain] != path {
		return
	}
	delete(f.owner, chain)
	for _, st := range f.seen {
		if st.waits {
			st.stamp, st.digest, st.waits = stamp{}, [sha256.Size]byte{}, false
		}
	}
}

// offer hands over the chains of a file.
func (f *files) offer(c change, to sink) error {
	var errs []error
	c.state.chains, c.state.waits = nil, false
	for i := range c.chains {
		name := c.chains[i].Name
		if err := f.claim(c, name); err != nil {
			f.report(name, sourceFile, err)
			errs = append(errs, err)
			continue
		}
		cc, err := Translate(&c.chains[i], sourceFile)
		if err != nil {
			f.report(name, sourceFile, err)
		} else {
			err = to.offer(cc)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("chain %q: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// claim makes the file the owner of a chain, unless another one is. A sidecar
// knows a chain by its name alone, so two namespaces do not make two of it.
func (f *files) claim(c change, chain string) error {
	if slices.Contains(c.state.chains, chain) {
		return fmt.Errorf("chain %q is in this file twice, for two namespaces; take one out, or rename it", chain)
	}
	if owner, ok := f.owner[chain]; ok && owner != c.path {
		c.state.waits = true
		return fmt.Errorf("chain %q is in %s too; take it out of one of the two files, or rename it", chain, owner)
	}
	f.owner[chain] = c.path
	c.state.chains = append(c.state.chains, chain)
	return nil
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
	return stamp{target, info}, nil
}

// pollInterval is how soon a changed file is noticed.
const pollInterval = 500 * time.Millisecond
