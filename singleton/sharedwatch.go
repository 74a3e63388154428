package singleton

import (
	"log/slog"
	"sync/atomic"

	"github.com/hotseat-go/hotseat/internal/lookout"
	"github.com/hotseat-go/hotseat/lease"
)

// SharedWatch observes all Leases of a namespace with one list and one watch. It is for a process
// that is a candidate for many of them: give the same SharedWatch to each of its electors
// ([ReplicaConfig].SharedWatch). Without it each elector watches its own Lease. A process with only
// a few Leases needs no SharedWatch.
//
// There is nothing to start or to stop. A SharedWatch makes requests while at least one elector
// that uses it runs, and the Run that returns last waits for the shared watch to end.
//
// It needs the verbs list and watch on the namespace's Leases, without resourceNames. Each elector
// needs its own verbs as well. If list or watch is refused, that is logged once, and each elector
// watches its own Lease instead. The SharedWatch tries again every 5 to 10 minutes.
//
// It is safe for concurrent use.
type SharedWatch struct {
	namespace string
	shared    *lookout.Shared
	rehearsed *atomic.Bool // one of the electors rehearses a write, or has
}

// NewSharedWatch returns a SharedWatch of that namespace. Every elector that gets it must be for
// the same namespace; [New] refuses others. client may be the one that the electors have, and must
// meet the same conditions as in [New]. The SharedWatch logs to logger; nil means slog.Default().
func NewSharedWatch[L lease.Client](
	client LeasesGetter[L], namespace string, logger *slog.Logger,
) *SharedWatch {
	if logger == nil {
		logger = slog.Default()
	}
	if isNil(client) {
		return &SharedWatch{namespace: namespace} // New refuses it
	}
	shared := lookout.NewShared(client.Leases(namespace), logger.With("namespace", namespace))
	return &SharedWatch{namespace: namespace, shared: shared, rehearsed: &atomic.Bool{}}
}

// rehearses reports whether an elector with w has to rehearse a write. One is enough: their rights
// are hardly different, and a thousand requests at the start of a process are not cheap.
func (w *SharedWatch) rehearses() bool {
	return w == nil || w.rehearsed.CompareAndSwap(false, true)
}

// share is what a source subscribes to; nil without a SharedWatch.
func (w *SharedWatch) share() *lookout.Shared {
	if w == nil {
		return nil
	}
	return w.shared
}
