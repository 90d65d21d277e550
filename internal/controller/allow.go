package controller

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
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
			// The name is not repeated: a key that was written here by mistake
			// looks like one.
			return fmt.Errorf("%s.env (%s): this variable may not be used by a chain of the cluster; name it in the sidecar's --allow-env, or use secretKeyRef", field, p.Name)
		case p.Auth.File != "" && !under(o.SecretsDir, p.Auth.File):
			return fmt.Errorf("%s.file (%s): this path does not lie under the sidecar's --secrets-dir; use secretKeyRef", field, p.Name)
		}
	}
	return nil
}

// under reports whether a file lies below a folder once symlinks are followed.
// A file that is not there yet is judged by the nearest folder that is: the
// chain is good, and its entry waits for the key.
func under(dir, path string) bool {
	if dir == "" || !filepath.IsAbs(path) {
		return false
	}
	realDir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return false
	}
	realPath, err := filepath.EvalSymlinks(path)
	for ; errors.Is(err, fs.ErrNotExist); realPath, err = filepath.EvalSymlinks(path) {
		if slices.Contains(strings.Split(path, "/"), "..") || isLink(path) || path == "/" {
			return false // it cannot be said where this will lead
		}
		path = filepath.Dir(path)
	}
	if err != nil {
		return false
	}
	rel, err := filepath.Rel(realDir, realPath)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

func isLink(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}
