package controller

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/understudy-dev/understudy/internal/failover"
)

// served lists "chain: providers" of the active snapshot.
func served(s *failover.Store) []string {
	var out []string
	for _, c := range s.Load().Chains() {
		var names []string
		for _, p := range c.Config.Providers {
			names = append(names, p.Name)
		}
		out = append(out, c.Name()+": "+strings.Join(names, " "))
	}
	return out
}

func expect(t *testing.T, s *failover.Store, want ...string) {
	t.Helper()
	if got := served(s); !slices.Equal(got, want) {
		t.Errorf("served is %q, want %q", got, want)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(tmp, path); err != nil {
		t.Fatal(err)
	}
}

// fileController is a controller over files, whose rejections are collected.
func fileController(t *testing.T, paths ...string) (*Controller, *failover.Store, *[]string) {
	t.Helper()
	store := newStore()
	var rejected []string
	c, err := New(Options{Store: store, Files: paths, Log: discard(), Rejected: func(_ string, err error) { rejected = append(rejected, err.Error()) }})
	if err != nil {
		t.Fatal(err)
	}
	return c, store, &rejected
}

func TestAChangedFileIsServedAndABadOneIsNot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "chain.yaml")
	write(t, path, chainYAML("a", "one", "two"))
	c, store, rejected := fileController(t, path)
	expect(t, store, "a: one two")

	write(t, path, chainYAML("a", "two")+"---\n"+chainYAML("b", "three"))
	c.files.poll(c.merger)
	expect(t, store, "a: two", "b: three")

	write(t, path, strings.Replace(chainYAML("a", "one"), "type: OpenAI", "type: Nonsense", 1))
	c.files.poll(c.merger)
	c.files.poll(c.merger)
	expect(t, store, "a: two", "b: three")
	if len(*rejected) != 1 || !strings.Contains((*rejected)[0], "type") {
		t.Errorf("rejections %q, want one that names the field", *rejected)
	}

	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	c.files.poll(c.merger)
	expect(t, store, "a: two", "b: three")
	write(t, path, chainYAML("a", "one"))
	c.files.poll(c.merger)
	expect(t, store, "a: two", "b: three") // a new file may be half written
	c.files.poll(c.merger)
	expect(t, store, "a: one", "b: three") // b was removed from the file, and a removal is no outage
}

func TestAConfigMapsSymlinkSwapIsSeen(t *testing.T) {
	dir := t.TempDir()
	version := func(name, content string) {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name, "chain.yaml"), content)
		link := filepath.Join(dir, "..data_tmp")
		if err := os.Symlink(name, link); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(link, filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	version("..1", chainYAML("a", "one"))
	if err := os.Symlink("..data/chain.yaml", filepath.Join(dir, "chain.yaml")); err != nil {
		t.Fatal(err)
	}
	c, store, _ := fileController(t, dir)
	expect(t, store, "a: one")
	version("..2", chainYAML("a", "two"))
	c.files.poll(c.merger)
	expect(t, store, "a: two")
}

func TestABadStartSaysWhatToDo(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct{ content, want string }{
		"no scheme":    {strings.Replace(chainYAML("a", "one"), "model: m", "baseURL: llm.example.com", 1), "baseURL"},
		"not yaml":     {"a: [", "document 1"},
		"unknown kind": {"apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n", "ProviderChain"},
	} {
		path := filepath.Join(dir, name+".yaml")
		write(t, path, c.content)
		_, err := New(Options{Store: newStore(), Files: []string{path}, Log: discard()})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want the file and %q", name, err, c.want)
		}
	}
	if _, err := New(Options{Store: newStore(), Files: []string{filepath.Join(dir, "nowhere")}, Log: discard()}); err == nil {
		t.Error("a missing file was accepted")
	}
}

func TestAFileThatIsBeingWrittenIsReadWhenItIsWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "chain.yaml")
	write(t, path, chainYAML("a", "one", "two"))
	c, store, rejected := fileController(t, path)
	inPlace := func(content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		c.files.poll(c.merger)
	}
	whole := chainYAML("a", "three", "four")
	inPlace("")
	inPlace(whole[:len(whole)/2])
	inPlace(chainYAML("a", "three")) // valid, and yet not all
	inPlace(whole)
	expect(t, store, "a: one two")
	c.files.poll(c.merger)
	expect(t, store, "a: three four")
	if len(*rejected) != 0 {
		t.Errorf("rejections %q of a file that was not finished", *rejected)
	}
}

