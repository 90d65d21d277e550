//go:build !linux

package main

import (
	"runtime"
	"runtime/debug"
)

// giveBack returns memory to the system that only the start needed.
func giveBack() {
	runtime.GC() // pools are emptied by the second collection only
	debug.FreeOSMemory()
}
