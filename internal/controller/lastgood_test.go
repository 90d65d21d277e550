package controller

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTheLastGoodChainIsReplacedInOneStep(t *testing.T) {
	dir := t.TempDir()
	path := lastGoodPath(dir, "default", "x")
	for _, provider := range []string{"one", "two"} {
		if err := saveLastGood(dir, object("x", provider), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := loadLastGood(dir, "default", "x")
	if err != nil || kept.Spec.Providers[0].Name != "two" {
		t.Errorf("loading gave %+v, %v", kept, err)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*")); len(files) != 1 {
		t.Errorf("the folder holds %q, want the chain alone", files)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v, %v", info.Mode(), err)
	}
}

func TestADamagedLastGoodChainIsLeftOut(t *testing.T) {
	dir := t.TempDir()
	for content, want := range map[string]string{
		`{"chain":`: "damaged",
		"":          "damaged",
		`{"chain":{"metadata":{"name":"other","namespace":"default"}}}`: "is of default/other",
		`{}`: "is of /",
	} {
		write(t, lastGoodPath(dir, "default", "x"), content)
		if _, err := loadLastGood(dir, "default", "x"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: loading gave %v, want %q", content, err, want)
		}
	}
	if pc, err := loadLastGood(dir, "default", "never"); pc != nil || err != nil {
		t.Errorf("a chain that was never saved gave %v, %v", pc, err)
	}
}

func TestAFolderThatCannotBeWrittenIsAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	for _, dir := range []string{file, filepath.Join(file, "below"), filepath.Join(filepath.Dir(file), "missing")} {
		if err := saveLastGood(dir, object("x", "one"), time.Now()); err == nil || !strings.Contains(err.Error(), "save the last good chain") {
			t.Errorf("%s: saving gave %v", dir, err)
		}
	}
	if err := saveLastGood("", object("x", "one"), time.Now()); err != nil {
		t.Errorf("without a folder: %v", err)
	}
}
