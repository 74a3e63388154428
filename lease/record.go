package lease

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/hotseat-go/hotseat/fencing"
)

// Domain is the prefix of every annotation and label that hotseat writes.
const Domain = "hotseat-go.github.io/"

// Annotations on the Lease. An acquire writes the first three together with spec.holderIdentity, in
// one compare-and-swap. A repair writes them again.
const (
	AnnotationEpoch  = Domain + "fencing-epoch"  // decimal int64, only ever grows
	AnnotationTerm   = Domain + "fencing-term"   // 32 hex digits, one random value per term
	AnnotationHolder = Domain + "fencing-holder" // spec.holderIdentity during that term
	// AnnotationReleased is set by a release to "<renewTime> after <version>": the time that the
	// release wrote, and the resourceVersion of the record that it replaced. It says that the holder
	// itself gave the Lease up. If a person clears the holder, there is no such annotation, and the
	// holder may still be at work.
	AnnotationReleased = Domain + "fencing-released"
	// AnnotationVacant is on a Lease that a standby created because the Lease was missing. It
	// distinguishes that Lease from one shipped in a manifest. The acquire removes the annotation.
	AnnotationVacant = Domain + "vacant"
	// AnnotationEvidence is on the Lease during the terms of an elector with Config.Evidence. Its
	// value is "<term> after <version> <identity>". The identity is that of the holder's process. The
	// version is the last one of the Lease that the holder knew while its term was valid. Rules P1 and
	// P2 say why.
	AnnotationEvidence = Domain + "evidence"
	// AnnotationProgram names the program that created or acquired the Lease
	// (singleton.ReplicaConfig.Program). It is for people, and proves nothing.
	AnnotationProgram = Domain + "program"
	// AnnotationSuccessor names the replica that is to hold the Lease next: its Pod's name, or its
	// identity. A person, a program or a resigning holder writes it. The next acquire removes it. It
	// proves nothing. Nobody waits for longer than half a RetryPeriod because of it.
	AnnotationSuccessor = Domain + "successor"
)

// Record is an immutable snapshot of a Lease, or of its absence (the zero Record). It is safe for
// concurrent use.
type Record struct {
	lease *coordv1.Lease // never modified
}

// NewRecord returns a snapshot of l; nil makes the zero Record.
func NewRecord(l *coordv1.Lease) Record { return Record{l.DeepCopy()} }

// RecordOf is NewRecord without the copy. Do not modify l afterwards.
func RecordOf(l *coordv1.Lease) Record { return Record{l} }

// Lease returns a copy of the object, nil for the zero Record.
func (r Record) Lease() *coordv1.Lease { return r.lease.DeepCopy() }

// Exists reports whether there is a Lease.
func (r Record) Exists() bool { return r.lease != nil }

// Scope is the scope of this Lease's tokens: its [fencing.Scope].
func (r Record) Scope() string {
	if r.lease == nil {
		return ""
	}
	return fencing.Scope(r.lease.Namespace, r.lease.Name)
}

// UID of the object.
func (r Record) UID() types.UID {
	if r.lease == nil {
		return ""
	}
	return r.lease.UID
}

// ResourceVersion of the object.
func (r Record) ResourceVersion() string {
	if r.lease == nil {
		return ""
	}
	return r.lease.ResourceVersion
}

// Holder is spec.holderIdentity; empty when nobody holds the Lease.
func (r Record) Holder() string {
	if r.lease == nil || r.lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *r.lease.Spec.HolderIdentity
}

// Program is what [AnnotationProgram] says; empty if it is not there.
func (r Record) Program() string {
	if r.lease == nil {
		return ""
	}
	return r.lease.Annotations[AnnotationProgram]
}

// Successor names the replica that is to hold the Lease next, by its Pod's name or its identity. It
// is what [AnnotationSuccessor] says, else spec.preferredHolder. Empty: nobody is named.
func (r Record) Successor() string {
	if name := r.annotation(AnnotationSuccessor); name != "" {
		return name
	}
	if r.lease == nil || r.lease.Spec.PreferredHolder == nil {
		return ""
	}
	return *r.lease.Spec.PreferredHolder
}

// Duration is the lease duration that the last writer asked for; 0 if there is none.
func (r Record) Duration() time.Duration {
	if r.lease == nil || r.lease.Spec.LeaseDurationSeconds == nil {
		return 0
	}
	return time.Duration(*r.lease.Spec.LeaseDurationSeconds) * time.Second
}

