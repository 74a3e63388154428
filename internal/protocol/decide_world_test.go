package protocol

import (
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/hotseat-go/hotseat/lease"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/hotseat-go/hotseat/fencing"
)

// world is the truth a standby cannot see: what is stored, all that ever was, and
// who may still be at work.
type world struct {
	version, clock int
	stored, backup Record
	history        map[int]Record // what was stored from each version on
	compacted      int            // the first version that the server still knows
	// until is when the last holder that did not release is out: its last
	// committed write plus the duration it wrote.
	until  Instant
	claim  Claim           // of the last holder
	past   []Claim         // of the ones before
	long   bool            // the last holder wrote more than the standby's own lease duration
	viewed string          // the version that the standby saw last
	dead   map[string]bool // terms whose process is dead; nil: there is no evidence
	anew   bool            // a Lease was shipped where one had been deleted under its holder
}

func newWorld() *world {
	w := &world{version: 100, clock: 1000, compacted: 100, history: map[int]Record{100: {}}}
	l := sample("")
	w.commit(l)
	return w
}

func (w *world) commit(r *coordv1.Lease) {
	w.version++
	w.stored = Record{}
	if r != nil {
		r.ResourceVersion = strconv.Itoa(w.version)
		w.stored = recordOf(r)
	}
	w.history[w.version] = w.stored
}

func (w *world) tick() int { w.clock++; return w.clock }

// before answers [Lock.Before] by what was.
func (w *world) before(r Record) (Record, bool) {
	for range rewrites {
		version, _ := strconv.Atoi(r.ResourceVersion())
		at := version - 1
		if at < w.compacted {
			return Record{}, false
		}
		for {
			if _, ok := w.history[at]; ok {
				break
			}
			at--
		}
		before := w.history[at]
		if !r.saysAs(before) {
			return before, true
		}
		r = before
	}
	return Record{}, false
}

func (w *world) lives() bool { return w.until.After(Clock{}.Now()) }

// mine is the stored Lease if it still is of the term of the one at work.
func (w *world) mine() *coordv1.Lease {
	if !w.lives() || w.claim.Standing(w.stored) != nil {
		return nil
	}
	return w.stored.Lease()
}

// stamp writes c's term onto l, as [Lock.stamp] does.
func (w *world) stamp(l *coordv1.Lease, c Claim) {
	holder(c.Record.Holder())(l)
	renewed(w.tick())(l)
	l.Spec.LeaseDurationSeconds = c.Record.lease.Spec.LeaseDurationSeconds
	l.Annotations = map[string]string{
		lease.AnnotationEpoch: strconv.FormatInt(c.Token.Epoch, 10), lease.AnnotationTerm: c.Token.Term, lease.AnnotationHolder: c.Record.Holder(),
	}
	if w.dead != nil {
		c.publish(l)
	}
}

// steps are the ways in which things and people change the store. n is any number.
var steps = []func(w *world, n int){
	(*world).renew, (*world).release, (*world).takeOver, (*world).renewLate,
	func(w *world, n int) { // somebody writes a holder in, maybe with another duration
		w.edit(holder("hand"), duration(int32(1+n)))
	},
	func(w *world, _ int) { w.edit(holder("")) },
	func(w *world, _ int) {
		if w.stored.Exists() {
			w.commit(nil)
		}
	},
	func(w *world, n int) { // GitOps ships it anew
		if !w.stored.Exists() {
			w.create(fenced("", "", "", "", shipped))
		}
	},
	func(w *world, _ int) { w.edit(func(l *coordv1.Lease) { l.Annotations = nil }) },
	func(w *world, _ int) { w.backup = w.stored },
	func(w *world, _ int) { // restored with a bumped revision: the object keeps its own
		// To one who saw that very version last it is unchanged, and a term that came
		// after the backup is not shown: an exception (internal/docs/guide/guarantees.md).
		if w.backup.Exists() && (!w.lives() || w.backup.ResourceVersion() != w.viewed) {
			w.version += 1000
			w.stored, w.compacted = w.backup, w.version
			w.history[w.version] = w.stored
		}
	},
	(*world).putBack,
	func(w *world, _ int) { w.edit(shipped) },
	func(w *world, n int) {
		w.edit(func(l *coordv1.Lease) { l.Labels = map[string]string{"n": strconv.Itoa(n)} })
	},
	func(w *world, n int) { w.edit(duration(int32(1 + n))) },
	func(w *world, n int) { // an epoch raised by an operator, or a slip
		epoch, _ := w.stored.Epoch()
		if n == 7 {
			epoch = math.MaxInt64 - 100
		}
		w.edit(func(l *coordv1.Lease) {
			if l.Annotations == nil {
				l.Annotations = map[string]string{}
			}
			l.Annotations[lease.AnnotationEpoch] = strconv.FormatInt(epoch+int64(n)-2, 10)
		})
	},
}

