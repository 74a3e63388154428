package lease_test

import (
	"context"
	"math"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

const ns, name = "shop", "invoicer"

// bed is a cluster in a bubble with two candidates.
type bed struct {
	*testing.T
	c    *singletontest.Cluster
	a, b *lease.Lock
}

func inBed(t *testing.T, o singletontest.Options, f func(b *bed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := singletontest.New(o)
		defer c.Close()
		lock := func(id string) *lease.Lock {
			return lease.NewLock(c.Client(id).CoordinationV1().Leases(ns), lease.Options{
				Namespace: ns, Name: name, Identity: id, Timing: lease.Timing{}.WithDefaults(),
			})
		}
		f(&bed{T: t, c: c, a: lock("a"), b: lock("b")})
	})
}

// ship stores an unheld Lease.
func (b *bed) ship(edits ...func(*coordv1.Lease)) {
	l := &coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}}
	for _, edit := range edits {
		edit(l)
	}
	_, err := b.c.CreateLease(l)
	require.NoError(b, err)
}

func (b *bed) edit(f func(*coordv1.Lease)) { require.NoError(b, b.c.EditLease(ns, name, f)) }

func (b *bed) list(l *lease.Lock) lease.Observation {
	o, err := l.List(b.Context())
	require.NoError(b, err)
	return o
}

func (b *bed) acquire(l *lease.Lock) lease.Claim {
	claim, err := l.Acquire(b.Context(), b.list(l), lease.EpochInputs{})
	require.NoError(b, err)
	return claim
}

func (b *bed) stored() lease.Record { return lease.NewRecord(b.c.Lease(ns, name)) }

