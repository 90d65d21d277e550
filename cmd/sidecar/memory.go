package main

import (
	"log/slog"
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// memoryMax is where a container finds its own memory limit.
const memoryMax = "/sys/fs/cgroup/memory.max"

// Shares of the container's memory: the collector works harder near the first,
// and request bodies that wait for an answer are refused beyond the second.
const (
	heapShare = 0.9
	bodyShare = 0.25
)

// maxHeldWithoutLimit bounds the waiting bodies where nothing bounds the
// memory.
const maxHeldWithoutLimit = 1 << 30

// limitMemory tells the collector of the container's limit, unless GOMEMLIMIT
// does, and returns how many bytes of request bodies may wait. A sidecar that
// is killed for its memory cuts every stream of the pod.
func limitMemory(file string, log *slog.Logger) int64 {
	if own := debug.SetMemoryLimit(-1); own != math.MaxInt64 { // GOMEMLIMIT
		return int64(float64(own) * bodyShare)
	}
	limit := containerLimit(file)
	if limit == 0 {
		return maxHeldWithoutLimit
	}
	debug.SetMemoryLimit(int64(float64(limit) * heapShare))
	log.Info("memory is limited", "container_bytes", limit)
	return int64(float64(limit) * bodyShare)
}

// containerLimit is the limit in bytes; 0 for none.
func containerLimit(file string) int64 {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil || n < 0 { // "max"
		return 0
	}
	return n
}