func (w *world) edit(edits ...func(*coordv1.Lease)) {
	if l := w.stored.Lease(); l != nil {
		for _, edit := range edits {
			edit(l)
		}
		w.commit(l)
	}
}

func (w *world) create(body Record) {
	l := body.Lease()
	l.UID, l.Name, l.Namespace = types.UID("u"+strconv.Itoa(w.version)), "invoicer", "shop"
	w.anew = w.anew || w.lives()
	w.commit(l)
}

// renew is the holder's [Lock.Renew], with its repair.
func (w *world) renew(n int) {
	if l := w.mine(); l != nil {
		if n < 6 { // else the answer to the one before is on its way
			w.claim.Published.After = w.stored.ResourceVersion()
		}
		w.stamp(l, w.claim)
		w.until = Clock{}.Now().Add(recordOf(l).Duration())
		w.commit(l)
	}
}

// release is the holder's, which has stopped.
func (w *world) release(int) {
	if l := w.mine(); l != nil {
		w.stamp(l, w.claim)
		release(w.stored.ResourceVersion())(l)
		w.until = Clock{}.Now()
		w.commit(l)
	}
}

// renewLate is a renewal of a term that is over, which was long under way: it lands
// where the Lease names the term again.
func (w *world) renewLate(n int) {
	past := w.past
	if w.dead[w.claim.Token.Term] {
		past = append(slices.Clip(past), w.claim)
	}
	if len(past) == 0 {
		return
	}
	c := past[n%len(past)]
	if w.stored.UID() == c.Record.UID() && w.stored.Term() == c.Token.Term && w.stored.Holder() == c.Record.Holder() {
		w.edit(renewed(w.tick()), func(l *coordv1.Lease) {
			l.Spec.LeaseDurationSeconds = c.Record.lease.Spec.LeaseDurationSeconds
			if w.dead != nil {
				c.publish(l)
			}
		})
	}
}

// takeOver is a rightful standby's.
func (w *world) takeOver(n int) {
	if w.lives() {
		return
	}
	if !w.stored.Exists() {
		w.anew = false
		w.create(vacant(0))
	}
	l := w.stored.Lease()
	old, _ := w.stored.Epoch()
	highest := w.claim.Token.Epoch // it may have seen the last one or not
	if n%2 == 0 {
		highest = 0
	}
	epoch, _, err := NextEpoch(EpochInputs{Annotation: old, ResourceVersion: strconv.Itoa(w.version), Remembered: highest})
	if err != nil {
		return
	}
	seconds := int32(2 + n)
	if w.long = n == 7; w.long {
		seconds = 30
	}
	if w.claim.Record.Exists() {
		w.past = append(w.past, w.claim)
	}
	holder("n" + strconv.Itoa(len(w.past)%3))(l)
	duration(seconds)(l)
	c := Claim{Token: fencing.Token{Scope: "shop/invoicer", Epoch: epoch, Term: newTerm()}, Record: recordOf(l)}
	c.Published = Published{Identity: "process of " + c.Token.Term, After: w.stored.ResourceVersion()}
	w.stamp(l, c)
	l.Spec.AcquireTime = l.Spec.RenewTime
	w.claim = c
	w.until = Clock{}.Now().Add(time.Duration(seconds) * time.Second)
	w.anew = false
	w.commit(l)
}

// putBack gives the Lease a body that it had before.
func (w *world) putBack(n int) {
	at := w.version - 1 - n
	if n == 7 {
		at = w.version - 20
	}
	for ; at >= 100; at-- {
		old, ok := w.history[at]
		switch {
		case !ok || !old.Exists():
		case !w.stored.Exists():
			w.create(old)
			return
		default:
			l := old.Lease()
			l.UID = w.stored.UID()
			w.commit(l)
			return
		}
	}
}

// refuseEarly fails if d takes the Lease while its last holder may be at work.
// A compare-and-swap on a record that is no longer stored would fail, so it
// takes nothing.
func (w *world) refuseEarly(t *testing.T, v View, d Decision, now Instant) {
	if d.Action == Wait || v.Record().ResourceVersion() != w.stored.ResourceVersion() {
		return
	}
	require.False(t, w.until.After(now), "%v (%s) while the last holder may be at work for %v more", d.Action, d.Why, w.until.Sub(now))
}
