package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/understudy-dev/understudy/internal/controller"
	"github.com/understudy-dev/understudy/internal/controller/schema"
)

// validate checks files, and those of folders, with the CRD's own schema and
// rules, without a cluster, and compiles what passes as far as that can be done
// without keys.
func validate(paths []string, stdout io.Writer) error {
	switch {
	case len(paths) == 0:
		return errors.New("no file is named; write sidecar validate FILE")
	case paths[0] == "-h" || paths[0] == "--help":
		fmt.Fprintln(stdout, "usage: sidecar validate FILE...\n\nChecks ProviderChain files, and those of folders, with the rules of the cluster.")
		return flag.ErrHelp
	}
	validator, err := schema.New()
	if err != nil {
		return err
	}
	var errs []error
	for _, path := range paths {
		files, err := controller.ChainFiles(path)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("%s: %w", path, err))
		case len(files) == 0:
			errs = append(errs, fmt.Errorf("%s: the folder holds no .yaml file", path))
		}
		for _, file := range files {
			errs = append(errs, validateFile(validator, file, stdout))
		}
	}
	return errors.Join(errs...)
}

func validateFile(validator *schema.Validator, path string, stdout io.Writer) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	chains, err := validator.Decode(data)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	var errs []error
	for i := range chains {
		if _, err := controller.Translate(&chains[i], "file"); err != nil {
			errs = append(errs, fmt.Errorf("%s: chain %q: %w", path, chains[i].Name, err))
			continue
		}
		fmt.Fprintf(stdout, "%s: chain %q is valid, %d providers\n", path, chains[i].Name, len(chains[i].Spec.Providers))
	}
	return errors.Join(errs...)
}
