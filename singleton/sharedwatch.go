package singleton

import (
	"log/slog"

	"github.com/hotseat-go/hotseat/internal/lookout"
	"github.com/hotseat-go/hotseat/lease"
)

// SharedWatch observes all Leases of a namespace by one list and one watch, for
// a process that is a candidate for many of them: give the same one to each of
// its electors ([Config].SharedWatch). Without it each elector watches its own
// Lease, which is what a process with a few wants.
//
// There is nothing to start or to stop: it asks while at least one elector that
// uses it runs, and the last one to stop waits for it. It needs the verbs list
// and watch on the namespace's Leases without resourceNames, beside what
// each elector needs. Where they are refused, that is logged once, electors watch
// their own Leases instead, and it is tried again every 5 to 10 minutes.
//
// It is safe for concurrent use.
type SharedWatch struct {
	namespace string
	shared    *lookout.Shared
}

// NewSharedWatch returns a SharedWatch of that namespace, which must be the one
// of every elector it is given to ([New] refuses others). client may be theirs;
// what [New] asks of one holds here too. It logs to logger; nil means
// slog.Default().
func NewSharedWatch[L lease.Client](client LeasesGetter[L], namespace string, logger *slog.Logger) *SharedWatch {
	if logger == nil {
		logger = slog.Default()
	}
	if isNil(client) {
		return &SharedWatch{namespace: namespace} // New refuses it
	}
	return &SharedWatch{namespace: namespace, shared: lookout.NewShared(client.Leases(namespace), logger.With("namespace", namespace))}
}

// share is what a source has its share in; nil without a SharedWatch.
func (w *SharedWatch) share() *lookout.Shared {
	if w == nil {
		return nil
	}
	return w.shared
}
