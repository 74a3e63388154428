package leaderlock

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

var _ resourcelock.Interface = (*Lock)(nil)

var (
	// ErrNotRun is what a [Lock] answers to client-go outside of [Lock.Run] and [Lock.RunElector].
	// With that answer, client-go's elector never leads. Start the manager by Lock.Run, or client-go's
	// elector by Lock.RunElector.
	ErrNotRun = errors.New("leaderlock: Lock.Run is not running: start the manager by" +
		" lock.Run(ctx, manager.Start), or client-go's elector by lock.RunElector")
	// ErrUsed is returned by a second call of [Lock.Run] or [Lock.RunElector]. A Lock is for one term,
	// because controllers cannot start a second time. Make another Lock, or end the process.
	ErrUsed = errors.New("leaderlock: Lock.Run was called before: a Lock is for one term")
	// ErrNoTerm is what a [Lock] answers to a write of client-go while this replica has no term, and
	// once its term is over. It ends client-go's leadership.
	ErrNoTerm = errors.New("leaderlock: this replica has no term")
)

// Lock shows the term of an elector to client-go, as a resourcelock.Interface. Its methods are safe
// for concurrent use. Get, Create, Update and RecordEvent are for client-go alone.
type Lock struct {
	elector  *singleton.Elector
	timing   lease.Timing
	drain    time.Duration // Config.Replica.DrainLimit
	*process               // of Run
	seat                   // what client-go sees

	onHolder func(singleton.Holder) // of RunElector; nil: nobody wants to know
}

// seat is the term as client-go's elector sees it.
type seat struct {
	begun chan struct{} // closed when the term begins; held is set then

	mu     sync.Mutex
	held   *held
	record resourcelock.LeaderElectionRecord // client-go's last write
	led    bool                              // client-go has led
}

// held is a term and its work's context.
type held struct {
	ctx  context.Context
	term *singleton.Term
}

// New returns a Lock for the Lease that config names. It makes no request. client is one that
// [singleton.New] takes. New always sets Config.OneTerm. In [Lock.Run], the elector first calls
// Config.Replica.WarmUp. When that has returned, the elector waits until client-go asks for the
// term. The error is that of singleton.New.
func New[L lease.Client](
	client singleton.LeasesGetter[L], config singleton.Config,
) (*Lock, error) {
	l := &Lock{
		timing: config.Timing.WithDefaults(), drain: config.Replica.DrainLimit,
		process: newProcess(), seat: seat{begun: make(chan struct{})},
	}
	if l.drain == 0 {
		l.drain = defaultDrainLimit
	}
	l.base, l.lose = context.WithCancelCause(l.carry(context.Background()))
	config.OneTerm = true
	config.Replica.WarmUp = l.warmUp(config)
	config.Hooks.OnHolder = l.tellHolder(config.Hooks.OnHolder)
	var err error
	if l.elector, err = singleton.New(client, config); err != nil {
		return nil, err
	}
	return l, nil
}

// Elector returns the elector whose term the Lock shows to client-go. Use it for metrics, probes,
// status and Resign. Do not call its Run.
func (l *Lock) Elector() *singleton.Elector { return l.elector }

// Identity is what the Lease shows as its holder while this replica holds it.
func (l *Lock) Identity() string { return l.elector.Identity() }

// Describe returns the Lease's namespace and name, as client-go's LeaseLock does.
func (l *Lock) Describe() string { return l.elector.Scope() }

// RecordEvent does nothing. The elector logs what happens to its term.
func (l *Lock) RecordEvent(string) {}

// Token returns the current term's fencing token; the zero Token without one. Lock is a
// [fencing.Source].
func (l *Lock) Token() fencing.Token {
	if h := l.current(); h != nil {
		return h.term.Token()
	}
	return fencing.Token{}
}

// Get waits until a term begins, or until ctx or Run ends. It then returns a record that client-go
// takes for the one on the Lease:
//   - a record without a holder, when the term has begun and client-go does not lead yet;
//   - the record that client-go wrote last, while the term is valid;
//   - a record of another holder, once the term is over.
//
// The error is ErrNotRun, or that of ctx.
func (l *Lock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	if err := l.ask(); err != nil {
		return nil, nil, err
	}
	select {
	case <-l.begun:
	case <-l.done:
		return nil, nil, ErrNotRun
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}
	record := l.shown()
	raw, err := json.Marshal(record)
	if err != nil {
		return nil, nil, fmt.Errorf("leaderlock: %w", err)
	}
	return &record, raw, nil
}

// shown is the record that client-go sees.
func (l *Lock) shown() resourcelock.LeaderElectionRecord {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refused(l.record.HolderIdentity) == nil {
		return l.record
	}
	return resourcelock.LeaderElectionRecord{
		HolderIdentity:       "nobody: the term of " + l.Identity() + " is over",
		LeaseDurationSeconds: int(l.timing.LeaseDuration / time.Second),
	}
}

// client-go calls Create when Get says that there is no Lease, which Get never does. It is the same
// as Update.
func (l *Lock) Create(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	return l.Update(ctx, r)
}

// Update keeps in memory what client-go would write on the Lease. The error wraps ErrNotRun or
// ErrNoTerm. With ErrNoTerm it also wraps the [*singleton.EndError] of a term that is over.
//
// While the term is valid, Update succeeds even if ctx has ended. client-go then never gives the
// leadership up on its own.
func (l *Lock) Update(_ context.Context, r resourcelock.LeaderElectionRecord) error {
	if err := l.ask(); err != nil {
		return err
	}
	if r.HolderIdentity != "" && r.HolderIdentity != l.Identity() {
		return refuse("HolderIdentity", r.HolderIdentity,
			fmt.Sprintf("must be %q or empty", l.Identity()))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refused(l.record.HolderIdentity); err != nil {
		return err
	}
	l.record, l.led = r, true
	return nil
}

// refused says why client-go may not lead; nil if it may. A term that drains is not handed to a
// client-go that does not lead yet: its work would start only to be stopped.
func (s *seat) refused(leader string) error {
	switch h := s.held; {
	case h == nil:
		return ErrNoTerm
	case !h.term.Valid(), leader == "" && h.ctx.Err() != nil:
		if cause := context.Cause(h.ctx); cause != nil {
			return fmt.Errorf("%w: %w", ErrNoTerm, cause)
		}
		return ErrNoTerm // its watchdog has not run yet
	default:
		return nil
	}
}

// begin shows client-go the term.
func (s *seat) begin(ctx context.Context, term *singleton.Term) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = &held{ctx: ctx, term: term}
	now := metav1.Now()
	s.record = resourcelock.LeaderElectionRecord{AcquireTime: now, RenewTime: now}
	close(s.begun)
}

// current is the term; nil before one has begun.
func (s *seat) current() *held {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held
}

// hasLed reports whether client-go has led.
func (s *seat) hasLed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.led
}