func TestAFileThatCannotBeUsedIsReportedOnce(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(path string) error
		want  string
	}{
		"empty":    {func(p string) error { return os.WriteFile(p, nil, 0o600) }, "holds no ProviderChain"},
		"comments": {func(p string) error { return os.WriteFile(p, []byte("# later\n---\n"), 0o600) }, "holds no ProviderChain"},
		"huge":     {func(p string) error { return os.Truncate(p, 1<<40) }, "larger than 1024 KiB"},
		"refused": {func(p string) error {
			return os.WriteFile(p, []byte(strings.Replace(chainYAML("a", "x"), "model: m", "baseURL: https://refused.example.com", 1)), 0o600)
		}, "this one is refused"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "chain.yaml")
			write(t, path, chainYAML("a", "one"))
			c, store, rejected := fileController(t, path)
			if err := tc.spoil(path); err != nil {
				t.Fatal(err)
			}
			for range 5 {
				c.files.poll(c.merger)
			}
			expect(t, store, "a: one")
			if len(*rejected) != 1 || !strings.Contains((*rejected)[0], tc.want) {
				t.Errorf("rejections %q, want one that says %q", *rejected, tc.want)
			}
			if _, err := New(Options{Store: newStore(), Files: []string{path}, Log: discard()}); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("a start with it gave %v, want %q", err, tc.want)
			}
		})
	}
}

func TestAFolderMayHoldFoldersAndLinksToNowhere(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.yaml"), chainYAML("a", "one"))
	if err := os.Mkdir(filepath.Join(dir, "folder.yaml"), 0o755); err != nil {
		t.Fatal(err)
	}
	c, store, rejected := fileController(t, dir)
	if err := os.Symlink("folder.yaml", filepath.Join(dir, "link.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", filepath.Join(dir, "lost.yaml")); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		c.files.poll(c.merger)
	}
	expect(t, store, "a: one")
	if len(*rejected) != 1 || !strings.Contains((*rejected)[0], "directory") {
		t.Errorf("rejections %q, want one, of the link to a folder", *rejected)
	}
}

func TestTwoFilesWithOneChainDoNotReplaceEachOther(t *testing.T) {
	dir := t.TempDir()
	first, second := filepath.Join(dir, "1.yaml"), filepath.Join(dir, "2.yaml")
	write(t, first, chainYAML("a", "one"))
	write(t, second, chainYAML("b", "two"))
	c, store, rejected := fileController(t, dir)
	write(t, second, chainYAML("a", "other")+"---\n"+chainYAML("b", "three"))
	c.files.poll(c.merger)
	expect(t, store, "a: one", "b: three")
	if len(*rejected) != 1 || !strings.Contains((*rejected)[0], first) {
		t.Errorf("rejections %q, want one that names the other file", *rejected)
	}
	// The chain moves: as soon as the first file lets go, the second has it.
	write(t, first, chainYAML("c", "four"))
	for range 3 {
		c.files.poll(c.merger)
	}
	expect(t, store, "a: other", "b: three", "c: four")
	// A file that is given another name brings its chains along.
	if err := os.Rename(second, filepath.Join(dir, "3.yaml")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "3.yaml"), chainYAML("a", "last"))
	for range 3 {
		c.files.poll(c.merger)
	}
	expect(t, store, "a: last", "b: three", "c: four")
	if len(*rejected) != 1 {
		t.Errorf("rejections %q, want no more", *rejected)
	}
}

func TestAChainInTwoNamespacesIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "chain.yaml")
	write(t, path, chainYAML("a, namespace: x", "one")+"---\n"+chainYAML("a, namespace: z", "two"))
	_, err := New(Options{Store: newStore(), Files: []string{path}, Log: discard()})
	if err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("the file gave %v", err)
	}
}

func TestAChainThatGetsAnotherNameTakesEffect(t *testing.T) {
	path := filepath.Join(t.TempDir(), "chain.yaml")
	write(t, path, chainYAML("a", "one"))
	c, store, _ := fileController(t, path)
	write(t, path, chainYAML("c", "two"))
	c.files.poll(c.merger)
	expect(t, store, "c: two", "a: one") // who names none gets c; a is served on under its name
	write(t, path, chainYAML("a", "three"))
	c.files.poll(c.merger)
	expect(t, store, "a: three", "c: two")
}

func TestTheStrongestSourceWins(t *testing.T) {
	store := newStore()
	m := newMerger(Options{Store: store, Chains: []string{"named"}, Log: discard()})
	offer := func(name, source, provider string) {
		t.Helper()
		cc := failover.ChainConfig{Name: name, Source: source, Providers: []failover.ProviderConfig{{Name: provider}}}
		if err := m.offer(cc); err != nil {
			t.Fatal(err)
		}
	}
	offer("other", sourceFile, "f")
	offer("named", sourceFile, "file")
	expect(t, store, "named: file", "other: f")
	offer("named", sourceAPI, "api")
	offer("named", sourceCache, "cache")
	expect(t, store, "named: api", "other: f")
	bad := failover.ChainConfig{Name: "named", Source: sourceAPI, Providers: []failover.ProviderConfig{{Name: "x", BaseURL: "https://refused.example.com"}}}
	if err := m.offer(bad); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("the bad version gave %v", err)
	}
	expect(t, store, "named: api", "other: f")
}
