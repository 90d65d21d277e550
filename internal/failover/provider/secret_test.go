package provider

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/understudy-dev/understudy/internal/failover"
)

func TestARotatedKeyIsUsedWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		secret := filepath.Join(dir, "llm-keys")
		if err := os.Mkdir(secret, 0o755); err != nil {
			t.Fatal(err)
		}
		put := func(value string) {
			t.Helper()
			path := filepath.Join(secret, "openai")
			if err := os.WriteFile(path+".new", []byte(value), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(path+".new", path); err != nil {
				t.Fatal(err)
			}
		}
		p := New(Options{SecretsDir: dir, Getenv: os.Getenv})
		ref := failover.SecretRef{Secret: "llm-keys", Key: "openai"}
		expect := func(want, part string) {
			t.Helper()
			c, err := p.secret(ref).credentials()
			if c.Reveal() != want || (err == nil) != (part == "") || err != nil && !strings.Contains(err.Error(), part) {
				t.Errorf("got %q, %v", c.Reveal(), err)
			}
		}
		expect("", `key "openai" of Secret "llm-keys": is not there`)
		put("sk-one\n")
		time.Sleep(time.Second)
		expect("sk-one", "")
		first, _ := p.secret(ref).credentials()
		put("sk-two")
		expect("sk-one", "")
		time.Sleep(time.Second)
		expect("sk-two", "")
		if second, _ := p.secret(ref).credentials(); second.Fingerprint == first.Fingerprint {
			t.Error("another key has the same fingerprint")
		}
		put("")
		time.Sleep(time.Second)
		expect("", "is empty")
		put("two\nlines")
		time.Sleep(time.Second)
		expect("", "control character")
	})
}

func TestAMissingKeyIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		value := ""
		p := New(Options{Getenv: func(string) string { return value }, Log: slog.New(slog.NewTextHandler(&log, nil))})
		for _, value = range []string{"", "", "sk-canary", "sk-canary", "", "sk-canary"} {
			p.Secret(failover.SecretRef{Env: "OPENAI_API_KEY"})
			time.Sleep(time.Second)
		}
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if len(lines) != 4 || !strings.Contains(lines[0], "environment variable OPENAI_API_KEY: is not set") || strings.Contains(log.String(), "sk-canary") {
			t.Errorf("the log is %q", lines)
		}
	})
}

func TestNamesOfSecretsAreNoPaths(t *testing.T) {
	p := New(Options{SecretsDir: t.TempDir(), Getenv: os.Getenv})
	for _, ref := range []failover.SecretRef{{Secret: "..", Key: "x"}, {Secret: "a/b", Key: "x"}, {Secret: "a", Key: "../../etc/passwd"}} {
		if _, err := p.Secret(ref); err == nil || !strings.Contains(err.Error(), "not a name") {
			t.Errorf("%+v: %v", ref, err)
		}
	}
}

// mount lays a Secret out as the kubelet does: every key is a link through
// ..data, which is swapped for another folder in one step.
func mount(t *testing.T, dir, version string, keys map[string]string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(filepath.Join(dir, ".."+version), 0o755))
	for key, value := range keys {
		must(os.WriteFile(filepath.Join(dir, ".."+version, key), []byte(value), 0o400))
		if _, err := os.Lstat(filepath.Join(dir, key)); err != nil {
			must(os.Symlink(filepath.Join("..data", key), filepath.Join(dir, key)))
		}
	}
	must(os.Symlink(".."+version, filepath.Join(dir, "..data_tmp")))
	must(os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
}

func TestAMountedSecretIsFollowedThroughItsSwap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		folder := filepath.Join(dir, "llm-keys")
		mount(t, folder, "2026_1", map[string]string{"openai": "sk-one\n", "anthropic": "sk-other\r\n"})
		p := New(Options{SecretsDir: dir, Getenv: os.Getenv})
		get := func(key string) string {
			c, err := p.Secret(failover.SecretRef{Secret: "llm-keys", Key: key})
			if err != nil {
				return err.Error()
			}
			return c
		}
		if a, b := get("openai"), get("anthropic"); a != "sk-one" || b != "sk-other" {
			t.Errorf("got %q and %q", a, b)
		}
		// As long and as old as the first: only the file is another one.
		mount(t, folder, "2026_2", map[string]string{"openai": "sk-two\n"})
		time.Sleep(time.Second)
		if a, b := get("openai"), get("anthropic"); a != "sk-two" || !strings.Contains(b, "is not there") {
			t.Errorf("after the swap: %q and %q", a, b)
		}
	})
}

func TestWhatIsNoKeyFileIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "large"), make([]byte, maxSecret+1), 0o600); err != nil {
		t.Fatal(err)
	}
	p := New(Options{Getenv: os.Getenv})
	for path, want := range map[string]string{dir: "is not a file", filepath.Join(dir, "large"): "larger than 64 KiB", "/dev/zero": "is not a file"} {
		if _, err := p.Secret(failover.SecretRef{File: path}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestNobodyWaitsForADiskWhileAKeyIsKnown holds one look at the source up, and
// asks meanwhile.
func TestNobodyWaitsForADiskWhileAKeyIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		looks := 0
		p := New(Options{Getenv: func(string) string {
			if looks++; looks == 2 {
				<-stuck
				return "sk-two"
			}
			return "sk-one"
		}})
		ref := failover.SecretRef{Env: "KEY"}
		if c, err := p.Secret(ref); c != "sk-one" || err != nil {
			t.Fatal(c, err)
		}
		time.Sleep(time.Second)
		var slow sync.WaitGroup
		slow.Go(func() { p.Secret(ref) })
		synctest.Wait()
		if c, err := p.Secret(ref); c != "sk-one" || err != nil || looks != 2 {
			t.Errorf("meanwhile: %q, %v after %d looks", c, err, looks)
		}
		close(stuck)
		slow.Wait()
		if c, err := p.Secret(ref); c != "sk-two" || err != nil {
			t.Errorf("afterwards: %q, %v", c, err)
		}
	})
}
