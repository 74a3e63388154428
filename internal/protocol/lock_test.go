package protocol_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/protocol"
	"github.com/hotseat-go/hotseat/lease"
)

func TestAcquireRenewRelease(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		seen := b.list(b.a)
		claim := b.acquire(b.a)
		r := b.stored()
		token, ok := r.Token()
		require.True(b, ok)
		require.Equal(b, claim.Token, token)
		require.Equal(b, protocol.SourceStore, claim.Source)
		require.Equal(b, "a", r.Holder())
		require.Equal(b, 15*time.Second, r.Duration())
		require.EqualValues(b, 1, r.Transitions())
		require.False(b, protocol.Newer(seen.ResourceVersion, r.ResourceVersion()))
		require.WithinDuration(b, r.AcquireTime(), r.RenewTime(), time.Millisecond, "each try has a time of its own")
		require.Equal(b, claim.Sent.Add(10*time.Second), claim.ValidUntil(b.a.Timing))

		time.Sleep(2 * time.Second)
		next, err := b.a.Renew(b.Context(), claim)
		require.NoError(b, err)
		require.Equal(b, 2*time.Second, next.Sent.Sub(claim.Sent), "counted from sending")
		require.Equal(b, claim.Token, next.Token)
		require.WithinDuration(b, r.RenewTime().Add(2*time.Second), b.stored().RenewTime(), time.Millisecond)
		require.True(b, b.stored().AcquireTime().Equal(r.AcquireTime()))
		require.EqualValues(b, 1, b.stored().Transitions())

		replaced := b.stored().ResourceVersion()
		require.NoError(b, b.a.Release(b.Context(), claim), "an outdated base is read again")
		r = b.stored()
		require.True(b, r.Released())
		require.Equal(b, r.RenewTime().UTC().Format(metav1.RFC3339Micro)+" after "+replaced, r.Lease().Annotations[lease.AnnotationReleased])
		require.Equal(b, time.Second, r.Duration())
		_, ok = r.Token()
		require.False(b, ok, "nobody's")

		second := b.acquire(b.b)
		require.Greater(b, second.Token.Epoch, claim.Token.Epoch)
		require.NotEqual(b, claim.Token.Term, second.Token.Term)
		require.False(b, b.stored().Released())
		require.NotContains(b, b.stored().Lease().Annotations, lease.AnnotationReleased)
	})
}

// Somebody takes the mark of a vacant Lease away: to a process that first sees it
// then it is still none that was shipped.
func TestVacantWithoutItsMark(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		require.NoError(b, b.a.Create(b.Context()))
		require.NoError(b, b.c.EditLease(ns, name, func(l *coordv1.Lease) { l.Annotations = nil }))
		v := protocol.View{}.Observe(b.list(b.b), 15*time.Second)
		require.Equal(b, 15*time.Second, v.FreeAt().Sub(v.Last().At))
		require.Equal(b, protocol.Wait, protocol.DecideNow(v, b.b.Clock.Now(), true).Action, "no proof is asked for")
	})
}

func TestCreateIsVacant(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		_, err := b.a.Take(b.Context(), protocol.Record{}, protocol.Claim{})
		require.ErrorIs(b, err, lease.ErrConflict, "there is nothing to take over")
		require.NoError(b, b.a.Create(b.Context()))
		made := b.stored()
		require.True(b, made.Vacant())
		require.Empty(b, made.Holder())
		require.NotNil(b, made.Lease().Spec.HolderIdentity, "an API server crashes over one without")
		require.False(b, made.Released())
		require.ErrorIs(b, b.b.Create(b.Context()), lease.ErrConflict, "somebody was faster")

		first := b.acquire(b.a)
		require.Positive(b, first.Token.Epoch)
		require.NotContains(b, b.stored().Lease().Annotations, lease.AnnotationVacant)
		b.c.DeleteLease(ns, name)
		require.False(b, b.list(b.b).Record.Exists())
		require.NoError(b, b.b.Create(b.Context()))
		second := b.acquire(b.b)
		require.Greater(b, second.Token.Epoch, first.Token.Epoch, "the store's version outlives the Lease")
	})
}

func TestAcquireLosesTheRace(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		from, second := b.claim(b.b)
		claim := b.acquire(b.a)
		_, err := b.b.Take(b.Context(), from, second)
		require.ErrorIs(b, err, lease.ErrConflict)
		var request *lease.RequestError
		require.ErrorAs(b, err, &request)
		require.Equal(b, "patch", request.Verb)
		require.NoError(b, claim.Standing(b.stored()))
	})
}

