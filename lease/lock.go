package lease

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	coordclient "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/hotseat-go/hotseat/fencing"
)

// Options of a [Lock]. All but Clock are required; Timing must be valid.
type Options struct {
	Namespace, Name string
	Identity        string // unique per process
	Timing          Timing
	Clock           Clock // zero: the machine's
}

// Lock makes one candidate's requests on one Lease. It keeps no state between
// calls, starts no goroutine and is safe for concurrent use; every request has
// its own deadline of Timing.RequestTimeout.
type Lock struct {
	client coordclient.LeaseInterface
	Options
}

// NewLock returns a Lock that makes its requests through client.
func NewLock(client coordclient.LeaseInterface, o Options) *Lock {
	return &Lock{client: client, Options: o}
}

// Claim is a term as last acknowledged by the API server. An immutable value.
type Claim struct {
	Token  fencing.Token
	Source Source // what the epoch was derived from
	// Record is the latest known to name the term; the base of the next
	// compare-and-swap.
	Record Record
	// Sent is when the last acknowledged write of this term was sent.
	Sent Instant
}

// ValidUntil is Sent + RenewDeadline: nobody else works before then.
func (c Claim) ValidUntil(t Timing) Instant { return c.Sent.Add(t.RenewDeadline) }

// Rebase returns the claim with r as the base of its next write. Validity does
// not move: only acknowledged writes extend it.
func (c Claim) Rebase(r Record) Claim {
	c.Record = r
	return c
}

// Standing returns nil if r still carries the term, else a [*LostError].
// Missing or garbled annotations do not end a term: the identity and the time
// of acquiring still name it, and the next renewal repairs them.
func (c Claim) Standing(r Record) error {
	epoch, err := r.Epoch()
	switch {
	case !r.Exists() || r.UID() != c.Record.UID():
		return &LostError{Loss: LossDeleted, Record: r}
	case r.Holder() == "":
		return &LostError{Loss: LossCleared, Record: r}
	case r.Holder() != c.Record.Holder():
		return &LostError{Loss: LossTaken, Record: r}
	case r.Term() != "" && r.Term() != c.Token.Term,
		r.Term() == "" && !r.AcquireTime().Equal(c.Record.AcquireTime()):
		return &LostError{Loss: LossTaken, Record: r}
	case err == nil && epoch > c.Token.Epoch:
		return &LostError{Loss: LossFenced, Record: r}
	}
	return nil
}

// List looks at the Lease by a linearizable LIST restricted to its name: one
// request that also answers for a missing Lease and carries the store's current
// resource version. The error is a [*RequestError].
func (l *Lock) List(ctx context.Context) (Observation, error) {
	ctx, cancel := context.WithTimeout(ctx, l.Timing.RequestTimeout())
	defer cancel()
	asked := l.Clock.Now()
	list, err := l.client.List(ctx, metav1.ListOptions{FieldSelector: l.selector()})
	if err != nil {
		return Observation{}, requestError("list", err)
	}
	o := Observation{Asked: asked, At: l.Clock.Now(), ResourceVersion: list.ResourceVersion, Listed: true}
	for i := range list.Items {
		if list.Items[i].Name == l.Name { // a server that ignores the selector must not fool us
			o.Record = Record{&list.Items[i]}
		}
	}
	return o, nil
}

func (l *Lock) selector() string {
	return fields.OneTermEqualSelector(metav1.ObjectNameField, l.Name).String()
}

// Create creates the missing Lease, vacant: nobody holds it, and a full lease has
// to pass before anybody may. The error is a [*RequestError]; ErrConflict means
// that there is one. It is harmless whenever it arrives.
func (l *Lock) Create(ctx context.Context) (Record, error) {
	return l.write(ctx, l.vacant())
}

// Acquire takes the Lease over from what was observed, as a new term: it
// updates the record of from, which must exist. The caller has decided that it
// may ([Decide]). in.Annotation and in.ResourceVersion are filled in here.
//
// When the write's answer is lost, a List tells whether it happened; if so the
// term counts from a renewal, because only an acknowledgement proves a time.
// Errors: a [*RequestError] (ErrConflict: somebody was faster), a [*LostError]
// if it was lost again meanwhile, ErrUnheard, ErrLate, ErrEpochExhausted.
func (l *Lock) Acquire(ctx context.Context, from Observation, in EpochInputs) (Claim, error) {
	if !from.Record.Exists() {
		return Claim{}, requestError("update", apierrors.NewConflict(coordv1.Resource("leases"), l.Name, errors.New("there is none")))
	}
	in.ResourceVersion = from.ResourceVersion
	in.Annotation, _ = from.Record.Epoch() // garbled counts as none
	epoch, source, err := NextEpoch(in)
	if err != nil {
		return Claim{}, err
	}
	claim := Claim{
		Token:  fencing.Token{Scope: l.Namespace + "/" + l.Name, Epoch: epoch, Term: newTerm()},
		Source: source,
	}
	next := l.taken(from.Record, claim.Token)
	sent := l.Clock.Now()
	stored, err := l.write(ctx, next)
	if errors.Is(err, ErrUnavailable) {
		claim.Record = Record{next}
		return l.adopt(ctx, claim, err)
	}
	if err != nil {
		return Claim{}, err
	}
	claim.Record, claim.Sent = stored, sent
	return l.inTime(claim)
}

