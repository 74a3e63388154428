package protocol_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/protocol"
	"github.com/hotseat-go/hotseat/lease"
)

// asIf returns the stored record as one may have seen it in that version before the
// version came to mean what is stored now.
func (b *bed) asIf(edit func(*coordv1.Lease)) protocol.Record {
	l := b.c.Lease(ns, name)
	edit(l)
	return protocol.NewRecord(l)
}

// Rule W4: a write that changes hands tests what it was decided upon. What is
// stored has the very version that was seen, but another content.
func TestTakeTestsEveryField(t *testing.T) {
	annotation := func(key string, value *string) func(*coordv1.Lease) {
		return func(l *coordv1.Lease) {
			if value == nil {
				delete(l.Annotations, key)
			} else {
				metav1.SetMetaDataAnnotation(&l.ObjectMeta, key, *value)
			}
		}
	}
	later := metav1.NewMicroTime(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	for name, edit := range map[string]func(*coordv1.Lease){
		"uid":                   func(l *coordv1.Lease) { l.UID = "u-other" },
		"version":               func(l *coordv1.Lease) { l.ResourceVersion = "1" },
		"holder":                func(l *coordv1.Lease) { l.Spec.HolderIdentity = new("other") },
		"no holder":             func(l *coordv1.Lease) { l.Spec.HolderIdentity = nil },
		"nobody":                func(l *coordv1.Lease) { l.Spec.HolderIdentity = new("") },
		"duration":              func(l *coordv1.Lease) { l.Spec.LeaseDurationSeconds = new(int32(3)) },
		"no duration":           func(l *coordv1.Lease) { l.Spec.LeaseDurationSeconds = nil },
		"acquireTime":           func(l *coordv1.Lease) { l.Spec.AcquireTime = &later },
		"no acquireTime":        func(l *coordv1.Lease) { l.Spec.AcquireTime = nil },
		"renewTime":             func(l *coordv1.Lease) { l.Spec.RenewTime = &later },
		"no renewTime":          func(l *coordv1.Lease) { l.Spec.RenewTime = nil },
		"transitions":           func(l *coordv1.Lease) { l.Spec.LeaseTransitions = new(int32(70)) },
		"no transitions":        func(l *coordv1.Lease) { l.Spec.LeaseTransitions = nil },
		"epoch":                 annotation(lease.AnnotationEpoch, new("1")),
		"no epoch":              annotation(lease.AnnotationEpoch, nil),
		"term":                  annotation(lease.AnnotationTerm, new("cccccccccccccccccccccccccccccccc")),
		"no term":               annotation(lease.AnnotationTerm, nil),
		"annotation holder":     annotation(lease.AnnotationHolder, new("other")),
		"no annotation holder":  annotation(lease.AnnotationHolder, nil),
		"released":              annotation(lease.AnnotationReleased, new("2030-01-01T00:00:00.000000Z after 7")),
		"vacant":                annotation(lease.AnnotationVacant, new("created by other")),
		"no annotations at all": func(l *coordv1.Lease) { l.Annotations = nil },
		"as shipped":            func(l *coordv1.Lease) { l.Annotations, l.Spec = nil, coordv1.LeaseSpec{} },
		"another annotation":    nil,
		"labels":                nil,
	} {
		t.Run(name, func(t *testing.T) {
			inBed(t, apiserver.Options{}, func(b *bed) {
				b.ship()
				b.acquire(b.b)
				if edit == nil { // what is not ours is not looked at, and stays
					from := b.asIf(func(l *coordv1.Lease) { l.Labels, l.Annotations["example.com/x"] = map[string]string{"x": "y"}, "z" })
					o := b.list(b.a)
					o.Record = from
					claim, err := b.a.Claim(o, protocol.EpochInputs{})
					require.NoError(b, err)
					claim, err = b.a.Take(b.Context(), from, claim)
					require.NoError(b, err)
					b.holds(claim)
					return
				}
				was := b.stored()
				o := b.list(b.a)
				o.Record = b.asIf(edit)
				claim, err := b.a.Claim(o, protocol.EpochInputs{})
				require.NoError(b, err)
				got, err := b.a.Take(b.Context(), o.Record, claim)
				require.ErrorIs(b, err, lease.ErrConflict)
				require.True(b, got.Sent.IsZero())
				require.Equal(b, was.Lease(), b.stored().Lease(), "nothing was written")
			})
		})
	}
}

// A raise and a release are made over what the store has.
func TestReleaseAndRaiseOverEdits(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		claim := b.acquire(b.a)
		b.edit(func(l *coordv1.Lease) { l.Spec.LeaseDurationSeconds = new(int32(3)) })
		b.label("x")
		claim, err := b.a.Raise(b.Context(), claim, 700)
		require.NoError(b, err)
		b.holds(claim)
		require.Equal(b, 15*time.Second, b.stored().Duration())
		b.edit(func(l *coordv1.Lease) { delete(l.Annotations, lease.AnnotationTerm) })
		before := b.stored()
		require.NoError(b, b.a.Release(b.Context(), claim))
		v := protocol.View{}.Observe(b.list(b.b), 15*time.Second)
		require.Equal(b, protocol.Prove, protocol.DecideNow(v, b.b.Clock.Now(), true).Action)
		b.prove(b.b, &v)
		require.Equal(b, "x", b.stored().Lease().Labels["team"])
		require.Equal(b, before.Lease().Spec.LeaseTransitions, b.stored().Lease().Spec.LeaseTransitions)
	})
}