// Transitions is spec.leaseTransitions: a count of holder changes, for diagnosis only. It is
// not a fencing token.
func (r Record) Transitions() int32 {
	if r.lease == nil || r.lease.Spec.LeaseTransitions == nil {
		return 0
	}
	return *r.lease.Spec.LeaseTransitions
}

// AcquireTime is when the term began, by the holder's wall clock. It is for display only.
func (r Record) AcquireTime() time.Time {
	if r.lease == nil {
		return time.Time{}
	}
	return timeOf(r.lease.Spec.AcquireTime)
}

// RenewTime is when the holder last renewed, by its wall clock. It is for display only.
func (r Record) RenewTime() time.Time {
	if r.lease == nil {
		return time.Time{}
	}
	return timeOf(r.lease.Spec.RenewTime)
}

func timeOf(t *metav1.MicroTime) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.Time
}

// Epoch is the fencing epoch on the Lease, whoever holds the Lease now; 0 if there is none. If the
// annotation is not an epoch, Epoch returns 0 and an error.
func (r Record) Epoch() (int64, error) {
	text := r.annotation(AnnotationEpoch)
	if text == "" {
		return 0, nil
	}
	epoch, err := ParseEpoch(text)
	if err != nil {
		return 0, fmt.Errorf("annotation %s: %w", AnnotationEpoch, err)
	}
	return epoch, nil
}

// Term is the id of the last fenced term on the Lease. It may be empty.
func (r Record) Term() string { return r.annotation(AnnotationTerm) }

// Token returns the current holder's fencing token. There is none
//   - while nobody holds the Lease,
//   - if the holder did not write the annotations (it uses another elector), or
//   - if somebody edited the annotations.
func (r Record) Token() (fencing.Token, bool) {
	epoch, err := r.Epoch()
	if err != nil || epoch == 0 || r.Holder() == "" || r.annotation(AnnotationHolder) != r.Holder() {
		return fencing.Token{}, false
	}
	token := fencing.Token{Scope: r.Scope(), Epoch: epoch, Term: r.Term()}
	return token, token.Validate() == nil
}

// Released reports whether the record says that its last holder released the Lease, after work had
// returned. Even so, a later term may be under way: an edit can put back a record from before it.
// So an elector that did not see the release happen looks for proof (rules C4 and C5).
func (r Record) Released() bool {
	_, released := r.ReleasedFrom()
	return released
}

// ReleasedFrom returns the resourceVersion of the record that the release replaced.
func (r Record) ReleasedFrom() (version string, released bool) {
	if !r.Exists() || r.Holder() != "" || r.lease.Spec.RenewTime == nil {
		return "", false
	}
	mark := releaseMark(r.RenewTime(), "")
	version, released = strings.CutPrefix(r.annotation(AnnotationReleased), mark)
	return version, released && version != ""
}

// Vacant reports whether a standby created the Lease because it was missing, and nobody has held it
// since.
func (r Record) Vacant() bool {
	return r.Exists() && r.Holder() == "" && r.lease.Spec.AcquireTime == nil &&
		r.annotation(AnnotationEpoch) == "" && r.annotation(AnnotationTerm) == "" &&
		r.annotation(AnnotationVacant) != ""
}

// Annotation returns the text of one of the annotations above; empty if it is not there.
func (r Record) Annotation(key string) string { return r.annotation(key) }

func (r Record) annotation(key string) string {
	if r.lease == nil {
		return ""
	}
	return r.lease.Annotations[key]
}

func releaseMark(t time.Time, replaced string) string {
	return t.UTC().Format(metav1.RFC3339Micro) + " after " + replaced
}

// ParseEpoch reads the text of [AnnotationEpoch]. It accepts only what hotseat writes: 1..MaxInt64
// in decimal, without sign, leading zero or space.
func ParseEpoch(text string) (int64, error) {
	if len(text) > len(strconv.Itoa(math.MaxInt64)) || text == "" || text[0] < '1' || text[0] > '9' {
		return 0, fmt.Errorf("%.40q is not a decimal from 1 to %d", text, math.MaxInt64)
	}
	epoch, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%.40q is not a decimal from 1 to %d", text, math.MaxInt64)
	}
	return epoch, nil
}