// adopt finds out whether the acquire whose answer was lost happened.
func (l *Lock) adopt(ctx context.Context, claim Claim, lost error) (Claim, error) {
	o, err := l.List(ctx)
	if err != nil {
		return Claim{}, errors.Join(lost, err)
	}
	if claim.Standing(o.Record) != nil { // it never happened, or is over again
		return Claim{}, lost
	}
	claim, err = l.Renew(ctx, claim.Rebase(o.Record))
	if errors.Is(err, ErrUnavailable) {
		return Claim{}, fmt.Errorf("%w: %w", ErrUnheard, err)
	}
	if err != nil {
		return Claim{}, err
	}
	return l.inTime(claim)
}

func (l *Lock) inTime(c Claim) (Claim, error) {
	if age := l.Clock.Since(c.Sent); age >= l.Timing.RenewDeadline {
		return Claim{}, fmt.Errorf("%w: answered after %v, RenewDeadline is %v", ErrLate, age, l.Timing.RenewDeadline)
	}
	return c, nil
}

// Renew writes the term again and returns it with the new time of sending and
// record. On a conflict it lists: while the term still stands (somebody edited
// a label) it writes again at once, a few times. Errors: a [*LostError] ends the
// term; a [*RequestError] does not, the claim's validity does.
func (l *Lock) Renew(ctx context.Context, c Claim) (Claim, error) {
	err := l.insist(ctx, &c, func() error {
		sent := l.Clock.Now()
		stored, err := l.write(ctx, l.renewed(c))
		if err != nil {
			return err
		}
		lost := c.Standing(stored) // admission may have rewritten it
		c.Record, c.Sent = stored, sent
		return lost
	})
	return c, err
}

// rewrites bounds how often one call writes again after a conflict; the caller
// knows how to wait.
const rewrites = 4

// insist calls write, and again after a conflict that an edit explains while
// the term in c still stands; c is rebased on what was read.
func (l *Lock) insist(ctx context.Context, c *Claim, write func() error) error {
	for again := 0; ; again++ {
		err := write()
		if !errors.Is(err, ErrConflict) {
			return err
		}
		before := c.Record.ResourceVersion()
		var unread error
		if *c, unread = l.reread(ctx, *c); unread != nil {
			return unread
		}
		if again == rewrites || c.Record.ResourceVersion() == before {
			return err
		}
	}
}

// Raise lifts the term's epoch above mark, by a renewal: the term is first
// read afresh and must still stand. The returned claim carries the new token as
// soon as it may be on the Lease, also when the answer was lost: go on with it.
func (l *Lock) Raise(ctx context.Context, c Claim, mark int64) (Claim, error) {
	if mark < c.Token.Epoch {
		return c, &FieldError{Field: "mark", Value: mark, Rule: fmt.Sprintf("must not be below the term's epoch %d", c.Token.Epoch)}
	}
	if mark == math.MaxInt64 {
		return c, fmt.Errorf("%w: a guard's mark is %d", ErrEpochExhausted, mark)
	}
	c, err := l.reread(ctx, c)
	if err != nil {
		return c, err
	}
	// From here on the term may carry the new epoch on the Lease, whatever the
	// answer: no later renewal may write the old one.
	c.Token.Epoch = mark + 1
	return l.Renew(ctx, c)
}

// Release gives the Lease up. Call it only after the term's work has returned,
// and with a context that ends when the claim's validity does. It writes
// nothing unless the record is still this term's: then the error is a
// [*LostError], and there is nothing to give up.
func (l *Lock) Release(ctx context.Context, c Claim) error {
	err := l.insist(ctx, &c, func() error {
		_, err := l.write(ctx, l.released(c))
		return err
	})
	if lost, ok := errors.AsType[*LostError](err); ok && lost.Record.Released() && lost.Record.Term() == c.Token.Term {
		return nil // an earlier write of ours landed, its answer did not
	}
	return err
}

func (l *Lock) reread(ctx context.Context, c Claim) (Claim, error) {
	o, err := l.List(ctx)
	if err != nil {
		return c, err
	}
	return c.Rebase(o.Record), c.Standing(o.Record)
}

// write creates next if it has no UID, else updates it by compare-and-swap on
// UID and resource version (without a UID, an update of a missing Lease would
// create it).
func (l *Lock) write(ctx context.Context, next *coordv1.Lease) (Record, error) {
	ctx, cancel := context.WithTimeout(ctx, l.Timing.RequestTimeout())
	defer cancel()
	verb, do := "update", func() (*coordv1.Lease, error) { return l.client.Update(ctx, next, metav1.UpdateOptions{}) }
	if next.UID == "" {
		verb, do = "create", func() (*coordv1.Lease, error) { return l.client.Create(ctx, next, metav1.CreateOptions{}) }
	}
	stored, err := do()
	if err != nil {
		return Record{}, requestError(verb, err)
	}
	return Record{stored}, nil
}

// now is the wall-clock time written for people, as exact as a Lease stores it.
func now() *metav1.MicroTime {
	t := metav1.NewMicroTime(time.Now().Truncate(time.Microsecond))
	return &t
}
