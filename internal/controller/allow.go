package controller

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/understudy-dev/understudy/internal/failover"
)

// allowed holds a chain from the API to what this sidecar may give away:
// whoever edits a chain must not be able to send the pod's own token, or any
// other file or variable, to an address of his choice. Chain files are written
// by whoever writes the pod, and may use anything.
func (o *Options) allowed(cc failover.ChainConfig) error {
	for i, p := range cc.Providers {
		field := fmt.Sprintf("spec.providers[%d].auth", i)
		switch {
		case p.Auth.Env != "" && !slices.Contains(o.AllowEnv, p.Auth.Env):
			return fmt.Errorf("%s.env: %q may not be used by a chain of the cluster; start the sidecar with --allow-env %[2]s, or use secretKeyRef", field, p.Auth.Env)
		case p.Auth.File != "" && !under(o.SecretsDir, p.Auth.File):
			return fmt.Errorf("%s.file: %q does not lie under the sidecar's --secrets-dir; use secretKeyRef", field, p.Auth.File)
		}
	}
	return nil
}

// under reports whether a file lies below a folder once symlinks are followed.
func under(dir, path string) bool {
	if dir == "" {
		return false
	}
	realDir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return false
	}
	realPath, err := filepath.EvalSymlinks(path)
	if err != nil {
		return false
	}
	rel, err := filepath.Rel(realDir, realPath)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}
