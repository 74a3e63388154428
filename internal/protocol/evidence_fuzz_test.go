package protocol

import (
	"strconv"
	"testing"
)

// FuzzDeath is FuzzDecide with evidence: processes die, and the standby learns of that at once. A
// dead holder is not at work, but one that took over from it may be.
func FuzzDeath(f *testing.F) {
	f.Add([]byte{0, 0, 152, 128, 2, 11 + 16, 128})     // put back over a term that was not shown
	f.Add([]byte{0, 152, 2, 11, 144, 128})             // the same beside a new process
	f.Add([]byte{0, 0, 152, 2, 11 + 16, 3, 134, 144})  // and then a late renewal lands
	f.Add([]byte{0, 152, 134, 13, 134, 144, 128})      // only a label was edited
	f.Add([]byte{0, 152, 144, 2, 0, 152, 4, 134, 144}) // edited after its death
	f.Add([]byte{0, 152, 9, 2, 10, 128, 144, 128})     // restored
	f.Fuzz(func(t *testing.T, ops []byte) { play(t, ops, map[string]bool{}) })
}

// die ends the holder's process. What it has sent may still land.
func (w *world) die() {
	if w.lives() {
		w.dead[w.claim.Token.Term] = true
		w.until = Clock{}.Now()
	}
}

// trace is [Lock.Trace], by what was.
func (w *world) trace(r Record) (last bool) {
	for range rewrites {
		version, _ := strconv.Atoi(r.ResourceVersion())
		at := version - 1
		if at < w.compacted {
			return false
		}
		for w.history[at] == (Record{}) && at > w.compacted {
			at--
		}
		before := w.history[at]
		if r.Replaces(before) || !r.Continues(before) {
			return r.Replaces(before)
		}
		r = before
	}
	return false
}
