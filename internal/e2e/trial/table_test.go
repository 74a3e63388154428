//go:build unix

package trial

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTable(t *testing.T) {
	var table Table
	table.Add(2, "second", Verdict{Terms: 2, Records: 30, Slow: true, Back: 3510 * time.Millisecond}, "")
	table.Add(3, "control", Verdict{Violations: []string{"x"}, StaleAttempted: 1}, "caught")
	table.Add(1, "first", Verdict{Violations: []string{"x"}, Overlap: 12 * time.Millisecond, StaleAttempted: 2, StaleRefused: 2}, "")
	var b strings.Builder
	table.Print(&b)
	require.Equal(t, `
| scenario | terms | records | overlap (ms) | stale writes | back within (s) | verdict      |
|----------|-------|---------|--------------|--------------|-----------------|--------------|
| first    | 0     | 0       | 12           | 2, 2 refused | 0.00            | **VIOLATED** |
| second   | 2     | 30      | 0            | 0, 0 refused | 3.51            | holds (slow) |
| control  | 0     | 0       | 0            | 1, 0 refused | 0.00            | caught       |
`, "\n"+b.String())
}
