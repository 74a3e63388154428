package protocol

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"math"

	"github.com/hotseat-go/hotseat/lease"
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
	Floor           int64  // Config.Fencing.Floor's answer, 0 if none
}

// headroom is how far an epoch may lie above the store's version, or above Floor: as many numbers
// as a JSON number tells apart. The store's version grows with each write and an epoch with each
// term, so terms alone do not come near it; what lies above was written by a person.
const headroom = 1 << 53

// maxEpoch is the greatest mark that is counted on from: half of all numbers lie above
// it, so that no mark of a guard is ever the last one there is.
const maxEpoch = math.MaxInt64 / 2

// plausible reports whether an elector can have written an epoch, on a store of that
// version or beside numbers that were asked for.
func plausible(epoch int64, version string, asked int64) bool {
	n, _ := parseVersion(version)
	return epoch < maxEpoch && epoch-max(n, asked, 0) <= headroom
}

// NextEpoch returns the epoch of a term that begins now: max(annotation+1, fresh resource version,
// remembered+1, floor+1). A remembered epoch that only a person can have written does not count. If
// such an epoch is on the Lease, or comes from Floor, the error is [lease.ErrEpochExhausted]. If an
// input is negative, the error names it.
func NextEpoch(in EpochInputs) (int64, Source, error) {
	base, from := int64(0), ""
	for _, input := range []struct {
		name  string
		value int64
	}{
		{"annotation " + lease.AnnotationEpoch, in.Annotation},
		{"remembered epoch", in.Remembered},
		{"Floor", in.Floor},
	} {
		switch {
		case input.value < 0:
			return 0, "", &lease.FieldError{Field: input.name, Value: input.value, Rule: "must not be negative"}
		case input.name == "remembered epoch" && !plausible(input.value, in.ResourceVersion, in.Floor):
		case input.value > base:
			base, from = input.value, input.name
		}
	}
	if !plausible(base, in.ResourceVersion, in.Floor) {
		return 0, "", fmt.Errorf("%w: %s is %d, far above resource version %q and Floor %d: lower it", lease.ErrEpochExhausted, from, base, in.ResourceVersion, in.Floor)
	}
	version, err := lease.ParseEpoch(in.ResourceVersion)
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