// ahead puts the store back under its cache, and on to the very version of the
// Lease that the cache shows, with another record there.
func (b *bed) ahead(now func()) (shown protocol.Record) {
	b.Helper()
	backup := b.c.Snapshot()
	for range 4 {
		b.edit(func(l *coordv1.Lease) { l.Spec.HolderIdentity, l.Spec.RenewTime = new("lost"), new(metav1.NowMicro()) })
		time.Sleep(time.Millisecond)
		b.label(time.Now().Format("150405.000000"))
	}
	shown = b.stored()
	b.c.RestoreUnderCache(backup)
	now()
	for protocol.Newer(shown.ResourceVersion(), b.stored().ResourceVersion()) {
		time.Sleep(time.Millisecond)
		b.label(time.Now().Format("150405.000000"))
	}
	require.Equal(b, shown.ResourceVersion(), b.stored().ResourceVersion())
	require.Equal(b, "lost", b.list(b.a).Record.Holder(), "what a LIST shows")
	return shown
}

// inSlowBed is inBed, and again where admission takes longer than a write that is sent
// again may stay unanswered.
func inSlowBed(t *testing.T, test func(b *bed, slow func())) {
	t.Helper()
	for _, admission := range []time.Duration{0, 4 * time.Second} {
		inBed(t, apiserver.Options{}, func(b *bed) {
			test(b, func() {
				b.c.Link("a").Inject(apiserver.Fault{Verbs: []string{"patch", "update"}, DelayBefore: admission})
			})
		})
	}
}

