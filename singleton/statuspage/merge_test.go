package statuspage

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func at(second int) time.Time {
	return time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC).Add(time.Duration(second) * time.Second)
}

func TestMerge(t *testing.T) {
	own := Term{Epoch: "7", Term: "t7", Holder: "a", Start: at(10), End: at(20), Reason: "resigned", Own: true}
	lasting := Term{Epoch: "7", Term: "t7", Holder: "a", Start: at(10), Own: true}
	seen := Term{Epoch: "7", Term: "t7", Holder: "a", Start: at(11), End: at(21), Reason: "released"}
	joined := Term{Epoch: "7", Term: "t7", Holder: "a", Start: at(5), Joined: true}
	unseen := Term{Epoch: "7", Term: "t7", Holder: "a", Start: at(12), End: at(19), Reason: "unseen"}
	taken := Term{Epoch: "7", Term: "t7", Holder: "a", Start: at(12), End: at(20), Reason: "taken"}
	dead := Term{Epoch: "7", Term: "t7", Holder: "a", Start: at(12), End: at(22), Reason: "dead"}
	next := Term{Epoch: "12", Term: "t12", Holder: "b", Start: at(4)} // on a machine whose clock is slow
	again := Term{Epoch: "7", Term: "t7'", Holder: "a", Start: at(40)}
	bare := Term{Holder: "x", Start: at(1), End: at(3), Reason: "released"}
	for name, c := range map[string]struct {
		histories [][]Term
		want      []Term
	}{
		"nothing":                         {[][]Term{nil, {}}, nil},
		"the holder's own account counts": {[][]Term{{seen}, {own}, {unseen}}, []Term{own}},
		"the holder could not tell the end": {
			[][]Term{{seen}, {lasting}},
			[]Term{{Epoch: "7", Term: "t7", Holder: "a", Start: at(10), End: at(21), Reason: "released", Own: true}},
		},
		"a start that was seen": {
			[][]Term{{joined}, {seen}}, []Term{seen},
		},
		"the earlier of two starts, and the reason that says more": {
			[][]Term{{unseen}, {seen}}, []Term{seen},
		},
		"unseen says more than nothing": {[][]Term{{{Epoch: "7", Term: "t7", Holder: "a", Start: at(12)}}, {unseen}}, []Term{unseen}},
		"taken says more than unseen":   {[][]Term{{unseen}, {taken}}, []Term{taken}},
		"dead says more than taken":     {[][]Term{{taken}, {dead}}, []Term{dead}},
		"the earlier of two ends": {
			[][]Term{{seen}, {dead}}, []Term{seen},
		},
		"a raised epoch is the same term": {
			[][]Term{{seen}, {{Epoch: "9", Term: "t7", Holder: "a", Start: at(13), Joined: true}}},
			[]Term{{Epoch: "9", Term: "t7", Holder: "a", Start: at(11), End: at(21), Reason: "released"}},
		},
		"epochs order terms, not clocks":   {[][]Term{{own, next}}, []Term{next, own}},
		"after a restore an epoch repeats": {[][]Term{{own}, {again}}, []Term{again, own}},
		"without tokens, terms that overlap are one": {
			[][]Term{{bare}, {{Holder: "x", Start: at(2), End: at(3), Reason: "unseen", Joined: true}}, {{Holder: "x", Start: at(30)}}},
			[]Term{{Holder: "x", Start: at(30)}, bare},
		},
		"another holder's term is another term": {
			[][]Term{{bare}, {{Holder: "y", Start: at(2), End: at(4), Reason: "released"}}},
			[]Term{{Holder: "y", Start: at(2), End: at(4), Reason: "released"}, bare},
		},
	} {
		t.Run(name, func(t *testing.T) {
			before, err := json.Marshal(c.histories)
			require.NoError(t, err)
			permute(c.histories, func(histories [][]Term) {
				require.Equal(t, c.want, Merge(histories...), "%v", histories)
			})
			after, err := json.Marshal(c.histories)
			require.NoError(t, err)
			require.Equal(t, before, after, "the arguments are as they were")
		})
	}
}

// permute calls f with all orders of s.
func permute[E any](s []E, f func([]E)) {
	if len(s) == 0 {
		f(nil)
		return
	}
	for i := range s {
		rest := slices.Delete(slices.Clone(s), i, i+1)
		permute(rest, func(order []E) { f(append(slices.Clone(order), s[i])) })
	}
}
