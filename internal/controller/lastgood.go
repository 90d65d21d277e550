package controller

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/understudy-dev/understudy/api/v1alpha1"
)

// lastGood is the newest object that was applied, on disk. It holds names of
// Secrets and never their values.
type lastGood struct {
	UID             string                 `json:"uid"`
	Generation      int64                  `json:"generation"`
	ResourceVersion string                 `json:"resourceVersion"`
	SavedAt         time.Time              `json:"savedAt"`
	Chain           v1alpha1.ProviderChain `json:"chain"`
}

func lastGoodPath(dir, namespace, name string) string {
	return filepath.Join(dir, namespace+"_"+name+".json")
}

// saveLastGood writes the object in one step: a crash leaves the former file.
func saveLastGood(dir string, pc *v1alpha1.ProviderChain, now time.Time) error {
	if dir == "" {
		return nil
	}
	kept := pc.DeepCopy()
	kept.ManagedFields, kept.Status = nil, v1alpha1.ProviderChainStatus{}
	data, err := json.Marshal(lastGood{string(pc.UID), pc.Generation, pc.ResourceVersion, now, *kept})
	if err != nil {
		return fmt.Errorf("encode the last good chain: %w", err)
	}
	path := lastGoodPath(dir, pc.Namespace, pc.Name)
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return fmt.Errorf("save the last good chain: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("save the last good chain: %w", err)
	}
	return nil
}

// loadLastGood reads it back; nil without an error where there is none.
func loadLastGood(dir, namespace, name string) (*v1alpha1.ProviderChain, error) {
	if dir == "" {
		return nil, nil
	}
	data, err := os.ReadFile(lastGoodPath(dir, namespace, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the last good chain: %w", err)
	}
	var kept lastGood
	if err := json.Unmarshal(data, &kept); err != nil {
		return nil, fmt.Errorf("the last good chain on disk is damaged: %w", err)
	}
	if kept.Chain.Name != name || kept.Chain.Namespace != namespace {
		return nil, fmt.Errorf("the last good chain on disk is of %s/%s", kept.Chain.Namespace, kept.Chain.Name)
	}
	return &kept.Chain, nil
}
