package singleton

import (
	"context"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hotseat-go/hotseat/internal/protocol"
)

// Evidence proves that the process of a holder is dead. With it a standby need not wait for the
// lease duration after a crash. The elector calls it on goroutines of its own, so no renewal waits
// for it. One value may serve several electors, so it must be safe for concurrent use. Each call
// has to return soon after its ctx ends. The elector does not wait long for a call that does not.
//
// An implementation must never report a living process as dead: two replicas would be at work. If
// it does not know, it says so, and standbys wait for the lease duration.
type Evidence interface {
	// Identify returns a text by which other replicas recognize this process. The elector publishes
	// the text on the Lease while it holds the Lease. It has 1 to [MaxEvidence] bytes of valid UTF-8
	// without control characters. Identify is called when Run begins. It may take seconds, and should
	// return only once it is sure that the text identifies this process. A term does not wait for
	// Identify. If Identify fails, it is called again.
	Identify(ctx context.Context) (string, error)
	// Await returns nil when the process that published identity seems to be dead. It is called only
	// on a standby, and only while another replica holds the Lease. Its answer is a hint:
	// [Evidence.Dead] decides. If Await fails, it is called again after a pause of up to RetryPeriod.
	Await(ctx context.Context, identity string) error
	// Dead looks afresh, and reports whether the process that published identity is proven dead. It
	// has a quarter of RenewDeadline to answer. The identity comes from the Lease, so it may be
	// anything that somebody wrote there. If Dead does not understand the identity, it returns false
	// or an error. An error proves nothing.
	Dead(ctx context.Context, identity string) (bool, error)
}

// MaxEvidence is the greatest length, in bytes, of the text that [Evidence.Identify] returns.
const MaxEvidence = protocol.MaxEvidence

// publishable returns an error for what must not be published.
func publishable(identity string) error {
	switch {
	case identity == "":
		return fmt.Errorf("identity %q: must not be empty", identity)
	case len(identity) > MaxEvidence:
		return fmt.Errorf("identity %.50q...: must have at most %d bytes, not %d",
			identity, MaxEvidence, len(identity))
	case !utf8.ValidString(identity), strings.ContainsFunc(identity, unicode.IsControl):
		return fmt.Errorf("identity %.50q: must be valid UTF-8 without control characters", identity)
	}
	return nil
}
