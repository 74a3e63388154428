package protocol

import (
	"context"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/lease"
)

// A person names the successor by its Pod's name. The replica in that Pod answers by writing its
// identity in the name's place. Only then does the holder hand over. So a name that nobody answers
// to moves no leadership, and nobody waits for it while the holder lives.
//
// A record is free with a successor on it in three cases: the holder handed over to it, the holder
// resigned and named it, or the holder died before it had handed over.

// grace is how much later than the named successor the others try.
func grace(t lease.Timing) time.Duration { return t.RetryPeriod / 2 }

// incarnationDigits are hex digits, which follow the last "_" of an identity.
const incarnationDigits = 16

// names reports whether name is the identity, or the identity without the part that each process
// has of its own.
func names(name, identity string) bool {
	return name != "" && (name == identity || name == podOf(identity))
}

// podOf is what names each process of a replica alike. It is empty if identity is no identity of an
// elector of ours.
func podOf(identity string) string {
	i := strings.LastIndexByte(identity, '_')
	if i < 0 || len(identity)-i-1 != incarnationDigits || strings.Trim(identity[i+1:], "0123456789abcdef") != "" {
		return ""
	}
	return identity[:i]
}

// Yielding returns the candidate that lets others go first for that long once the Lease comes free.
func (c *Candidate) Yielding(d time.Duration) *Candidate {
	if c.manners.yield == d {
		return c
	}
	c = c.clone()
	c.manners.yield = d
	return c
}

// Named reports whether a holder of ours is to hand over to this candidate, which has not answered
// yet.
func (c *Candidate) Named() bool {
	r := c.view.Record()
	_, ours := r.Token()
	return ours && r.Holder() != c.self.Identity && names(r.Successor(), c.self.Identity) &&
		r.annotation(lease.AnnotationSuccessor) != c.self.Identity
}

// HandOver returns the identity that the holder of c is to hand over to, as r says. It is empty if
// r is not of c's term, or if nobody has answered.
func (c Claim) HandOver(r Record) string {
	to := r.annotation(lease.AnnotationSuccessor)
	if podOf(to) == "" || to == c.Record.Holder() || c.Standing(r) != nil {
		return ""
	}
	return to
}

// Answer tells the holder of r that this candidate is there to succeed it. It writes only if the
// Lease still names this candidate and the same term. The error is a [*lease.RequestError].
func (l *Lock) Answer(ctx context.Context, r Record) error {
	next := r.Lease()
	metav1.SetMetaDataAnnotation(&next.ObjectMeta, lease.AnnotationSuccessor, l.Identity)
	path := annotationPath(lease.AnnotationSuccessor)
	ops := []operation{
		{"test", "/metadata/uid", next.UID},
		{"test", "/spec/holderIdentity", next.Spec.HolderIdentity},
		{"test", annotationPath(lease.AnnotationTerm), r.Term()},
		{"test", path, nil},
	}
	if named := r.annotation(lease.AnnotationSuccessor); named != "" {
		ops[3].Value = named
	} else {
		ops = append(ops, operation{"test", "/spec/preferredHolder", next.Spec.PreferredHolder})
	}
	_, err := l.send(ctx, append(ops, operation{"add", path, l.Identity}), next, 0)
	return err
}
