package controller

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/understudy-dev/understudy/internal/failover"
)

func TestAChainOfTheClusterTakesNothingElseFromThePod(t *testing.T) {
	dir := t.TempDir()
	secrets, outside := filepath.Join(dir, "secrets"), filepath.Join(dir, "token")
	if err := os.MkdirAll(filepath.Join(secrets, "llm-keys"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, outside, "the pod's token")
	write(t, filepath.Join(secrets, "llm-keys", "openai"), "sk")
	for link, to := range map[string]string{
		"out": outside, "up": dir, "nowhere": filepath.Join(dir, "later"), "in": "llm-keys/openai", "loop": "loop",
	} {
		if err := os.Symlink(to, filepath.Join(secrets, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(secrets, filepath.Join(dir, "mount")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{
		secrets + "/llm-keys/openai":             true,
		secrets + "/in":                          true,
		dir + "/mount/llm-keys/openai":           true,
		secrets + "/llm-keys/not-yet":            true,
		secrets + "/not-yet/openai":              true,
		outside:                                  false,
		secrets + "/out":                         false,
		secrets + "/up/token":                    false,
		secrets + "/up/not-yet":                  false,
		secrets + "/nowhere":                     false,
		secrets + "/nowhere/deeper":              false,
		secrets + "/loop":                        false,
		secrets + "/../token":                    false,
		secrets + "/not-yet/../../token":         false,
		secrets + "/llm-keys/../../later":        false,
		secrets + "-of-another/openai":           false,
		"secrets/llm-keys/openai":                false,
		"":                                       true, // no file is asked for
		secrets + "/llm-keys/../llm-keys/openai": true,
	} {
		o := Options{SecretsDir: secrets}
		err := o.allowed(failover.ChainConfig{Providers: []failover.ProviderConfig{{Auth: failover.SecretRef{File: path}}}})
		if (err == nil) != want {
			t.Errorf("%q: %v, want allowed: %v", path, err, want)
		}
	}
	var none Options
	if none.allowed(failover.ChainConfig{Providers: []failover.ProviderConfig{{Auth: failover.SecretRef{File: outside}}}}) == nil {
		t.Error("a file was allowed without --secrets-dir")
	}
}

func TestAVariableMustBeListedAndIsNotRepeated(t *testing.T) {
	o := Options{AllowEnv: []string{"OPENAI_API_KEY"}}
	chain := func(env string) failover.ChainConfig {
		return failover.ChainConfig{Providers: []failover.ProviderConfig{{Name: "p", Auth: failover.SecretRef{Env: env}}}}
	}
	if err := o.allowed(chain("OPENAI_API_KEY")); err != nil {
		t.Error(err)
	}
	err := o.allowed(chain("gsk_canary0123"))
	if err == nil || strings.Contains(err.Error(), "gsk_canary0123") || !strings.Contains(err.Error(), "spec.providers[0].auth.env") {
		t.Errorf("a key in the place of a name gave %v", err)
	}
}
