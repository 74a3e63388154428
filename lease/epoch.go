package lease

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
)

// Source says what a fencing epoch was derived from.
type Source string

const (
	// SourceStore: at least the API server's resource version just read, so
	// the epoch is above those of deleted Leases and of restores made with
	// --bump-revision.
	SourceStore Source = "resourceversion"
	// SourceCounter: the server's resource version was not a decimal int64;
	// the epoch counts on from the annotation, memory and floor alone. It may
	// repeat after the Lease was deleted.
	SourceCounter Source = "counter"
)

// EpochInputs are the numbers a new epoch must lie above.
type EpochInputs struct {
	Annotation      int64  // epoch on the Lease, 0 if none
	ResourceVersion string // read fresh: the List's, or the release event's
	Remembered      int64  // highest epoch this process ever saw, 0 if none
	Floor           int64  // Config.Floor's answer, 0 if none
}

// NextEpoch returns the epoch of a term that begins now:
// max(annotation+1, fresh resource version, remembered+1, floor+1).
// The error is [ErrEpochExhausted], or names a negative input.
func NextEpoch(in EpochInputs) (int64, Source, error) {
	base, from := int64(0), ""
	for _, input := range []struct {
		name  string
		value int64
	}{
		{"annotation " + AnnotationEpoch, in.Annotation},
		{"remembered epoch", in.Remembered},
		{"Floor", in.Floor},
	} {
		if input.value < 0 {
			return 0, "", &FieldError{Field: input.name, Value: input.value, Rule: "must not be negative"}
		}
		if input.value > base {
			base, from = input.value, input.name
		}
	}
	if base >= maxEpoch {
		return 0, "", fmt.Errorf("%w: %s is %d, the greatest epoch is %d: lower it", ErrEpochExhausted, from, base, int64(maxEpoch))
	}
	version, err := parseEpoch(in.ResourceVersion)
	if err != nil {
		return base + 1, SourceCounter, nil
	}
	return max(base+1, version), SourceStore, nil
}

// newTerm returns a term id: 128 random bits in hex.
func newTerm() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails (crypto/rand)
	return hex.EncodeToString(id[:])
}
