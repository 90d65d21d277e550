package main

import (
	"context"
	"log/slog"
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"
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

const (
	// lookEvery is how often the memory is looked at. By the first look the
	// lists and watches of the start are over.
	lookEvery = 20 * time.Second
	// worthIt is how much more than after the last time must be held for
	// giving back to be worth a collection.
	worthIt = 16 << 20
)

// keepSmall gives memory back after the start, and whenever a burst of requests
// has left much of it behind and nothing is in flight. The runtime would keep
// it for minutes, and a sidecar's neighbours need it.
func keepSmall(ctx context.Context, inFlight func() int64) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var floor uint64
	for first := true; ; first = false {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if first || inFlight() == 0 && held() > floor+worthIt {
			giveBack()
			floor = held()
		}
	}
}

// held is the memory that the runtime has and has not returned, in bytes.
func held() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64() - s[1].Value.Uint64()
}
