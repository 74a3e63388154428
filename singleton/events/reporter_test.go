package events_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/whole"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/events"
)

func TestEachEndOfATermHasItsEvent(t *testing.T) {
	other := "%s%d"
	for reason, c := range map[string]struct {
		end  func(b *bench)
		want string
	}{
		"resigned": {func(b *bench) { b.elector.Resign() }, "Normal Resigned is not active any more: it resigned"},
		"shutdown": {func(b *bench) { b.stop() }, "Normal ShutDown is not active any more: it is shutting down"},
		"expired": {func(b *bench) { b.cluster.Link("a").BlackHole() },
			"Warning NotRenewed is not active any more: the Lease was not renewed since 2000-01-01T00:00:00Z"},
		"taken": {func(b *bench) { b.edit(func(l *coordv1.Lease) { l.Spec.HolderIdentity = &other }) },
			`Warning LeaseTaken is not active any more: the Lease was taken by "%s%d"`},
		"cleared": {func(b *bench) { b.edit(func(l *coordv1.Lease) { l.Spec.HolderIdentity = nil }) },
			"Warning LeaseCleared is not active any more: the holder was removed from the Lease"},
		"deleted": {func(b *bench) { b.cluster.DeleteLease() }, "Warning LeaseDeleted is not active any more: the Lease was deleted"},
		"fenced": {func(b *bench) { b.edit(func(l *coordv1.Lease) { l.Annotations[lease.AnnotationEpoch] = "5000" }) },
			"Warning Fenced is not active any more: a higher epoch was written on the Lease"},
	} {
		t.Run(reason, func(t *testing.T) {
			onBench(t, events.Config{}, func(b *bench) {
				b.run(idle)
				c.end(b)
				sleep(11 * second)
				told := b.recorder.said(b.elector)
				require.GreaterOrEqual(b, len(told), 2)
				require.Equal(b, []string{"Normal BecameActive became active with epoch 2", c.want}, told[:2])
			})
		})
	}
}

// An API server refuses a note of more than 1 kB, and anybody may write a long holder.
func TestLongNamesAreCut(t *testing.T) {
	onBench(t, events.Config{}, func(b *bench) {
		other := strings.Repeat("\x01", 5000)
		b.run(idle)
		b.edit(func(l *coordv1.Lease) { l.Spec.HolderIdentity = &other })
		sleep(second)
		told := b.recorder.said(b.elector)
		require.Len(b, told, 2)
		require.Contains(b, told[1], "the Lease was taken by \"\\x01\\x01")
		for _, line := range b.recorder.told {
			require.Less(b, len(line), 1000)
			require.True(b, utf8.ValidString(line))
		}
	}, func(c *singleton.Config) { c.Replica.Identity = "x" + strings.Repeat("é", 500) })
}

// What an error or a panic holds may be secret.
func TestNoEventQuotesAnError(t *testing.T) {
	secret := "postgres://billing:hunter2@db"
	stale := func(ctx context.Context, term *singleton.Term) error {
		mark := term.Token()
		mark.Epoch++
		_ = fencing.Report(ctx, fmt.Errorf("%s: %w", secret, &fencing.StaleError{Presented: term.Token(), Mark: mark}))
		<-ctx.Done()
		return nil
	}
	for _, c := range []struct {
		work singleton.Work
		want string
	}{
		{func(context.Context, *singleton.Term) error { return nil }, "Normal WorkReturned is not active any more: its work returned"},
		{func(context.Context, *singleton.Term) error { return errors.New(secret) }, "Warning WorkReturned is not active any more: its work returned an error"},
		{func(context.Context, *singleton.Term) error { panic(secret) }, "Warning Panicked is not active any more: its work or a hook panicked"},
		{stale, "Warning TokenRefused is not active any more: a guard refused its token"},
	} {
		onBench(t, events.Config{}, func(b *bench) {
			b.run(c.work)
			sleep(second)
			told := b.recorder.said(b.elector)
			require.Len(b, told, 2)
			require.Equal(b, c.want, told[1])
			require.NotContains(b, strings.Join(told, "\n"), "hunter2")
		})
	}
}

func TestStallHasItsEvent(t *testing.T) {
	within := func(c *singleton.Config) { c.Replica.ProgressWithin = 30 * second }
	onBench(t, events.Config{}, func(b *bench) {
		b.run(func(ctx context.Context, _ *singleton.Term) error { <-ctx.Done(); return nil })
		sleep(31 * second)
		require.Equal(b, "Warning Stalled is not active any more: its work reported no progress since 2000-01-01T00:00:00Z", b.recorder.said(b.elector)[1])
	}, within)
}