// Rules R5 and W9: what a LIST shows is ahead of the store; what a GET shows is
// taken over, also where the cache has another record in that very version.
func TestTakeUnderACacheThatIsAhead(t *testing.T) {
	inSlowBed(t, func(b *bed, slow func()) {
		b.ship()
		shown := b.ahead(slow)
		o, err := b.a.Confirm(b.Context())
		require.NoError(b, err)
		require.Empty(b, o.Record.Holder(), "of the store")
		require.Equal(b, shown.ResourceVersion(), o.Record.ResourceVersion())
		claim, err := b.a.Claim(o, protocol.EpochInputs{})
		require.NoError(b, err)
		claim, err = b.a.Take(b.Context(), o.Record, claim)
		require.NoError(b, err)
		b.holds(claim)
		require.Equal(b, 1, b.c.CountRequests("a", "update"), "a patch is tested on the cache")
		require.NoError(b, b.a.PatchRefused(), "and is not refused as a verb")
		claim, err = b.a.Renew(b.Context(), claim)
		require.NoError(b, err)
		b.holds(claim)
	})
	// Before the versions meet, too.
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		backup := b.c.Snapshot()
		b.label("lost")
		b.label("lost-too")
		b.c.RestoreUnderCache(backup)
		_, err := b.take(b.a)
		require.ErrorIs(b, err, lease.ErrConflict, "from a LIST")
		o, err := b.a.Confirm(b.Context())
		require.NoError(b, err)
		require.Equal(b, b.list(b.a).ResourceVersion, o.Newest, "the store's newest is the cache's")
		require.True(b, protocol.Newer(o.Newest, o.ResourceVersion))
		claim, err := b.a.Claim(o, protocol.EpochInputs{})
		require.NoError(b, err)
		claim, err = b.a.Take(b.Context(), o.Record, claim)
		require.NoError(b, err)
		b.holds(claim)
	})
}

// So a holder that was restored goes on, and gives the Lease up.
func TestRenewUnderACacheThatIsAhead(t *testing.T) {
	for name, then := range map[string]func(b *bed, c protocol.Claim){
		"renew": func(b *bed, c protocol.Claim) {
			next, err := b.a.Renew(b.Context(), c)
			require.NoError(b, err)
			b.holds(next)
		},
		"release": func(b *bed, c protocol.Claim) {
			require.NoError(b, b.a.Release(b.Context(), c))
			require.True(b, b.stored().Released())
			require.Equal(b, c.Token.Term, b.stored().Term())
		},
		"raise": func(b *bed, c protocol.Claim) {
			next, err := b.a.Raise(b.Context(), c, 700)
			require.NoError(b, err)
			b.holds(next)
			require.EqualValues(b, 701, b.epoch())
		},
	} {
		t.Run(name, func(t *testing.T) {
			inSlowBed(t, func(b *bed, slow func()) {
				b.ship()
				claim := b.acquire(b.a)
				b.ahead(slow)
				require.NoError(b, claim.Standing(b.stored()))
				then(b, claim.Rebase(b.stored()))
			})
			inSlowBed(t, func(b *bed, slow func()) { // from an older base
				b.ship()
				claim := b.acquire(b.a)
				b.ahead(slow)
				then(b, claim)
			})
		})
	}
}

func TestConfirm(t *testing.T) {
	inBed(t, apiserver.Options{}, func(b *bed) {
		b.ship()
		b.c.AddNamespace("x")
		_, err := b.c.CreateLease(&coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "x", Name: "other"}})
		require.NoError(b, err)
		o, err := b.a.Confirm(b.Context())
		require.NoError(b, err)
		require.True(b, o.Listed)
		require.Equal(b, b.stored().Lease(), o.Record.Lease())
		require.Equal(b, b.stored().ResourceVersion(), o.ResourceVersion)
		require.Equal(b, b.c.Revision(), o.Newest)
		b.c.Forbid("a", "get")
		o, err = b.a.Confirm(b.Context())
		require.NoError(b, err, "then a LIST must do")
		require.Equal(b, b.c.Revision(), o.ResourceVersion)
		b.c.Forbid("a", "list")
		_, err = b.a.Confirm(b.Context())
		require.ErrorIs(b, err, lease.ErrForbidden)
		b.c.Allow("a", "get")
		_, err = b.a.Confirm(b.Context())
		require.ErrorIs(b, err, lease.ErrForbidden)
		b.c.Allow("a", "list")
		b.c.DeleteLease(ns, name)
		o, err = b.a.Confirm(b.Context())
		require.NoError(b, err)
		require.False(b, o.Record.Exists())
		require.Equal(b, b.c.Revision(), o.ResourceVersion)
	})
}
