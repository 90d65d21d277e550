package main

import (
	"strings"
	"testing"
)

func TestOnlyUnwritablePagesOfTheBinaryAreGivenBack(t *testing.T) {
	const maps = `00400000-01c8c000 r-xp 00000000 fe:00 9987084                            /ko-app/sidecar
01c8c000-03783000 r--p 0188c000 fe:00 9987084                            /ko-app/sidecar
03783000-03849000 rw-p 03383000 fe:00 9987084                            /ko-app/sidecar
03849000-05897000 rw-p 00000000 00:00 0
7f1904c8d000-7f1904efd000 r--p 00000000 fe:00 326269                     /usr/lib/libc.so.6
7f2000000000-7f2000001000 r--s 00000000 fe:00 9987084                    /ko-app/sidecar
7ffc1000-7ffc2000 r-xp 00000000 00:00 0                                  [vdso]
nonsense
`
	found := readOnly(strings.NewReader(maps), "/ko-app/sidecar")
	if len(found) != 2 || len(found[0]) != 0x01c8c000-0x00400000 || len(found[1]) != 0x03783000-0x01c8c000 {
		t.Errorf("found %d mappings", len(found))
	}
}

func TestTheProcessLivesOnAfterGivingBack(t *testing.T) {
	giveBack()
	if got := strings.Repeat("ab", 2); got != "abab" {
		t.Errorf("got %q", got)
	}
}
