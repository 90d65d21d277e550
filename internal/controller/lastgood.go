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

// saveLastGood writes the object in one step: a crash, of the node too, leaves
// the former file or the new one.
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
	if err := replaceFile(lastGoodPath(dir, pc.Namespace, pc.Name), data); err != nil {
		return fmt.Errorf("save the last good chain: %w", err)
	}
	return nil
}

// replaceFile swaps a file's content, on the disk before it returns.
func replaceFile(path string, data []byte) error {
	tmp := path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		_ = os.Remove(tmp)
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		_ = os.Remove(tmp)
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
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
		return nil, fmt.Errorf("the last good chain on disk is damaged; it is written anew with the next version: %w", err)
	}
	if kept.Chain.Name != name || kept.Chain.Namespace != namespace {
		return nil, fmt.Errorf("the last good chain on disk is of %s/%s", kept.Chain.Namespace, kept.Chain.Name)
	}
	return &kept.Chain, nil
}
