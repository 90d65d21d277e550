package neutral

import (
	"testing"

	"github.com/understudy-dev/understudy/internal/failover"
)

func TestWholeNumbersAreReadHoweverTheyAreWritten(t *testing.T) {
	for text, want := range map[string]int64{`4096`: 4096, `4096.0`: 4096, `4e3`: 4000, `-1.0`: -1, `9007199254740993`: 9007199254740993} {
		if n, ok := Whole(failover.RawJSON(text)); !ok || n != want {
			t.Errorf("%s = %d, %v, want %d", text, n, ok, want)
		}
	}
	for _, text := range []string{``, `null`, `"7"`, `1.5`, `1e-3`, `1e300`, `inf`, `[1]`} {
		if n, ok := Whole(failover.RawJSON(text)); ok {
			t.Errorf("%q passes for %d", text, n)
		}
	}
}
