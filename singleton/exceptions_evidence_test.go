package singleton_test

import (
	"testing"
	"time"

	coordv1 "k8s.io/api/coordination/v1"

	"github.com/hotseat-go/hotseat/lease"
)

// The backup shows the Lease held by a process that is dead by now. To a new process nobody has
// held it since.
func TestExceptionRestoredBesideTheDead(t *testing.T) {
	inLab(t, func(l lab) {
		m, c := newMorgue(), &crew{}
		x := l.run(l.elector("x", m.by("x")), idle)
		sleep(6 * second)
		backup := l.Snapshot()
		l.Link("x").Cut()
		x.stop()
		m.kill("x")
		l.run(l.elector("a", m.by("a")), c.work)
		sleep(5 * second)
		l.Link("a").BlackHole()
		l.Restore(backup, false)
		l.run(l.elector("n", m.by("n")), c.work)
		c.twoAtWork(l, second)
	})
}

// An edit names a process that is dead as the holder's, after exactly the version that it replaces.
func TestExceptionForgedEvidence(t *testing.T) {
	inLab(t, func(l lab) {
		m, c := newMorgue(), &crew{}
		m.kill("x")
		l.run(l.elector("a", m.by("a")), c.work)
		l.run(l.elector("b", m.by("b")), c.work)
		sleep(6 * second)
		l.Link("a").BlackHole()
		l.edit(func(x *coordv1.Lease) {
			x.Annotations[lease.AnnotationEvidence] = x.Annotations[lease.AnnotationTerm] + " after " + x.ResourceVersion + " pod of x"
		})
		c.twoAtWork(l, 300*time.Millisecond)
	})
}
