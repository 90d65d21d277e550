//go:build !linux

package main

import "runtime/debug"

// giveBack returns memory to the system that only the start needed.
func giveBack() { debug.FreeOSMemory() }