func TestOverrunHasItsEvent(t *testing.T) {
	onBench(t, events.Config{}, func(b *bench) {
		b.run(func(ctx context.Context, _ *singleton.Term) error {
			<-ctx.Done()
			time.Sleep(time.Minute)
			return nil
		})
		b.cluster.Link("a").BlackHole()
		sleep(30 * second)
		require.Equal(b, "Warning Overrun is not active any more, but its work has not returned in time", b.recorder.said(b.elector)[1])
		sleep(time.Minute)
	})
}

// kubectl describe finds Events by the UID of the object.
func TestEventsAreAboutTheLease(t *testing.T) {
	onBench(t, events.Config{}, func(b *bench) {
		uid := b.cluster.Lease().UID
		b.run(idle)
		b.cluster.DeleteLease()
		sleep(30 * second)
		require.GreaterOrEqual(b, len(b.recorder.objects), 3)
		object := func(i int) *metav1.PartialObjectMetadata {
			o, is := b.recorder.objects[i].(*metav1.PartialObjectMetadata)
			require.True(b, is)
			return o
		}
		first := object(0)
		require.Equal(b, "coordination.k8s.io/v1, Kind=Lease", first.GroupVersionKind().String())
		require.Equal(b, "shop/invoicer", first.Namespace+"/"+first.Name)
		require.Equal(b, uid, first.UID)
		require.Equal(b, uid, object(1).UID, "the end of a term is about the Lease it was held on")
		require.NotEqual(b, uid, object(2).UID)
		require.Equal(b, b.cluster.Lease().UID, object(2).UID)
	})
}

func TestEventsAreAboutWhatTheConfigSays(t *testing.T) {
	pod := &metav1.PartialObjectMetadata{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "invoicer-0", UID: "u"},
	}
	onBench(t, events.Config{Regarding: pod}, func(b *bench) {
		b.run(idle)
		require.Equal(b, []runtime.Object{pod}, b.recorder.objects)
	})
}

// A replica that flaps cannot flood the API server, and nobody takes what is left for all there was.
func TestFlappingIsLimited(t *testing.T) {
	whole.Only(t)
	const burst, interval = 10, 10 * time.Minute
	onBench(t, events.Config{Burst: burst, Interval: interval}, func(b *bench) {
		b.run(idle)
		began, terms := time.Now(), 1
		for ; time.Since(began) < 95*time.Minute; terms++ {
			b.elector.Resign()
			sleep(20 * second)
		}
		require.Greater(b, terms, 200)
		told := b.recorder.said(b.elector)
		require.Len(b, told, burst+9, "one in ten minutes after the burst")
		for i, line := range told {
			require.Equal(b, i >= burst, strings.Contains(line, " before this were left out)"), line)
		}
	})
}

// A recorder that blocks holds up no hook, no work and no renewal.
func TestRecorderThatBlocksIsInNobodysWay(t *testing.T) {
	onBench(t, events.Config{Burst: 10_000}, func(b *bench) {
		b.recorder.blocked = make(chan struct{})
		worked := 0
		b.run(func(ctx context.Context, _ *singleton.Term) error { worked++; <-ctx.Done(); return nil })
		release := sync.OnceFunc(func() { close(b.recorder.blocked) })
		b.Cleanup(release)
		for range 100 {
			require.Equal(b, singleton.StateActive, b.elector.Status().State)
			b.elector.Resign()
			sleep(20 * second)
		}
		b.stop()
		require.Nil(b, <-b.done, "Run does not wait for it")
		require.Equal(b, 101, worked)
		ctx, cancel := context.WithTimeout(b.Context(), second)
		defer cancel()
		require.ErrorIs(b, b.reporter.Wait(ctx), context.DeadlineExceeded)
		release()
		require.NoError(b, b.reporter.Wait(b.Context()))
		require.Less(b, len(b.recorder.said(b.elector)), 40, "the queue is bounded")
		require.NoError(b, b.reporter.Wait(b.Context()), "there is nothing to wait for")
	})
}

func TestReporterRefuses(t *testing.T) {
	_, err := events.New(nil, events.Config{Burst: -1, Interval: -second})
	for _, rule := range []string{
		"recorder <nil> must not be nil", "Burst -1 must not be negative", "Interval -1s must not be negative",
	} {
		require.ErrorContains(t, err, rule)
	}
	_, err = events.New((*recorder)(nil), events.Config{})
	var field *lease.FieldError
	require.ErrorAs(t, err, &field)
	require.Equal(t, "recorder", field.Field)
	_, err = events.New(events.FromEvents(nil), events.Config{})
	require.ErrorAs(t, err, &field)
	_, err = events.New(events.FromEvents((*newerRecorder)(nil)), events.Config{})
	require.ErrorAs(t, err, &field)
}
