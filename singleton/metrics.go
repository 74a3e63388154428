package singleton

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/protocol"
	"github.com/hotseat-go/hotseat/lease"
)

// metrics of one elector. They are plain numbers, because a process may have a thousand electors,
// and they are turned into Prometheus metrics at each scrape (collector.go). No lock is taken, so a
// scrape delays no renewal.
type metrics struct {
	terms    tally // by why they ended
	acquired tally // by what proved that nobody else was at work
	sources  tally // terms that began, by what their epoch was derived from
	guards   tally // failed announcements, by kind
	evidence tally // by result
	attempts tally // to create or acquire the Lease that failed, by reason
	overruns atomic.Uint64
	vacant   atomic.Int64 // nanoseconds in which nobody was active before the last term
	renewals
}

// renewals of all terms.
type renewals struct {
	failed      tally // by reason
	buckets     tally // acknowledged ones, by the upper bound of how long they took
	nanoseconds atomic.Int64
	late        atomic.Uint64
	overlapping atomic.Uint64
}

// tally counts by the values of a label, which are a fixed list. A tally that has counted nothing
// takes little memory, because most of a thousand electors stand by.
type tally struct {
	counts atomic.Pointer[[]atomic.Uint64]
}

// add counts the i-th of so many values.
func (t *tally) add(i, of int) {
	if t.counts.Load() == nil {
		counts := make([]atomic.Uint64, of)
		t.counts.CompareAndSwap(nil, &counts)
	}
	(*t.counts.Load())[i].Add(1)
}

func (t *tally) get(i int) uint64 {
	if counts := t.counts.Load(); counts != nil {
		return (*counts)[i].Load()
	}
	return 0
}

func count[V ~string](t *tally, values []V, value V) {
	if i := slices.Index(values, value); i >= 0 {
		t.add(i, len(values))
	}
}

func renewBuckets() []float64 {
	return []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
}

func failureReasons() []string {
	return []string{
		"conflict", "forbidden", "unauthorized", "rejected", "unavailable", "lost", "other",
	}
}

func sources() []protocol.Source {
	return []protocol.Source{protocol.SourceStore, protocol.SourceCounter}
}

// What came of Config.Evidence.
const (
	evidenceUsed     = "used"     // a term began by it
	evidenceUnproven = "unproven" // the holder seemed dead, and that was not proven
	evidenceUntraced = "untraced" // another replica may have held the Lease since
	evidenceFailed   = "failed"   // an error
)

func testimonies() []string {
	return []string{evidenceUsed, evidenceUnproven, evidenceUntraced, evidenceFailed}
}

// started takes in that a term began, by which proof, and how long nobody was active before it.
func (m *metrics) started(d protocol.Decision, c protocol.Claim, vacant time.Duration) {
	count(&m.acquired, protocol.Proofs(), d.Proof())
	count(&m.sources, sources(), c.Source)
	m.vacant.Store(int64(vacant))
}

func (m *metrics) ended(r Reason)                { count(&m.terms, reasons(), r) }
func (m *metrics) guardFailed(kind fencing.Kind) { count(&m.guards, fencing.Kinds(), kind) }
func (m *metrics) witnessed(result string)       { count(&m.evidence, testimonies(), result) }
func (m *metrics) notAcquired(reason string)     { count(&m.attempts, failureReasons(), reason) }
func (m *metrics) overran()                      { m.overruns.Add(1) }

// renewed takes in that a renewal was acknowledged, when the term was still valid for left. A
// renewal has RenewDeadline less RetryPeriod. It is late once it used more than half of that.
func (m *renewals) renewed(took, left time.Duration, timing lease.Timing) {
	bounds := renewBuckets()
	i, _ := slices.BinarySearch(bounds, took.Seconds())
	m.buckets.add(i, len(bounds)+1)
	m.nanoseconds.Add(int64(took))
	if left < (timing.RenewDeadline-timing.RetryPeriod)/2 {
		m.late.Add(1)
	}
}

func (m *renewals) renewalFailed(reason string) { count(&m.failed, failureReasons(), reason) }

// histogram returns how long the renewals took, in seconds.
func (m *renewals) histogram() *distribution {
	bounds := renewBuckets()
	d := &distribution{buckets: map[float64]uint64{}}
	d.sum = time.Duration(m.nanoseconds.Load()).Seconds()
	for i, bound := range bounds {
		d.count += m.buckets.get(i)
		d.buckets[bound] = d.count
	}
	d.count += m.buckets.get(len(bounds))
	return d
}
