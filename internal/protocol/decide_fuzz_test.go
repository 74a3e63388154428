package protocol

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// standby looks at a world, by one watch while it lasts.
type standby struct {
	w        *world
	v        View
	from     int    // the version up to which its watch has delivered
	last     string // what it delivered last
	watching bool
}

// list looks at the world afresh, and watches from there.
func (s *standby) list() {
	s.v = s.v.Observe(look(s.w.stored, strconv.Itoa(s.w.version)), L)
	s.from, s.last, s.watching = s.w.version, s.v.Last().Version(), true
}

// confirm looks at the world as [Lock.Confirm] does. Its watch goes on.
func (s *standby) confirm() {
	o := look(s.w.stored, strconv.Itoa(s.w.version))
	if o.Record.Exists() {
		o.ResourceVersion, o.Newest, o.Stored = o.Version(), o.ResourceVersion, true
	}
	s.v = s.v.Observe(o, L)
}

// deliver has the watch show every change up to now.
func (s *standby) deliver() {
	if s.watching = s.watching && s.from >= s.w.compacted; !s.watching {
		return
	}
	for s.from < s.w.version {
		s.from++
		if r, ok := s.w.history[s.from]; ok {
			o := event(r, strconv.Itoa(s.from), s.last)
			s.v, s.last = s.v.Observe(o, L), o.Version()
		}
	}
}

// act does what the standby decides.
func (s *standby) act(t *testing.T) {
	if r := s.v.Record(); s.w.dead[r.Term()] { // and Evidence tells
		s.v.death.suspect = r.Term()
	}
	for fresh, steps := false, 0; ; steps++ {
		require.Less(t, steps, 8, "it decides for ever")
		now := Clock{}.Now()
		switch d := s.v.decide(now, fresh); d.Action {
		case Wait:
			require.True(t, !s.v.Known() || d.At.After(now), d.Why)
			return
		case Confirm:
			require.False(t, fresh, "a fresh look leaves no doubt: %s", d.Why)
			s.confirm()
			fresh = true
		case Prove:
			before, looked := s.w.before(s.v.Record())
			s.v = s.v.Proved(s.v.Record(), before, looked)
		case Create:
			if !s.w.stored.Exists() {
				s.w.anew = s.w.anew || s.w.lives()
				s.w.commit(vacant(s.w.version + 1).Lease())
				s.deliver()
				if !s.watching {
					s.list()
				}
			} else {
				s.v = s.v.Doubt()
			}
			fresh = false
		case Trace:
			last := s.w.trace(s.v.Record())
			s.v.death.last, s.v.death.traced = last, !last
			s.v = s.v.afterDeath()
		case Ask:
			require.True(t, fresh, "the Lease is looked at first")
			require.True(t, s.w.dead[s.v.Record().Term()])
			s.v.death.dead, s.v.death.free = s.v.Record().Term(), now
			s.v = s.v.afterDeath()
		default:
			s.w.refuseEarly(t, s.v, d, now)
			return
		}
	}
}

// FuzzDecide plays random histories before one standby that observes now and
// then, and checks that it never takes the Lease while, in truth, the last
// holder it could have known of may be at work.
//
// An op below 128 is a step of the world, its parameter, and then whether the
// watch delivers at once; above that come looks, gaps, new processes and time.
func FuzzDecide(f *testing.F) {
	f.Add([]byte{2, 150, 0, 200, 0, 150, 6, 9, 7, 150, 250, 150})
	f.Add([]byte{2, 150, 4, 150, 250, 150, 5, 150, 250, 150})
	f.Add([]byte{2, 0, 150, 1, 10, 2, 150, 6, 150, 6, 7, 150, 250, 250, 150})
	f.Add([]byte("\x06\xa0\xfa\x3a\x06\xfd"))                      // missing, a whole term unseen, missing
	f.Add([]byte{1, 128, 250, 250, 136, 2, 11, 128, 250})          // a release put back over a term, in a gap
	f.Add([]byte{250, 250, 130, 2, 12, 146, 128, 250})             // replaced with the manifest, beside a new process
	f.Add([]byte{0, 5, 130, 13, 1, 133, 3, 250, 128, 11, 11 + 32}) // edits in one watch
	f.Add([]byte{250, 2 + 16*7, 15 + 16*5, 14, 128, 250, 250})     // a longer lease, fenced and shortened in a gap
	f.Fuzz(func(t *testing.T, ops []byte) { play(t, ops, nil) })
}

func play(t *testing.T, ops []byte, dead map[string]bool) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.dead = dead
		w.takeOver(0) // there is a holder, and
		s := &standby{w: w}
		s.list() // the standby knows it
		for _, op := range ops {
			switch {
			case dead != nil && op >= 148 && op%8 == 0:
				w.die()
			case op < 128:
				steps[op%16](w, int(op/16))
				if w.long && op%16 == 2 {
					s.list() // longer leases than its own are waited for where they were seen
				} else if op%3 == 0 {
					s.deliver()
				}
			case op < 134:
				s.list()
			case op < 140:
				s.deliver()
			case op < 144:
				s.watching = false
			case op < 148: // a new process; the Lease may have been shipped anew before (an exception)
				if !w.lives() || !w.anew && !w.long {
					s = &standby{w: w}
					s.list()
				}
			default:
				time.Sleep(time.Duration(op-147) * 100 * time.Millisecond)
			}
			s.act(t)
			w.viewed = s.v.Record().ResourceVersion()
		}
	})
}