func TestAcquireRenewRelease(t *testing.T) {
	inBed(t, singletontest.Options{}, func(b *bed) {
		b.ship()
		seen := b.list(b.a)
		claim := b.acquire(b.a)
		r := b.stored()
		token, ok := r.Token()
		require.True(b, ok)
		require.Equal(b, claim.Token, token)
		require.Equal(b, lease.SourceStore, claim.Source)
		require.Equal(b, "a", r.Holder())
		require.Equal(b, 15*time.Second, r.Duration())
		require.EqualValues(b, 1, r.Transitions())
		require.False(b, lease.Newer(seen.ResourceVersion, r.ResourceVersion()))
		require.True(b, r.AcquireTime().Equal(r.RenewTime()))
		require.Equal(b, claim.Sent.Add(10*time.Second), claim.ValidUntil(b.a.Timing))

		time.Sleep(2 * time.Second)
		next, err := b.a.Renew(b.Context(), claim)
		require.NoError(b, err)
		require.Equal(b, 2*time.Second, next.Sent.Sub(claim.Sent), "counted from sending")
		require.Equal(b, claim.Token, next.Token)
		require.Equal(b, 2*time.Second, b.stored().RenewTime().Sub(r.RenewTime()))
		require.True(b, b.stored().AcquireTime().Equal(r.AcquireTime()))
		require.EqualValues(b, 1, b.stored().Transitions())

		require.NoError(b, b.a.Release(b.Context(), claim), "an outdated base is read again")
		r = b.stored()
		require.True(b, r.Released())
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
	inBed(t, singletontest.Options{}, func(b *bed) {
		_, err := b.a.Create(b.Context())
		require.NoError(b, err)
		require.NoError(b, b.c.EditLease(ns, name, func(l *coordv1.Lease) { l.Annotations = nil }))
		v := lease.View{}.Observe(b.list(b.b), 15*time.Second)
		require.Equal(b, 15*time.Second, v.FreeAt().Sub(v.Last().At))
	})
}

func TestCreateIsVacant(t *testing.T) {
	inBed(t, singletontest.Options{}, func(b *bed) {
		_, err := b.a.Acquire(b.Context(), b.list(b.a), lease.EpochInputs{})
		require.ErrorIs(b, err, lease.ErrConflict, "there is nothing to take over")
		made, err := b.a.Create(b.Context())
		require.NoError(b, err)
		require.True(b, made.Vacant())
		require.Empty(b, made.Holder())
		require.False(b, made.Released())
		_, err = b.b.Create(b.Context())
		require.ErrorIs(b, err, lease.ErrConflict, "somebody was faster")

		first := b.acquire(b.a)
		require.Positive(b, first.Token.Epoch)
		require.NotContains(b, b.stored().Lease().Annotations, lease.AnnotationVacant)
		b.c.DeleteLease(ns, name)
		require.False(b, b.list(b.b).Record.Exists())
		_, err = b.b.Create(b.Context())
		require.NoError(b, err)
		second := b.acquire(b.b)
		require.Greater(b, second.Token.Epoch, first.Token.Epoch, "the store's version outlives the Lease")
	})
}

func TestAcquireLosesTheRace(t *testing.T) {
	inBed(t, singletontest.Options{}, func(b *bed) {
		b.ship()
		seen := b.list(b.b)
		claim := b.acquire(b.a)
		_, err := b.b.Acquire(b.Context(), seen, lease.EpochInputs{})
		require.ErrorIs(b, err, lease.ErrConflict)
		var request *lease.RequestError
		require.ErrorAs(b, err, &request)
		require.Equal(b, "update", request.Verb)
		require.NoError(b, claim.Standing(b.stored()))
	})
}

func TestEpochInputsRaiseTheEpoch(t *testing.T) {
	inBed(t, singletontest.Options{}, func(b *bed) {
		b.ship()
		claim, err := b.a.Acquire(b.Context(), b.list(b.a), lease.EpochInputs{Remembered: 5000, Floor: 7000})
		require.NoError(b, err)
		require.EqualValues(b, 7001, claim.Token.Epoch)
		require.NoError(b, b.a.Release(b.Context(), claim))
		require.EqualValues(b, 7002, b.acquire(b.b).Token.Epoch, "counts on from the annotation")
		b.edit(func(l *coordv1.Lease) { l.Annotations[lease.AnnotationEpoch] = "9223372036854775807" })
		_, err = b.b.Acquire(b.Context(), b.list(b.b), lease.EpochInputs{})
		require.ErrorIs(b, err, lease.ErrEpochExhausted)
	})
}

// A lost answer proves nothing; a List shows what happened, and only a renewal's
// acknowledgement counts.
func TestAcquireWhoseAnswerIsLost(t *testing.T) {
	for name, test := range map[string]struct {
		fault   singletontest.Fault
		happens bool
	}{
		"answer lost":   {singletontest.Fault{LoseAnswer: true}, true},
		"answer hangs":  {singletontest.Fault{HangAnswer: true}, true},
		"request lost":  {singletontest.Fault{LoseRequest: true}, false},
		"request hangs": {singletontest.Fault{HangRequest: true}, false},
		"500":           {singletontest.Fault{Status: http.StatusInternalServerError}, false},
		"503":           {singletontest.Fault{Status: http.StatusServiceUnavailable}, false},
		"429":           {singletontest.Fault{Status: http.StatusTooManyRequests}, false},
	} {
		t.Run(name, func(t *testing.T) {
			inBed(t, singletontest.Options{}, func(b *bed) {
				b.ship()
				test.fault.Verbs, test.fault.Count = []string{"update", "patch"}, 1
				b.c.Link("a").Inject(test.fault)
				began := b.a.Clock.Now()
				claim, err := b.a.Acquire(b.Context(), b.list(b.a), lease.EpochInputs{})
				if !test.happens {
					require.ErrorIs(b, err, lease.ErrUnavailable)
					require.Empty(b, b.stored().Holder())
					return
				}
				require.NoError(b, err)
				require.NoError(b, claim.Standing(b.stored()))
				require.Equal(b, 2, b.c.CountRequests("a", "update", "patch"), "one renewal followed")
				if test.fault.HangAnswer {
					require.Equal(b, b.a.Timing.RequestTimeout(), claim.Sent.Sub(began), "validity counts from the renewal")
				}
			})
		})
	}
}

// An operator's fence that falls between the lost answer and the look is kept.
func TestFencedAcquireIsNotAdopted(t *testing.T) {
	inBed(t, singletontest.Options{}, func(b *bed) {
		b.ship()
		b.c.Link("a").Inject(singletontest.Fault{Verbs: []string{"update", "patch"}, Count: 1, LoseAnswer: true, Then: func() {
			require.NoError(b, b.c.EditLease("shop", "invoicer", func(l *coordv1.Lease) { l.Annotations[lease.AnnotationEpoch] = "900" }))
		}})
		_, err := b.a.Acquire(b.Context(), b.list(b.a), lease.EpochInputs{})
		require.ErrorIs(b, err, lease.ErrUnavailable)
		epoch, err := b.stored().Epoch()
		require.NoError(b, err)
		require.EqualValues(b, 900, epoch)
	})
}

// Writes arrive, answers do not: the term is known not to start.
func TestAcquireUnheard(t *testing.T) {
	inBed(t, singletontest.Options{}, func(b *bed) {
		b.ship()
		b.c.Link("a").Inject(singletontest.Fault{Verbs: []string{"update", "patch"}, LoseAnswer: true})
		_, err := b.a.Acquire(b.Context(), b.list(b.a), lease.EpochInputs{})
		require.ErrorIs(b, err, lease.ErrUnheard)
	})
}

func TestReleaseWhoseAnswerIsLost(t *testing.T) {
	inBed(t, singletontest.Options{}, func(b *bed) {
		b.ship()
		claim := b.acquire(b.a)
		b.c.Link("a").Inject(singletontest.Fault{Verbs: []string{"update", "patch"}, Count: 1, LoseAnswer: true})
		require.ErrorIs(b, b.a.Release(b.Context(), claim), lease.ErrUnavailable)
		require.NoError(b, b.a.Release(b.Context(), claim), "it had landed")
		require.True(b, b.stored().Released())
	})
}

func TestRaiseWhoseAnswerIsLost(t *testing.T) {
	inBed(t, singletontest.Options{}, func(b *bed) {
		b.ship()
		claim := b.acquire(b.a)
		b.c.Link("a").Inject(singletontest.Fault{Verbs: []string{"update", "patch"}, Count: 1, LoseAnswer: true})
		claim, err := b.a.Raise(b.Context(), claim, 800)
		require.ErrorIs(b, err, lease.ErrUnavailable)
		claim, err = b.a.Renew(b.Context(), claim)
		require.NoError(b, err, "not fenced by its own raise")
		token, _ := b.stored().Token()
		require.EqualValues(b, 801, token.Epoch, "and the epoch did not go back")
		require.Equal(b, claim.Token, token)
	})
}

func TestAcquireAcknowledgedTooLate(t *testing.T) {
	inBed(t, singletontest.Options{}, func(b *bed) {
		b.ship()
		late := lease.NewLock(stubborn{b.c.Client("a").CoordinationV1().Leases(ns), 10 * time.Second}, b.a.Options)
		_, err := late.Acquire(b.Context(), b.list(b.a), lease.EpochInputs{})
		require.ErrorIs(b, err, lease.ErrLate)
		require.Equal(b, "a", b.stored().Holder(), "it happened all the same")
	})
}

func TestRenewSurvivesLabelEdits(t *testing.T) {
	inBed(t, singletontest.Options{CoordinatedLeaderElection: true}, func(b *bed) {
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
		require.Equal(b, &preferred, l.Spec.PreferredHolder)
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
			inBed(t, singletontest.Options{}, func(b *bed) {
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

// Whatever a record shows that is not exactly our term, renewing and releasing
// write nothing.
func TestLostTermWritesNothing(t *testing.T) {
	for name, test := range map[string]struct {
		happen func(b *bed)
		loss   lease.Loss
		says   string
	}{
		"taken":                {func(b *bed) { b.acquire(b.b) }, lease.LossTaken, `taken by "b"`},
		"foreign holder":       {func(b *bed) { b.edit(func(l *coordv1.Lease) { x := "x"; l.Spec.HolderIdentity = &x }) }, lease.LossTaken, `taken by "x"`},
		"another term of ours": {func(b *bed) { b.acquire(b.a) }, lease.LossTaken, `taken by "a"`},
		"term edited":          {func(b *bed) { b.edit(func(l *coordv1.Lease) { l.Annotations[lease.AnnotationTerm] = "?" }) }, lease.LossTaken, "taken"},
		"re-acquired, annotations removed": {func(b *bed) {
			time.Sleep(time.Second)
			b.acquire(b.a)
			b.edit(func(l *coordv1.Lease) { l.Annotations = nil })
		}, lease.LossTaken, "taken"},
		"cleared":                  {func(b *bed) { b.edit(func(l *coordv1.Lease) { x := ""; l.Spec.HolderIdentity = &x }) }, lease.LossCleared, "holder cleared"},
		"fenced":                   {func(b *bed) { b.edit(func(l *coordv1.Lease) { l.Annotations[lease.AnnotationEpoch] = "99999" }) }, lease.LossFenced, "higher fencing epoch"},
		"deleted":                  {func(b *bed) { b.c.DeleteLease(ns, name) }, lease.LossDeleted, "deleted"},
		"deleted and shipped anew": {func(b *bed) { b.c.DeleteLease(ns, name); b.ship() }, lease.LossDeleted, "deleted"},
	} {
		t.Run(name, func(t *testing.T) {
			inBed(t, singletontest.Options{}, func(b *bed) {
				b.ship()
				claim := b.acquire(b.a)
				test.happen(b)
				before := b.c.Lease(ns, name)

				_, renewing := b.a.Renew(b.Context(), claim)
				releasing := b.a.Release(b.Context(), claim)
				_, raising := b.a.Raise(b.Context(), claim, claim.Token.Epoch)
				for _, err := range []error{renewing, releasing, raising} {
					require.ErrorIs(b, err, lease.ErrLost)
					require.ErrorContains(b, err, test.says)
					var lost *lease.LostError
					require.ErrorAs(b, err, &lost)
					require.Equal(b, test.loss, lost.Loss)
				}
				require.Equal(b, before, b.c.Lease(ns, name))
			})
		})
	}
}

func TestRenewWhoseAnswerIsLost(t *testing.T) {
	inBed(t, singletontest.Options{}, func(b *bed) {
		b.ship()
		claim := b.acquire(b.a)
		time.Sleep(time.Second)
		b.c.Link("a").Inject(singletontest.Fault{Verbs: []string{"update", "patch"}, Count: 1, LoseAnswer: true})
		same, err := b.a.Renew(b.Context(), claim)
		require.ErrorIs(b, err, lease.ErrUnavailable)
		require.Equal(b, claim.Sent, same.Sent, "an unanswered write extends nothing")
		time.Sleep(time.Second)
		next, err := b.a.Renew(b.Context(), same)
		require.NoError(b, err, "it had landed: read again, written again")
		require.Equal(b, 2*time.Second, next.Sent.Sub(claim.Sent))
	})
}

func TestRaise(t *testing.T) {
	inBed(t, singletontest.Options{}, func(b *bed) {
		b.ship()
		claim := b.acquire(b.a)
		b.edit(func(l *coordv1.Lease) { l.Labels = map[string]string{"team": "a"} })
		raised, err := b.a.Raise(b.Context(), claim, 800)
		require.NoError(b, err)
		require.EqualValues(b, 801, raised.Token.Epoch)
		require.Equal(b, claim.Token.Term, raised.Token.Term)
		token, _ := b.stored().Token()
		require.Equal(b, raised.Token, token)

		_, err = b.a.Raise(b.Context(), raised, 700)
		require.ErrorContains(b, err, "mark 700 must not be below the term's epoch 801")
		_, err = b.a.Raise(b.Context(), raised, math.MaxInt64)
		require.ErrorIs(b, err, lease.ErrEpochExhausted)
		token, _ = b.stored().Token()
		require.EqualValues(b, 801, token.Epoch)

		b.c.Link("a").Cut()
		_, err = b.a.Raise(b.Context(), raised, 900)
		require.ErrorIs(b, err, lease.ErrUnavailable, "never on the guard's word alone")
	})
}

func TestForbiddenNamesTheVerb(t *testing.T) {
	inBed(t, singletontest.Options{}, func(b *bed) {
		b.ship()
		claim := b.acquire(b.a)
		for verb, request := range map[string]func() error{
			"list":   func() error { _, err := b.a.List(b.Context()); return err },
			"watch":  func() error { return b.a.Watch(b.Context(), b.list(b.b), nil) },
			"update": func() error { _, err := b.a.Renew(b.Context(), claim); return err },
			"create": func() error { _, err := b.a.Create(b.Context()); return err },
		} {
			b.c.Forbid("a", verb)
			err := request()
			require.ErrorIs(b, err, lease.ErrForbidden)
			require.ErrorContains(b, err, verb+" lease: forbidden")
			b.c.Allow("a", verb)
		}
	})
}

func TestOtherRefusals(t *testing.T) {
	inBed(t, singletontest.Options{Namespaces: []string{"elsewhere"}}, func(b *bed) {
		_, err := b.a.Create(b.Context())
		require.ErrorIs(b, err, lease.ErrNoNamespace)
	})
	inBed(t, singletontest.Options{}, func(b *bed) {
		bad := lease.NewLock(b.c.Client("a").CoordinationV1().Leases(ns), lease.Options{
			Namespace: ns, Name: "No_Name", Identity: "a", Timing: lease.Timing{}.WithDefaults(),
		})
		_, err := bad.Create(b.Context())
		require.ErrorIs(b, err, lease.ErrRejected)
	})
}

func TestEveryRequestHasADeadline(t *testing.T) {
	inBed(t, singletontest.Options{}, func(b *bed) {
		b.ship()
		claim := b.acquire(b.a)
		seen := b.list(b.a)
		b.c.Link("a").BlackHole()
		for what, request := range map[string]func() error{
			"list":  func() error { _, err := b.a.List(context.Background()); return err },
			"renew": func() error { _, err := b.a.Renew(context.Background(), claim); return err },
			"watch": func() error { return b.a.Watch(context.Background(), seen, nil) },
		} {
			began := time.Now()
			require.ErrorIs(b, request(), lease.ErrUnavailable, what)
			require.Equal(b, b.a.Timing.RequestTimeout(), time.Since(began), what)
		}
	})
}

// A conflict that nobody's write explains (a broken proxy or webhook) must not
// be retried as fast as the network allows.
func TestUnexplainedConflictIsNotInsistedOn(t *testing.T) {
	inBed(t, singletontest.Options{}, func(b *bed) {
		b.ship()
		claim := b.acquire(b.a)
		b.c.Link("a").Inject(singletontest.Fault{Verbs: []string{"update", "patch"}, Status: http.StatusConflict})
		b.c.ForgetRequests()
		_, err := b.a.Renew(b.Context(), claim)
		require.ErrorIs(b, err, lease.ErrConflict)
		require.ErrorIs(b, b.a.Release(b.Context(), claim), lease.ErrConflict)
		require.LessOrEqual(b, b.c.CountRequests("a"), 4)
	})
}
