package protocol

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/hotseat-go/hotseat/lease"

	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/hotseat-go/hotseat/fencing"
)

// Options of a [Lock]. All but Clock are required; Timing must be valid.
type Options struct {
	Namespace, Name string
	Identity        string // unique per process
	// Program and Labels are written for people: Program on each Lease that is created or taken,
	// Labels on one that is created. Both may be empty.
	Program string
	Labels  map[string]string
	Timing  lease.Timing
	Clock   Clock // zero: the machine's
	// Wall is read for the times that are written for people. Nil: [time.Now].
	Wall func() time.Time
}

// Lock makes one candidate's requests on one Lease. It decides nothing, and is safe for concurrent
// use. Every request ends at most RenewDeadline after it was sent, even if the client does not
// return. If a read, or a write that may be repeated, is not answered, it is sent again beside the
// first each [lease.Timing.RequestTimeout].
type Lock struct {
	client lease.Client
	Options

	underway underway
	wrote    atomic.Pointer[written] // the last renewTime
	refused  atomic.Pointer[refusal] // of the verb patch
}

// NewLock returns a Lock that makes its requests through client.
func NewLock(client lease.Client, o Options) *Lock {
	return &Lock{client: client, Options: o}
}

// Create creates the missing Lease, vacant: nobody holds it, and nobody may acquire it for a whole
// lease duration. The error is a [*lease.RequestError]; ErrConflict means that the Lease exists.
// The create is harmless whenever it arrives.
func (l *Lock) Create(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, l.Timing.RenewDeadline)
	defer cancel()
	_, err := ask(ctx, &l.underway, l.Timing.RequestTimeout(), func(ctx context.Context) (*coordv1.Lease, error) {
		return l.client.Create(ctx, l.vacant(), metav1.CreateOptions{})
	})
	if err != nil {
		return requestError("create", err)
	}
	return nil
}

// Claim returns the term that begins if this candidate acquires the Lease as observed. [Lock.Take]
// writes it. from's record must exist. in.Annotation and in.ResourceVersion are filled in here. The
// error is [lease.ErrEpochExhausted], or names a negative input.
func (l *Lock) Claim(from Observation, in EpochInputs) (Claim, error) {
	if in.ResourceVersion == "" || Newer(from.ResourceVersion, in.ResourceVersion) {
		in.ResourceVersion = from.ResourceVersion
	}
	in.Annotation, _ = from.Record.Epoch() // garbled counts as none
	epoch, source, err := NextEpoch(in)
	if err != nil {
		return Claim{}, err
	}
	claim := Claim{
		Token:  fencing.Token{Scope: fencing.Scope(l.Namespace, l.Name), Epoch: epoch, Term: newTerm()},
		Source: source,

		Published: Published{After: from.Record.ResourceVersion()},
	}
	claim.Record = recordOf(l.taken(from.Record, claim.Token))
	return claim, nil
}

// Take writes c over the record it was made from, if that record still has the same UID, version,
// claim and annotations. Take may be called again with the same claim as long as it is not known
// whether an earlier write arrived.
//
// Errors: ErrConflict if another candidate was faster, and a look at the store then shows no write
// of this term; else another [*lease.RequestError].
func (l *Lock) Take(ctx context.Context, from Record, c Claim) (Claim, error) {
	if !from.Exists() {
		return Claim{}, requestError("patch", apierrors.NewConflict(coordv1.Resource("leases"), l.Name, errors.New("there is none")))
	}
	next := c.Record.Lease()
	next.Spec.RenewTime = l.now(from.RenewTime()) // each try's own
	c.publish(next)
	sent := l.Clock.Now()
	stored, err := l.swap(ctx, from, next, 0)
	if err == nil && c.holds(stored) {
		return c.wrote(stored, sent), nil
	}
	if err != nil && !errors.Is(err, lease.ErrConflict) {
		return Claim{}, err
	}
	// The record may be ours nevertheless: a client repeats requests by itself.
	o, unread := l.Get(ctx)
	switch {
	case unread != nil:
		return Claim{}, unread
	case c.Standing(o.Record) == nil && o.Record.ResourceVersion() == from.ResourceVersion():
		return Claim{}, fmt.Errorf("%w: resourceVersion %q did not change", lease.ErrUnversioned, from.ResourceVersion())
	case c.Standing(o.Record) == nil:
		return l.Renew(ctx, c.Rebase(o.Record))
	case err != nil && apierrors.IsInvalid(err) && o.Record.identical(from):
		sent = l.Clock.Now() // see insist
		if stored, err = l.replace(ctx, from, next, 0); err == nil && c.holds(stored) {
			return c.wrote(stored, sent), nil
		}
	case err == nil:
		err = conflict("patch", "the answer has another record than the one written")
	}
	return Claim{}, err
}

