package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/understudy-dev/understudy/internal/controller"
	"github.com/understudy-dev/understudy/internal/controller/schema"
)

// validate checks files with the CRD's own schema and rules, without a
// cluster, and compiles what passes as far as that can be done without keys.
func validate(files []string, stdout io.Writer) error {
	if len(files) == 0 {
		return errors.New("no file is named; write sidecar validate FILE")
	}
	validator, err := schema.New()
	if err != nil {
		return err
	}
	var errs []error
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		chains, err := validator.Decode(data)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", path, err))
			continue
		}
		for i := range chains {
			if _, err := controller.Translate(&chains[i], "file"); err != nil {
				errs = append(errs, fmt.Errorf("%s: chain %q: %w", path, chains[i].Name, err))
				continue
			}
			fmt.Fprintf(stdout, "%s: chain %q is valid, %d providers\n", path, chains[i].Name, len(chains[i].Spec.Providers))
		}
	}
	return errors.Join(errs...)
}
