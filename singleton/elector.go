package singleton

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/lookout"
	"github.com/hotseat-go/hotseat/internal/protocol"
	"github.com/hotseat-go/hotseat/lease"
)

// Work is the function that one replica at a time runs. It should return soon after ctx ends. If
// the term was lost, it must return within the stop budget: LeaseDuration/(1+MaxClockDrift) -
// RenewDeadline, 4.2 s by default. ctx carries the fencing token for code that gets only a context
// ([fencing.FromContext]); term.Token returns the same token.
type Work func(ctx context.Context, term *Term) error

// Elector makes this process a candidate for one Lease. Its methods are safe
// for concurrent use.
type Elector struct {
	config  Config
	lock    *protocol.Lock
	metrics metrics

	running   atomic.Bool
	stance    stance
	resigning atomic.Bool         // Resign was called while acquiring
	previous  *protocol.Candidate // what the last Run knew, nil before; owned by Run
	published
}

// published is what others read while Run goes on. Each value is immutable.
type published struct {
	status atomic.Pointer[status]
	past   atomic.Pointer[history]
	guard  atomic.Pointer[GuardError] // the last failed announcement; see Status.Guard
	told   atomic.Pointer[Announcement]
	record atomic.Pointer[lease.Record]
	source atomic.Pointer[lookout.Source]
}

// stance is how far this replica wants to be active.
type stance struct {
	ineligible atomic.Bool
	courtesy   atomic.Int64  // nanoseconds by which others go first
	changed    chan struct{} // buffered; one of these changed
	answering  atomic.Bool   // an answer to being named is under way
}

// notify has the loop decide anew.
func (s *stance) notify() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// New returns an elector for the Lease that config names. It makes no request. The error is a
// [*ConfigError] that lists every refused field.
//
// Give a process's electors a client of their own, as made by [DefaultClient] or [NewClient]. Any
// other client must
//   - share no rate limiter with the application,
//   - end each request when the request's context ends, and
//   - have no rest.Config.Timeout, which would cut the watch each time it expires.
func New[L lease.Client](client LeasesGetter[L], config Config) (*Elector, error) {
	config, err := config.withDefaults()
	if isNil(client) {
		err = errors.Join(&lease.FieldError{Field: "client", Value: nil, Rule: mustNotBeNil(client)}, err)
	} else if c, ok := any(client).(*Client); ok && c.rest == nil {
		err = errors.Join(&lease.FieldError{
			Field: "client", Value: "&Client{}", Rule: "must be made by NewClient or DefaultClient",
		}, err)
	}
	if err != nil {
		return nil, &ConfigError{Err: err}
	}
	e := &Elector{
		config: config,
		lock: protocol.NewLock(client.Leases(config.Namespace), protocol.Options{
			Namespace: config.Namespace, Name: config.Name, Identity: config.Replica.Identity,
			Program: config.Replica.Program, Labels: config.Labels,
			Timing: config.Timing, Clock: config.Replica.clock,
		}),
		stance: stance{changed: make(chan struct{}, 1)},
	}
	e.status.Store(&status{state: StateStopped, next: make(chan struct{})})
	return e, nil
}

// Identity returns the name that the Lease shows as its holder while this replica holds it. Each
// elector has its own, which ends in random bits.
func (e *Elector) Identity() string { return e.config.Replica.Identity }

// Program returns the name that the Lease shows for this program while this replica holds it:
// Config.Replica.Program, or its default.
func (e *Elector) Program() string { return e.config.Replica.Program }

// Timing returns the timings of this elector: those of Config.Timing, with defaults filled in.
func (e *Elector) Timing() lease.Timing { return e.config.Timing }

// Lease returns the Lease as this replica last read it. The zero Record says that there was none,
// or that it was not read yet: [Status].Missing tells which. Like Status().Holder it is not updated
// while Run is not running. Lease takes no lock and makes no request.
func (e *Elector) Lease() lease.Record {
	if record := e.record.Load(); record != nil {
		return *record
	}
	return lease.Record{}
}

// Polls reports whether this replica may not watch the Lease (RBAC). It then looks at the Lease
// each RetryPeriod, so a handover to it takes up to that much longer. Like Lease it is not updated
// while Run is not running. Polls takes no lock and makes no request.
func (e *Elector) Polls() bool {
	source := e.source.Load()
	return source != nil && source.Polls()
}

