package controller

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// apiServer is a kube-apiserver process that can be killed and started again
// with the same address, certificates and data. The environment's own way to
// stop it deletes its certificates: what comes back is another server.
type apiServer struct {
	env  *envtest.Environment
	cfg  *rest.Config
	dir  string
	args []string
	cmd  *exec.Cmd // since it was started again
	done chan struct{}
}

func startAPIServer() (*apiServer, error) {
	dir, err := os.MkdirTemp("", "understudy-api-server-")
	if err != nil {
		return nil, err
	}
	s := &apiServer{dir: dir}
	// The shell becomes the server, after it has noted its process and how it
	// was called.
	script := fmt.Sprintf("#!/bin/sh\nprintf '%%s\\n' \"$$\" \"$@\" > '%s/call'\nexec '%s' \"$@\"\n", dir, filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kube-apiserver"))
	if err := os.WriteFile(filepath.Join(dir, "kube-apiserver"), []byte(script), 0o700); err != nil {
		return nil, err
	}
	s.env = &envtest.Environment{CRDDirectoryPaths: []string{"../../config/crd"}, ErrorIfCRDPathMissing: true}
	s.env.ControlPlane.GetAPIServer().Path = filepath.Join(dir, "kube-apiserver")
	s.cfg, err = s.env.Start()
	return s, err
}

// kill ends the process at once, as a node that goes away does.
func (s *apiServer) kill() error {
	call, err := os.ReadFile(filepath.Join(s.dir, "call"))
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSuffix(string(call), "\n"), "\n")
	pid, err := strconv.Atoi(lines[0])
	if err != nil {
		return err
	}
	s.args = lines[1:]
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return err
	}
	if s.cmd != nil {
		<-s.done
		s.cmd = nil
	}
	return nil
}

// restart starts it again and waits until it is ready.
func (s *apiServer) restart(ctx context.Context) error {
	s.cmd, s.done = exec.Command(filepath.Join(s.dir, "kube-apiserver"), s.args...), make(chan struct{})
	if err := s.cmd.Start(); err != nil {
		return err
	}
	go func(cmd *exec.Cmd, done chan struct{}) {
		_ = cmd.Wait()
		close(done)
	}(s.cmd, s.done)
	client, err := rest.HTTPClientFor(s.cfg)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if resp, err := client.Get(s.url() + "/readyz"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == 200 {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-s.done:
			return errors.New("it ended")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *apiServer) url() string {
	return "https://" + strings.Trim(strings.TrimPrefix(s.cfg.Host, "https://"), "/")
}

func (s *apiServer) close() error {
	if s.cmd != nil {
		if err := s.kill(); err != nil {
			return err
		}
	}
	err := s.env.Stop()
	return errors.Join(err, os.RemoveAll(s.dir))
}
