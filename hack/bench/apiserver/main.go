// Command apiserver runs a real API server with the CRD for the benchmark. It
// writes a kubeconfig to the path that it is given, says "ready", and ends when
// its input does. It is a command of its own because the benchmark's binary is
// also the plain proxy, whose memory is measured.
package main

import (
	"fmt"
	"io"
	"os"

	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "apiserver:", err)
		os.Exit(1)
	}
}

func run(kubeconfig string) error {
	env := &envtest.Environment{CRDDirectoryPaths: []string{"config/crd"}, ErrorIfCRDPathMissing: true}
	if _, err := env.Start(); err != nil {
		return err
	}
	defer env.Stop()
	user, err := env.AddUser(envtest.User{Name: "sidecar", Groups: []string{"system:masters"}}, nil)
	if err != nil {
		return err
	}
	config, err := user.KubeConfig()
	if err != nil {
		return err
	}
	if err := os.WriteFile(kubeconfig, config, 0o600); err != nil {
		return err
	}
	fmt.Println("ready")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}
