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
	c.files.poll()
	expect(t, store, "a: two", "b: three")

	write(t, path, strings.Replace(chainYAML("a", "one"), "type: OpenAI", "type: Nonsense", 1))
	c.files.poll()
	c.files.poll()
	expect(t, store, "a: two", "b: three")
	if len(*rejected) != 1 || !strings.Contains((*rejected)[0], "type") {
		t.Errorf("rejections %q, want one that names the field", *rejected)
	}

	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	c.files.poll()
	expect(t, store, "a: two", "b: three")
	write(t, path, chainYAML("a", "one"))
	c.files.poll()
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
	c.files.poll()
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