// Ensure prolongs the term of c if the term is on the Lease. Otherwise it acquires the Lease from
// that record. It may run beside other calls of the same claim.
func (l *Lock) Ensure(ctx context.Context, from Record, c Claim) (Claim, error) {
	sent := l.Clock.Now()
	stored, err := l.prolong(ctx, c)
	switch {
	case err == nil && c.holds(stored):
		return c.wrote(stored, sent), nil
	case err == nil && c.Standing(stored) != nil:
		return Claim{}, c.Standing(stored)
	case err != nil && !errors.Is(err, lease.ErrConflict):
		return Claim{}, err
	}
	return l.Take(ctx, from, c)
}

// repair writes the whole term again, over what the store has, as long as that still is of the
// term.
func (l *Lock) repair(ctx context.Context, c Claim, refused error) (Claim, error) {
	err := l.insist(ctx, &c, c.Standing, refused, func(swap swapper) error {
		sent := l.Clock.Now()
		stored, err := swap(ctx, c.Record, l.renewed(c), 0)
		switch {
		case err != nil:
			return err
		case !c.holds(stored):
			return conflict("patch", "the answer has another record than the one written")
		}
		c = c.wrote(stored, sent)
		return nil
	})
	return c, err
}

// rewrites bounds how often one call writes again after a conflict; the caller
// knows how to wait.
const rewrites = 4

// insist asks the store what made the last write fail, rebases c on what it read, and calls write.
// After a conflict that an edit explains, it does so again, as long as stands says that the term in
// c still stands.
//
// If a patch is refused although the store has exactly the version that it tests, the server tested
// it on a cache that has another record in that version. An update by version bypasses that cache.
func (l *Lock) insist(
	ctx context.Context, c *Claim, stands func(Record) error, err error, write func(swapper) error,
) error {
	swap := l.swap
	for again := 0; errors.Is(err, lease.ErrConflict); again++ {
		before := c.Record.ResourceVersion()
		var unread error
		if *c, unread = l.reread(ctx, *c, stands); unread != nil {
			return unread
		}
		if c.Record.ResourceVersion() == before && again > 0 {
			if !apierrors.IsInvalid(err) {
				return err
			}
			swap = l.replace
		}
		if again == rewrites {
			return err
		}
		err = write(swap)
	}
	return err
}

// swapper is a compare-and-swap.
type swapper func(ctx context.Context, from Record, next *coordv1.Lease, beside time.Duration) (Record, error)

func (l *Lock) reread(ctx context.Context, c Claim, stands func(Record) error) (Claim, error) {
	o, err := l.Get(ctx)
	if err != nil {
		return c, err
	}
	return c.Rebase(o.Record), stands(o.Record)
}

// now returns the wall-clock time that is written for people, as exactly as a Lease stores it. It
// moves on with each write, even if the machine's clock stands still or is set back, because others
// recognize a renewal by it. client-go's elector sees whole seconds only. So the time moves on as
// real time passes, even from a time that lies in the future.
func (l *Lock) now(before time.Time) *metav1.MicroTime {
	wall := l.Wall
	if wall == nil {
		wall = time.Now
	}
	for {
		last, now := l.wrote.Load(), time.Now()
		next := wall().UnixMicro()
		if last != nil && next <= last.wall {
			next = last.wall + max(1, now.Sub(last.at).Microseconds())
		}
		if !before.IsZero() && next == before.UnixMicro() {
			next++
		}
		if l.wrote.CompareAndSwap(last, &written{next, now}) {
			t := metav1.NewMicroTime(time.UnixMicro(next))
			return &t
		}
	}
}

// written is a time that was written, in microseconds, and when.
type written struct {
	wall int64
	at   time.Time
}

func (l *Lock) selector() string {
	return fields.OneTermEqualSelector(metav1.ObjectNameField, l.Name).String()
}

func parseVersion(text string) (int64, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && n > 0 && n < math.MaxInt64
}
