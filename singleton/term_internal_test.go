package singleton

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/elapsed"
	"github.com/hotseat-go/hotseat/internal/protocol"
)

func testTerm(t testing.TB) (*Term, *Config) {
	config, err := Config{Name: "invoicer", Namespace: "shop"}.withDefaults()
	require.NoError(t, err)
	claim := protocol.Claim{
		Token: fencing.Token{Scope: fencing.Scope("shop", "invoicer"), Epoch: 42, Term: "0123456789abcdef0123456789abcdef"},
		Sent:  config.Replica.clock.Now(),
	}
	return newTerm(context.Background(), &config, claim), &config
}

// Valid is right with no goroutine of the elector running.
func TestValidEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		term, _ := testTerm(t)
		require.True(t, term.Valid())
		time.Sleep(10*time.Second - time.Nanosecond)
		require.True(t, term.Valid())
		time.Sleep(time.Nanosecond)
		require.False(t, term.Valid())
		require.NoError(t, term.ctx.Err(), "nobody was there to end it")
	})
}

// A term is over when its validity ends, even if nothing notices that at the time.
func TestEndOfATermThatIsNoticedLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		early, _ := testTerm(t)
		late, _ := testTerm(t)
		time.Sleep(4 * time.Second)
		early.finish()
		time.Sleep(20 * time.Second)
		late.finish()
		early.finish()
		require.Equal(t, 4*time.Second, early.endedAt().Sub(began))
		require.Equal(t, 10*time.Second, late.endedAt().Sub(began))
	})
}

// A term that is known to be over is not valid, whatever its deadline says.
func TestLostIsNotValid(t *testing.T) {
	term, _ := testTerm(t)
	term.lose(&EndError{Reason: ReasonTaken, Holder: "b_1"})
	require.False(t, term.Valid())
	require.ErrorIs(t, term.cause(), ErrLost)
}

func TestValidAllocatesNothing(t *testing.T) {
	term, _ := testTerm(t)
	require.Zero(t, testing.AllocsPerRun(100, func() { term.Valid() }))
	require.Zero(t, testing.AllocsPerRun(100, func() { fencing.FromContext(term.ctx) }))
}

func TestCauses(t *testing.T) {
	since := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, test := range []struct {
		cause *EndError
		text  string
		is    error
	}{
		{&EndError{Reason: ReasonExpired, Since: since}, "lost: not renewed since 2026-01-02T03:04:05Z", ErrLost},
		{&EndError{Reason: ReasonTaken, Holder: "b_1"}, `lost: taken by "b_1"`, ErrLost},
		{lossOf(&protocol.LostError{Loss: protocol.LossDeleted}), "lost: Lease deleted", ErrLost},
		{lossOf(&protocol.LostError{Loss: protocol.LossCleared}), "lost: holder cleared from the Lease", ErrLost},
		{&EndError{Reason: ReasonFenced}, "lost: a higher fencing epoch is on the Lease", ErrLost},
		{&EndError{Reason: ReasonReturned}, "returned", nil},
		{&EndError{Reason: ReasonResigned}, "resigned", ErrResigned},
		{&EndError{Reason: ReasonShutdown}, "shutting down", ErrShuttingDown},
		{&EndError{Reason: ReasonReturned, Err: io.EOF}, "returned: EOF", io.EOF},
		{&EndError{Reason: ReasonRefused, Err: fencing.ErrStale}, "refused: fencing: stale token", fencing.ErrStale},
		{&EndError{Reason: ReasonUnavailable, Err: fencing.ErrUnavailable}, "unavailable: fencing: guard unavailable", fencing.ErrUnavailable},
		{&EndError{Reason: ReasonStalled, Since: since}, "stalled: no progress since 2026-01-02T03:04:05Z", nil},
		{&EndError{Reason: ReasonPanicked, Err: &PanicError{Value: "x"}}, "panicked: x", nil},
	} {
		require.EqualError(t, test.cause, test.text)
		require.ErrorIs(t, test.cause, context.Canceled)
		for _, sentinel := range []error{ErrLost, ErrResigned, ErrShuttingDown} {
			require.Equal(t, errors.Is(test.is, sentinel), errors.Is(test.cause, sentinel), "%v %v", test.cause, sentinel)
		}
		if test.is != nil {
			require.ErrorIs(t, test.cause, test.is)
		}
	}
	for _, loss := range []protocol.Loss{protocol.LossTaken, protocol.LossCleared, protocol.LossDeleted, protocol.LossFenced} {
		require.Contains(t, reasons(), Reason(loss), "every loss is a reason")
	}
}

// sleeper is a machine that can be suspended: its monotonic clock, and every
// timer, stand still meanwhile. start runs an elector on it.
type sleeper struct {
	slept  atomic.Int64
	within time.Duration // has work report progress
	*apiserver.Cluster
}

func (m *sleeper) suspend(d time.Duration) { m.slept.Add(int64(d)) }

func (m *sleeper) start(t *testing.T, work Work) (stop func() error) {
	m.Cluster = apiserver.New(apiserver.Options{})
	t.Cleanup(m.Close)
	_, err := m.CreateLease(&coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "invoicer"}})
	require.NoError(t, err)
	e, err := New(m.Client("a"), Config{
		Name: "invoicer", Namespace: "shop", Logger: slog.New(slog.DiscardHandler),
		Replica: ReplicaConfig{ProgressWithin: m.within, clock: elapsed.WithSuspend(func() (low, high time.Duration) {
			d := time.Duration(m.slept.Load())
			return d, d
		})},
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx, work) }()
	return func() error { cancel(); return <-done }
}

func TestSuspendEndsTheTerm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan time.Time, 10)
		terms := make(chan *Term, 10)
		machine := &sleeper{}
		stop := machine.start(t, func(ctx context.Context, term *Term) error {
			terms <- term
			<-ctx.Done()
			ended <- time.Now()
			return nil
		})
		term := <-terms
		time.Sleep(5 * time.Second)
		machine.Link("a").BlackHole() // the network is not back as soon as the machine
		require.True(t, term.Valid())
		woke := time.Now()
		machine.suspend(20 * time.Second)
		require.False(t, term.Valid(), "at once")
		require.LessOrEqual(t, (<-ended).Sub(woke), 500*time.Millisecond, "the context, without waiting for a timer that slept too")
		machine.Link("a").Heal()
		second := <-terms
		require.Greater(t, second.Token().Epoch, term.Token().Epoch)
		require.NoError(t, stop())
	})
}

// Work that asks Valid itself may notice a lost term before anybody else, and
// return. That is a loss, not the end of the work.
func TestWorkThatNoticesFirstStandsByAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		terms := make(chan *Term, 10)
		machine := &sleeper{}
		stop := machine.start(t, func(_ context.Context, term *Term) error {
			terms <- term
			for term.Valid() {
				time.Sleep(time.Millisecond)
			}
			return errors.New("not active any more")
		})
		<-terms
		time.Sleep(5*time.Second + 100*time.Millisecond) // between two looks of the watchdog
		machine.suspend(20 * time.Second)
		<-terms
		machine.suspend(time.Minute)
		require.NoError(t, stop())
	})
}

func BenchmarkTermValid(b *testing.B) {
	term, _ := testTerm(b)
	b.ReportAllocs()
	for b.Loop() {
		term.Valid()
	}
}

func BenchmarkTokenFromContext(b *testing.B) {
	term, _ := testTerm(b)
	b.ReportAllocs()
	for b.Loop() {
		fencing.FromContext(term.ctx)
	}
}
