package protocol

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Rules C2 and C3: what an edit may have covered up is waited out. Nobody who comes after it ends
// that wait, since they may never have seen it.
func TestWhatWasCoveredUp(t *testing.T) {
	long := duration(40)
	for name, test := range map[string]struct {
		seen []Record // each a second after the one before; the second one covers the first one up
		most time.Duration
	}{
		"a takeover and its release": {[]Record{
			fenced("a_1", termA, "50", "100"), fenced("a_1", termA, "50", "101", holder("")),
			fenced("b_1", termB, "1001", "1001", renewed(9)), fenced("b_1", termB, "1001", "1002", renewed(10), release("1001")),
		}, L - 2*time.Second},
		"client-go's term and its release": {[]Record{
			NewRecord(sample("x")), fenced("x", "", "", "101", long, renewed(7)), fenced("x", "", "", "102", long, renewed(7), holder("")),
			fenced("y", "", "", "103", renewed(8)), fenced("y", "", "", "104", renewed(9)), fenced("y", "", "", "105", releasedByClientGo),
		}, 38 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := shown(View{}, true, test.seen...)
				require.Equal(t, test.most, v.FreeAt().Sub(Clock{}.Now()))
			})
		})
	}
}
