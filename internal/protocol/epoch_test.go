package protocol

import (
	"math"
	"strconv"
	"testing"

	"github.com/hotseat-go/hotseat/lease"

	"github.com/stretchr/testify/require"
)

func TestNextEpoch(t *testing.T) {
	const top = math.MaxInt64 / 2 // half of all numbers lie above
	for name, test := range map[string]struct {
		in     EpochInputs
		epoch  int64
		source Source
	}{
		"first":                            {EpochInputs{ResourceVersion: "1"}, 1, SourceStore},
		"version wins":                     {EpochInputs{Annotation: 7, ResourceVersion: "1000", Remembered: 8, Floor: 9}, 1000, SourceStore},
		"version equal to annotation":      {EpochInputs{Annotation: 1000, ResourceVersion: "1000"}, 1001, SourceStore},
		"annotation wins":                  {EpochInputs{Annotation: 2000, ResourceVersion: "1000"}, 2001, SourceStore},
		"memory wins":                      {EpochInputs{Annotation: 7, ResourceVersion: "1000", Remembered: 5000}, 5001, SourceStore},
		"floor wins":                       {EpochInputs{Annotation: 7, ResourceVersion: "1000", Remembered: 5000, Floor: 6000}, 6001, SourceStore},
		"largest version":                  {EpochInputs{ResourceVersion: strconv.Itoa(math.MaxInt64)}, math.MaxInt64, SourceStore},
		"far above the version":            {EpochInputs{Annotation: 3 + 1<<53, ResourceVersion: "3"}, 4 + 1<<53, SourceStore},
		"asked for":                        {EpochInputs{Annotation: 1 << 60, ResourceVersion: "3", Floor: 1 << 60}, 1<<60 + 1, SourceStore},
		"memory of what was lowered":       {EpochInputs{Annotation: 7, ResourceVersion: "1000", Remembered: top}, 1000, SourceStore},
		"no version":                       {EpochInputs{Annotation: 7}, 8, SourceCounter},
		"zero version":                     {EpochInputs{Annotation: 7, ResourceVersion: "0"}, 8, SourceCounter},
		"leading zeros":                    {EpochInputs{Annotation: 7, ResourceVersion: "0099"}, 8, SourceCounter},
		"not a number":                     {EpochInputs{Annotation: 7, ResourceVersion: "abc"}, 8, SourceCounter},
		"signed":                           {EpochInputs{Annotation: 7, ResourceVersion: "+99"}, 8, SourceCounter},
		"beyond int64":                     {EpochInputs{Annotation: 7, ResourceVersion: "9223372036854775808"}, 8, SourceCounter},
		"128 bit":                          {EpochInputs{Annotation: 7, ResourceVersion: "340282366920938463463374607431768211455"}, 8, SourceCounter},
		"nothing known, no version at all": {EpochInputs{}, 1, SourceCounter},
	} {
		t.Run(name, func(t *testing.T) {
			epoch, source, err := NextEpoch(test.in)
			require.NoError(t, err)
			require.Equal(t, test.epoch, epoch)
			require.Equal(t, test.source, source)
		})
	}
	for name, test := range map[string]struct {
		in   EpochInputs
		says string
	}{
		"annotation at the end":  {EpochInputs{Annotation: top, ResourceVersion: "5"}, `annotation hotseat-go.github.io/fencing-epoch is 4611686018427387903, far above resource version "5" and Floor 0: lower it`},
		"annotation beyond":      {EpochInputs{Annotation: math.MaxInt64}, "is 9223372036854775807"},
		"one below the maximum":  {EpochInputs{Annotation: math.MaxInt64 - 1}, "lower it"},
		"one above the headroom": {EpochInputs{Annotation: 4 + 1<<53, ResourceVersion: "3"}, "lower it"},
		"floor at the end":       {EpochInputs{Floor: top}, "Floor"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := NextEpoch(test.in)
			require.ErrorIs(t, err, lease.ErrEpochExhausted)
			require.ErrorContains(t, err, test.says)
		})
	}
	_, _, err := NextEpoch(EpochInputs{Floor: -1})
	require.EqualError(t, err, "Floor -1 must not be negative")
}

func FuzzAnnotation(f *testing.F) {
	for _, seed := range []string{"", "1", "0", "-1", "007", "9223372036854775807", "9223372036854775808", "abc", " 1", "1e3", "١", "0000000000000000000000000000000000000042"} {
		f.Add(seed, "0123456789abcdef0123456789abcdef", "a_1")
	}
	f.Fuzz(func(t *testing.T, epochText, term, holder string) {
		l := sample("a_1")
		l.Annotations = map[string]string{lease.AnnotationEpoch: epochText, lease.AnnotationTerm: term, lease.AnnotationHolder: holder}
		r := NewRecord(l)
		epoch, err := r.Epoch()
		if err != nil || epochText == "" {
			require.Zero(t, epoch)
		} else {
			require.Positive(t, epoch)
			require.Equal(t, strconv.FormatInt(epoch, 10), epochText, "only the canonical text is an epoch")
		}
		token, ok := r.Token()
		if ok {
			require.NoError(t, token.Validate())
			require.Equal(t, "a_1", holder)
			require.Equal(t, epoch, token.Epoch)
			require.Equal(t, term, token.Term)
		} else {
			require.True(t, token.IsZero() || token.Validate() != nil)
		}
		// Whatever is written there, the next epoch is greater or an error.
		next, _, err := NextEpoch(EpochInputs{Annotation: epoch, ResourceVersion: l.ResourceVersion})
		if err == nil {
			require.LessOrEqual(t, next, int64(math.MaxInt64/2), "never one that nothing can follow")
			require.Greater(t, next, epoch)
		}
	})
}

func TestTermIDsDiffer(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id := newTerm()
		require.Len(t, id, 32)
		require.False(t, seen[id])
		seen[id] = true
	}
}
