package lease

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/types"
)

// world is the truth a standby cannot see: who may still be at work.
type world struct {
	version, clock int
	stored, backup Record
	// until is when the last holder that did not release is out: its last
	// committed write plus the duration it wrote.
	until Instant
	term  int
	term0 string // of the last holder
}

func (w *world) commit(r *coordv1.Lease) {
	w.version++
	if r == nil {
		w.stored = Record{}
		return
	}
	r.ResourceVersion = strconv.Itoa(w.version)
	w.stored = Record{r}
}

func (w *world) tick() int { w.clock++; return w.clock }

// step changes the store in one of the ways that things and people do.
func (w *world) step(op byte) {
	now := Clock{}.Now()
	l := w.stored.Lease()
	holding := l != nil && w.stored.Holder() != "" && w.stored.Holder() != "hand"
	lives := w.until.After(now)
	if lives && w.stored.Term() != w.term0 {
		holding = false // restored or written over: the one at work is cut off
	}
	switch op % 10 {
	case 0: // the holder renews
		if holding && lives {
			renewed(w.tick())(l)
			w.until = now.Add(w.stored.Duration())
			w.commit(l)
		}
	case 1: // the holder, which has stopped, releases
		if token, ok := w.stored.Token(); ok && holding && lives && token.Epoch > 0 {
			renewed(w.tick())(l)
			released(l)
			w.until = now
			w.commit(l)
		}
	case 2: // a rightful standby takes over
		if lives {
			return
		}
		if l == nil {
			l = sample("")
			l.UID = types.UID("u" + strconv.Itoa(w.version))
		}
		w.term++
		id := "n" + strconv.Itoa(w.term)
		seconds := int32(2 + op/8%20)
		old, _ := Record{l}.Epoch()
		epoch, _, _ := NextEpoch(EpochInputs{Annotation: old, ResourceVersion: strconv.Itoa(w.version)})
		holder(id)(l)
		duration(seconds)(l)
		renewed(w.tick())(l)
		l.Spec.AcquireTime = l.Spec.RenewTime
		w.term0 = newTerm()
		l.Annotations = map[string]string{AnnotationEpoch: strconv.FormatInt(epoch, 10), AnnotationTerm: w.term0, AnnotationHolder: id}
		w.until = now.Add(time.Duration(seconds) * time.Second)
		w.commit(l)
	case 3: // somebody writes a holder in, maybe with another duration
		if l != nil {
			holder("hand")(l)
			duration(int32(1 + op/8))(l)
			w.commit(l)
		}
	case 4: // somebody clears the holder
		if l != nil {
			holder("")(l)
			w.commit(l)
		}
	case 5:
		if l != nil {
			w.commit(nil)
		}
	case 6: // GitOps ships it anew
		if l == nil {
			l = sample("")
			untouched(l)
			l.UID = types.UID("u" + strconv.Itoa(w.version))
			l.Name, l.Namespace = "invoicer", "shop"
			w.commit(l)
		}
	case 8:
		w.backup = w.stored
	case 9: // restored with a bumped revision: the object keeps its own
		if w.backup.Exists() {
			w.version += 1000
			w.stored = w.backup
		}
	case 7: // somebody removes the annotations
		if l != nil {
			l.Annotations = nil
			w.commit(l)
		}
	}
}

// FuzzDecide plays random histories before one standby that observes now and
// then, and checks that it never takes the Lease while, in truth, the last
// holder it could have known of may be at work.
func FuzzDecide(f *testing.F) {
	f.Add([]byte{2, 8, 0, 9, 0, 8, 5, 9, 6, 8, 200, 8})
	f.Add([]byte{2, 8, 3, 8, 250, 8, 4, 8, 250, 8})
	f.Add([]byte{2, 0, 8, 1, 9, 2, 8, 5, 8, 5, 6, 8, 250, 250, 8})
	f.Add([]byte("\x05\x64\xfa\x3a\x05\x9d")) // missing, a whole term unseen, missing
	f.Fuzz(func(t *testing.T, ops []byte) {
		synctest.Test(t, func(t *testing.T) {
			w := &world{version: 100}
			w.commit(sample(""))
			w.step(2) // there is a holder, and
			var v View
			v = v.Observe(look(w.stored, strconv.Itoa(w.version)), L) // the standby knows it
			for _, op := range ops {
				switch {
				case op < 64:
					w.step(op)
					o := look(w.stored, strconv.Itoa(w.version))
					o.Listed = false
					if op%3 == 0 { // the watch delivers at once
						v = v.Observe(o, L)
					}
				case op < 128:
					v = v.Observe(look(w.stored, strconv.Itoa(w.version)), L)
				default:
					time.Sleep(time.Duration(op-127) * 100 * time.Millisecond)
				}
				now := Clock{}.Now()
				switch d := Decide(v, now, false); d.Action {
				case Wait:
					require.True(t, d.At.After(now), d.Why)
				case Confirm:
					v = v.Observe(look(w.stored, strconv.Itoa(w.version)), L)
					d = Decide(v, now, true)
					require.NotEqual(t, Confirm, d.Action, "a fresh List leaves no doubt: %s", d.Why)
					if d.Action == Acquire {
						w.refuseEarly(t, v, d, now)
					}
				case Create:
					if !w.stored.Exists() {
						w.commit(vacant(w.version + 1).Lease())
						v = v.Observe(look(w.stored, strconv.Itoa(w.version)), L)
					} else {
						v = v.Doubt()
					}
				default:
					w.refuseEarly(t, v, d, now)
				}
			}
		})
	})
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