func TestEpochInputsRaiseTheEpoch(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		o := b.list(b.a)
		claim, err := b.a.Claim(o, protocol.EpochInputs{Remembered: 5000, Floor: 7000})
		require.NoError(b, err)
		require.EqualValues(b, 7001, claim.Token.Epoch)
		claim, err = b.a.Take(b.Context(), o.Record, claim)
		require.NoError(b, err)
		b.holds(claim)
		require.NoError(b, b.a.Release(b.Context(), claim))
		require.EqualValues(b, 7002, b.acquire(b.b).Token.Epoch, "counts on from the annotation")
		for _, top := range []string{"9223372036854775807", "9223372036854775806", "4611686018427387903"} {
			b.annotate(lease.AnnotationEpoch, top)
			_, err = b.b.Claim(b.list(b.b), protocol.EpochInputs{})
			require.ErrorIs(b, err, lease.ErrEpochExhausted)
			require.ErrorContains(b, err, top)
		}
		_, err = b.b.Claim(b.list(b.b), protocol.EpochInputs{Floor: -1})
		require.EqualError(b, err, "Floor -1 must not be negative")
		b.annotate(lease.AnnotationEpoch, "7005")
		o = b.list(b.b)
		claim, err = b.b.Claim(o, protocol.EpochInputs{ResourceVersion: "9000"})
		require.NoError(b, err)
		require.EqualValues(b, 9000, claim.Token.Epoch, "the store's newest version may be known from elsewhere")
		claim, err = b.b.Claim(o, protocol.EpochInputs{ResourceVersion: "1"})
		require.NoError(b, err)
		require.EqualValues(b, 7006, claim.Token.Epoch)
	})
}

func TestRenewSurvivesLabelEdits(t *testing.T) {
	inBed(t, apiserver.Options{CoordinatedLeaderElection: true}, func(b *bed) {
		strategy, preferred := coordv1.OldestEmulationVersion, "z"
		b.ship(func(l *coordv1.Lease) { l.Spec.Strategy, l.Spec.PreferredHolder = &strategy, &preferred })
		claim := b.acquire(b.a)
		for i := range 3 {
			b.edit(func(l *coordv1.Lease) {
				l.Labels = map[string]string{"team": string(rune('a' + i))}
				l.Annotations["example.com/note"] = "keep me"
			})
			var err error
			claim, err = b.a.Renew(b.Context(), claim)
			require.NoError(b, err)
		}
		require.NoError(b, b.a.Release(b.Context(), claim))
		b.acquire(b.b)
		l := b.c.Lease(ns, name)
		require.Equal(b, "c", l.Labels["team"])
		require.Equal(b, "keep me", l.Annotations["example.com/note"])
		require.Equal(b, &strategy, l.Spec.Strategy)
		require.Nil(b, l.Spec.PreferredHolder, "an acquire removes it")
	})
}

func TestRenewRepairsAnnotations(t *testing.T) {
	for name, tamper := range map[string]func(*coordv1.Lease){
		"removed": func(l *coordv1.Lease) { l.Annotations = nil },
		"garbled": func(l *coordv1.Lease) {
			l.Annotations[lease.AnnotationEpoch] = "a lot"
			l.Annotations[lease.AnnotationHolder] = "b"
		},
		"lowered": func(l *coordv1.Lease) { l.Annotations[lease.AnnotationEpoch] = "1" },
	} {
		t.Run(name, func(t *testing.T) {
			inBed(t, apiserver.Options{}, func(b *bed) {
				b.ship()
				claim := b.acquire(b.a)
				b.edit(tamper)
				_, err := b.a.Renew(b.Context(), claim)
				require.NoError(b, err)
				token, ok := b.stored().Token()
				require.True(b, ok)
				require.Equal(b, claim.Token, token)
			})
		})
	}
}

func TestReleaseWhoseAnswerIsLost(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		claim := b.acquire(b.a)
		b.c.Link("a").Inject(apiserver.Fault{Verbs: writes, Count: 1, LoseAnswer: true})
		require.ErrorIs(b, b.a.Release(b.Context(), claim), lease.ErrUnavailable, "reset, not unanswered")
		require.NoError(b, b.a.Release(b.Context(), claim), "it had landed")
		require.True(b, b.stored().Released())
	})
}

func TestRenewWhoseAnswerIsLost(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		claim := b.acquire(b.a)
		time.Sleep(time.Second)
		b.c.Link("a").Inject(apiserver.Fault{Verbs: writes, Count: 1, LoseAnswer: true})
		same, err := b.a.Renew(b.Context(), claim)
		require.ErrorIs(b, err, lease.ErrUnavailable)
		require.WithinDuration(b, claim.Record.RenewTime().Add(time.Second), b.stored().RenewTime(), time.Millisecond, "it had landed")
		require.Equal(b, claim.Sent, same.Sent, "an unanswered write extends nothing")
		time.Sleep(time.Second)
		next, err := b.a.Renew(b.Context(), same)
		require.NoError(b, err, "it needs no answer of the one before")
		require.Equal(b, 2*time.Second, next.Sent.Sub(claim.Sent))
	})
}

// A conflict that nobody's write explains (a broken proxy or webhook) must not
// be retried as fast as the network allows.
func TestUnexplainedConflictIsNotInsistedOn(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		claim := b.acquire(b.a)
		b.c.Link("a").Inject(apiserver.Fault{Verbs: writes, Status: http.StatusConflict})
		b.c.ForgetRequests()
		_, err := b.a.Renew(b.Context(), claim)
		require.ErrorIs(b, err, lease.ErrConflict)
		require.ErrorIs(b, b.a.Release(b.Context(), claim), lease.ErrConflict)
		require.LessOrEqual(b, b.c.CountRequests("a"), 10, "5 each: a renewal, and two swaps each after a look")
	})
}
