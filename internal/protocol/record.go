package protocol

import (
	"time"

	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	"github.com/hotseat-go/hotseat/lease"
)

// Record is a [lease.Record], with what only the protocol reads from it. It is immutable and safe
// for concurrent use.
type Record struct {
	lease.Record
	lease *coordv1.Lease // the same object, never modified
}

// NewRecord returns a snapshot of l; nil makes the zero Record.
func NewRecord(l *coordv1.Lease) Record { return recordOf(l.DeepCopy()) }

// recordOf is NewRecord without the copy.
func recordOf(l *coordv1.Lease) Record { return Record{lease.RecordOf(l), l} }

// untouched reports whether no elector ever wrote the Lease: it was shipped in
// a manifest.
func (r Record) untouched() bool {
	return r.unheld() && r.lease.Spec.RenewTime == nil && r.annotation(lease.AnnotationVacant) == ""
}

// unheld reports whether no term ever stood on the Lease.
func (r Record) unheld() bool {
	return r.Exists() && r.Holder() == "" && r.lease.Spec.AcquireTime == nil &&
		r.annotation(lease.AnnotationEpoch) == "" && r.annotation(lease.AnnotationTerm) == ""
}

// foreignRelease reports whether the record looks as client-go's elector leaves
// it on release: no holder, one second, both times new and equal.
func (r Record) foreignRelease() bool {
	return r.Exists() && r.Holder() == "" && r.Duration() == time.Second &&
		!r.RenewTime().IsZero() && r.RenewTime().Equal(r.AcquireTime())
}

// sameClaim reports whether both records make the same claim: holder, term,
// times and duration. Labels and other annotations do not matter.
func (r Record) sameClaim(o Record) bool {
	return r.Exists() == o.Exists() && r.UID() == o.UID() && r.Holder() == o.Holder() && r.Term() == o.Term() &&
		r.Duration() == o.Duration() && r.AcquireTime().Equal(o.AcquireTime()) && r.RenewTime().Equal(o.RenewTime())
}

// same reports whether both records are the same version and make the same claim:
// after a restore one version can come to mean two records.
func (r Record) same(o Record) bool {
	return r.ResourceVersion() == o.ResourceVersion() && r.sameClaim(o)
}

// saysAs reports whether r and before both say that nobody is at work, in the same way: both are
// untouched, or both are released by the same release.
func (r Record) saysAs(before Record) bool {
	return r.UID() == before.UID() &&
		(r.untouched() && before.untouched() || r.Released() && r.sameContent(before))
}

// identical reports whether both records are the same version with the same content.
func (r Record) identical(o Record) bool {
	return r.ResourceVersion() == o.ResourceVersion() && r.sameContent(o)
}

// sameContent reports whether all that this package writes is the same in both records.
func (r Record) sameContent(o Record) bool {
	if !r.sameClaim(o) || r.Transitions() != o.Transitions() {
		return false
	}
	for _, key := range annotations() {
		if r.annotation(key) != o.annotation(key) {
			return false
		}
	}
	return true
}

func (r Record) annotation(key string) string {
	if r.lease == nil {
		return ""
	}
	return r.lease.Annotations[key]
}

func releaseMark(t time.Time, replaced string) string {
	return t.UTC().Format(metav1.RFC3339Micro) + " after " + replaced
}

// Newer reports whether resource version a is provably newer than b. Equal,
// older and incomparable versions are not.
func Newer(a, b string) bool {
	order, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && order > 0
}