// Scope returns the scope of this elector's tokens: [fencing.Scope] of its Lease. It includes the
// namespace even if Config left the namespace to its default. The guards in Config.Guards have to
// be made before the elector. Give each of them fencing.Scope(namespace, name). The namespace is
// that of [DefaultNamespace] if Config leaves it to its default.
func (e *Elector) Scope() string { return fencing.Scope(e.config.Namespace, e.config.Name) }

// Run makes this process a candidate, and calls work while it holds the Lease. It goes on until one
// of these happens:
//   - ctx ends. Run returns nil, after work returned and the Lease was released.
//   - Work returns by itself. Run returns work's error, after the Lease was released.
//   - Work returns [ErrUnfinished]. Run returns work's error, and the Lease is left to expire.
//   - Config.Replica.WarmUp fails. Run returns its error.
//   - Reading or writing the Lease is refused (RBAC, a missing namespace, an invalid request) from
//     the start and for a whole LeaseDuration. Run returns an error that names the verb. The
//     refusal is logged at once. A refusal that begins later is waited out.
//   - One of Config.Guards is miswired from the start, and is still miswired after a LeaseDuration:
//     it guards another scope, or what it needs is not there (fencing.ErrScope, ErrWiring,
//     ErrMissing or ErrMalformed; see [fencing.Kind.Miswired]). Run returns the [*GuardError],
//     after the Lease was released. Each refusal is logged as an error. After the guards have
//     accepted one token during this Run, later errors of this kind are waited out. A guard that is
//     unavailable, or that has seen a later token, is always waited out.
//
// Losing the Lease is not an error: Run stands by again, and calls work again for the next term. If
// work returns an error after its context ended, Run only logs it, unless it is ErrUnfinished. If
// work panics, Run gives the term up and then panics with a [*PanicError].
//
// Run waits for work and hooks, however long they take. It may be called again after it returned.
// While it runs, another call returns [ErrRunning].
func (e *Elector) Run(ctx context.Context, work Work) error {
	if work == nil {
		return &lease.FieldError{Field: "work", Value: nil, Rule: "must not be nil"}
	}
	if !e.running.CompareAndSwap(false, true) {
		return ErrRunning
	}
	defer e.running.Store(false)
	return newRun(ctx, e, work).run()
}

// Resign ends the current term as [Term.Resign] does. If a term is about to begin, Resign ends that
// one. On a standby, Resign has no effect.
func (e *Elector) Resign() {
	e.resigning.Store(true) // looked at only when an acquire comes back
	if term := e.status.Load().term; term != nil {
		term.Resign()
	}
}

// SetEligible sets whether this replica may become active. At first it may. SetEligible does not
// end a current term: to hand over, call SetEligible(false), then Resign.
func (e *Elector) SetEligible(eligible bool) {
	e.stance.ineligible.Store(!eligible)
	e.stance.notify()
}

// SetCourtesy lets other replicas go first. Once the Lease comes free, this replica waits for d
// before it tries to acquire the Lease, but for a LeaseDuration at most. If nobody else has taken
// the Lease by then, this replica does. At first, d is 0. A negative d counts as 0. SetCourtesy
// does not end a current term. A replica that is named as the successor ([Term.ResignTo]) shows no
// courtesy.
func (e *Elector) SetCourtesy(d time.Duration) {
	e.stance.courtesy.Store(int64(min(max(0, d), e.config.Timing.LeaseDuration)))
	e.stance.notify()
}

// IsActive reports whether this replica is active now: its work runs or is about to, and its term
// is valid ([Term.Valid]). IsActive takes no lock and makes no request.
func (e *Elector) IsActive() bool {
	s := e.status.Load()
	return s.state == StateActive && s.term.Valid()
}

// WaitActive waits until this replica is active, and returns its term. Work may not have started by
// then: it starts once every guard has accepted the token and OnAcquire has returned. The error is
// the cause of ctx's end. WaitActive is for programs and tests that run alongside the work. The
// term may end soon after.
func (e *Elector) WaitActive(ctx context.Context) (*Term, error) {
	for {
		s := e.status.Load()
		if s.state == StateActive && s.term.Valid() {
			return s.term, nil
		}
		select {
		case <-s.next:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
