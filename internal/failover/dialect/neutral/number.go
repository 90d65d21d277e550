package neutral

import (
	"math"
	"strconv"

	"github.com/understudy-dev/understudy/internal/failover"
)

// Whole reads a whole number however it is written: 4096, 4096.0 or 4e3. Some
// languages know no other numbers than fractions, and a limit that is not
// understood would be lost without a word. It returns false for anything else.
func Whole(v failover.RawJSON) (int64, bool) {
	if n, ok := v.Int(); ok {
		return n, true
	}
	if len(v) == 0 || v[0] != '-' && (v[0] < '0' || v[0] > '9') {
		return 0, false
	}
	const exact = 1 << 53 // beyond it a float64 skips integers
	f, err := strconv.ParseFloat(string(v), 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > exact {
		return 0, false
	}
	return int64(f), true
}
