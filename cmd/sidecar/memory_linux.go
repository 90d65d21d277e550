package main

import (
	"bufio"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

// giveBack returns to the system what only the start needed: free heap, and
// the pages of the binary itself. The start runs through most of a binary that
// holds a Kubernetes client and a rule engine; serving needs a small part of
// it, which comes back from the page cache at its first use. A sidecar is paid
// for in every pod.
func giveBack() {
	runtime.GC() // pools are emptied by the second collection only
	debug.FreeOSMemory()
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return
	}
	defer maps.Close()
	for _, m := range readOnly(maps, exe) {
		// A failure leaves the pages where they were, which is no loss.
		_ = syscall.Madvise(m, syscall.MADV_DONTNEED)
	}
}

// readOnly finds the mappings of a file that nothing can have written to, so
// that their content is the file's.
func readOnly(maps io.Reader, file string) [][]byte {
	var found [][]byte
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		// 00400000-01c8c000 r-xp 00000000 fe:00 9987084    /ko-app/sidecar
		fields := strings.Fields(lines.Text())
		if len(fields) != 6 || fields[5] != file || strings.Contains(fields[1], "w") || !strings.HasSuffix(fields[1], "p") {
			continue
		}
		low, high, _ := strings.Cut(fields[0], "-")
		from, err := strconv.ParseUint(low, 16, 64)
		if err != nil {
			continue
		}
		to, err := strconv.ParseUint(high, 16, 64)
		if err != nil || to <= from {
			continue
		}
		found = append(found, unsafe.Slice((*byte)(pointer(from)), to-from)) //nolint:gosec // a mapping of this process, for madvise alone
	}
	return found
}

// pointer is an address of the process as a pointer. It is never followed.
func pointer(address uint64) unsafe.Pointer {
	return *(*unsafe.Pointer)(unsafe.Pointer(&address)) //nolint:gosec // the kernel is the only one to use it
}
