package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// target is one way to the provider.
type target struct {
	name   string
	client *client
	cmd    *exec.Cmd // nil: no process in between
	admin  string    // where its allocations can be read
}

// cpu is the processor time that the process has used so far, to the
// nanosecond, from the scheduler's own count.
func (t *target) cpu() (time.Duration, error) {
	if t.cmd == nil {
		return 0, nil
	}
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", t.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, path := range tasks {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended
		}
		ns, err := strconv.ParseInt(strings.Fields(string(b))[0], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", path, err)
		}
		sum += time.Duration(ns)
	}
	return sum, nil
}

// memory is the resident set and its anonymous part, in KiB: the rest are
// pages of the binary, which the pods of a node share.
func (t *target) memory() (rss, anonymous float64, err error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/smaps_rollup", t.cmd.Process.Pid))
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	for s.Scan() {
		fields := strings.Fields(s.Text())
		if len(fields) < 2 {
			continue
		}
		kib, _ := strconv.ParseFloat(fields[1], 64)
		switch fields[0] {
		case "Rss:":
			rss = kib
		case "Anonymous:":
			anonymous = kib
		}
	}
	return rss, anonymous, s.Err()
}

// mallocs is how many objects the process has allocated so far.
func (t *target) mallocs() (float64, error) {
	if t.admin == "" {
		return 0, nil // not a Go program
	}
	resp, err := http.Get(t.admin + "/metrics")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	s := bufio.NewScanner(resp.Body)
	for s.Scan() {
		if value, ok := strings.CutPrefix(s.Text(), "go_memstats_mallocs_total "); ok {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, fmt.Errorf("%s does not count allocations", t.name)
}

func (t *target) stop() {
	if t.cmd != nil {
		t.cmd.Process.Kill()
		t.cmd.Wait()
	}
}

// await polls until an address answers HTTP at all.
func await(url string) error {
	deadline := time.Now().Add(15 * time.Second)
	for {
		resp, err := http.Get(url)
		if err == nil {
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s did not start: %w", url, err)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func freeAddr() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "127.0.0.1:0"
	}
	defer l.Close()
	return l.Addr().String()
}
