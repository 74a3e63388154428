package singleton_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

func (l lab) name(successor string) {
	l.edit(func(o *coordv1.Lease) {
		metav1.SetMetaDataAnnotation(&o.ObjectMeta, lease.AnnotationSuccessor, successor)
	})
}

// three runs a, which is active, and two standbys.
func (l lab) three(change ...func(*singleton.Config)) (a, b, c *singleton.Elector) {
	a, b, c = l.elector("a", change...), l.elector("b", change...), l.elector("c", change...)
	for _, e := range []*singleton.Elector{a, b, c} {
		l.run(e, idle)
	}
	require.True(l, a.IsActive())
	return a, b, c
}

// Rule A8: kubectl annotate moves the seat to the named Pod, each time, at once, and the annotation
// is gone.
func TestAnnotationNamesTheSuccessor(t *testing.T) {
	inLab(t, func(l lab) {
		a, b, c := l.three()
		for range 3 { // to one that has just resigned, too
			for name, e := range map[string]*singleton.Elector{"a": a, "b": b, "c": c} {
				if e.IsActive() {
					continue
				}
				began := time.Now()
				l.name(name)
				require.True(l, e.IsActive(), name)
				require.Less(l, time.Since(began), 100*time.Millisecond)
				require.NotContains(l, l.Lease("shop", "invoicer").Annotations, lease.AnnotationSuccessor)
				sleep(100 * time.Millisecond)
			}
		}
		sleep(time.Minute)
		require.Empty(l, l.record().Successor())
		terms := 0.0
		for _, e := range []*singleton.Elector{a, b, c} {
			terms += metric(l, e, "hotseat_terms_total", "reason", "resigned")
		}
		require.GreaterOrEqual(l, terms, 6.0)
	})
}

// Rule A8: a name that nobody answers to moves nothing, and costs the bound when the Lease comes
// free.
func TestSuccessorThatIsNotThere(t *testing.T) {
	inLab(t, func(l lab) {
		a, b, c := l.three()
		b.SetEligible(false)
		for _, name := range []string{"nobody", "b", "a"} {
			l.name(name)
			sleep(time.Minute)
			require.True(l, a.IsActive(), "%s does not answer", name)
		}
		l.name("nobody")
		began := time.Now()
		a.Resign()
		synctest.Wait()
		require.False(l, c.IsActive(), "it lets the named one go first")
		_, err := c.WaitActive(l.Context())
		require.NoError(l, err)
		require.Equal(l, time.Second, time.Since(began).Truncate(100*time.Millisecond))
		require.Empty(l, l.record().Successor())
	})
}

// Rule A8: one that answers and dies at once costs the bound too, and not more.
func TestSuccessorThatDies(t *testing.T) {
	inLab(t, func(l lab) {
		a, _, _ := l.three()
		began := time.Now()
		l.name("d_0123456789abcdef")
		require.False(l, a.IsActive())
		sleep(time.Second + 100*time.Millisecond)
		require.NotEqual(l, singleton.StateActive, a.Status().State, "it stands back")
		r := l.record()
		require.NotEmpty(l, r.Holder())
		require.Empty(l, r.Successor())
		require.Less(l, time.Since(began), 2*time.Second)
	})
}

func TestResignTo(t *testing.T) {
	inLab(t, func(l lab) {
		logs := &lines{}
		a, b, c := l.three(func(c *singleton.Config) { c.Logger = logs.logger() })
		for range 5 {
			for name, e := range map[string]*singleton.Elector{"a": a, "b": b, "c": c} {
				active := []*singleton.Elector{a, b, c}
				for _, from := range active {
					if from == e || !from.IsActive() {
						continue
					}
					require.NoError(l, from.Status().Term.ResignTo(name))
					synctest.Wait()
					require.True(l, e.IsActive(), name)
					require.Empty(l, l.record().Successor(), "served")
				}
			}
		}
		require.Positive(l, logs.count(`resigned in favor of \"b\"`), logs.text.String())

		term := a.Status().Term
		if term == nil {
			l.name("a")
			term = a.Status().Term
		}
		for _, bad := range []string{"", "\xff", strings.Repeat("x", 301)} {
			var field *lease.FieldError
			require.ErrorAs(l, term.ResignTo(bad), &field)
			require.True(l, term.Valid())
			require.True(l, a.IsActive(), "nothing happens")
		}
		sleep(5 * time.Second) // they do not stand back any more
		require.NoError(l, term.ResignTo("nobody"))
		sleep(999 * time.Millisecond)
		require.False(l, b.IsActive() || c.IsActive(), "the bound is half a RetryPeriod")
		sleep(50 * time.Millisecond)
		require.True(l, b.IsActive() || c.IsActive())
	})
}

// preferredHolder is coordinated leader election's word for the same.
func TestPreferredHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := apiserver.New(apiserver.Options{CoordinatedLeaderElection: true})
		t.Cleanup(cluster.Close)
		_, err := cluster.CreateLease(newLease())
		require.NoError(t, err)
		l := lab{t, cluster}
		a, b, _ := l.three()
		prefer := func(name string) {
			l.edit(func(o *coordv1.Lease) {
				o.Spec.Strategy = new(coordv1.OldestEmulationVersion)
				o.Spec.PreferredHolder = &name
			})
		}
		prefer("nobody")
		sleep(time.Minute)
		require.True(l, a.IsActive(), "not relied on")
		prefer("b")
		require.True(l, b.IsActive())
		require.Nil(l, l.Lease("shop", "invoicer").Spec.PreferredHolder)
		require.NotNil(l, l.Lease("shop", "invoicer").Spec.Strategy, "not ours to remove")
	})
}

// Rule A9: courtesy decides who is next, and leaves nobody active for as long as it says at most.
func TestCourtesy(t *testing.T) {
	inLab(t, func(l lab) {
		a, b, c := l.three()
		for range 5 {
			a.SetCourtesy(time.Hour) // at most a LeaseDuration counts
			b.SetCourtesy(time.Second)
			a.Resign()
			synctest.Wait()
			require.True(l, c.IsActive(), "b lets it go first")
			b.SetCourtesy(0)
			c.Resign()
			synctest.Wait()
			require.True(l, b.IsActive())
			c.SetEligible(false)
			a.SetCourtesy(-1)
			sleep(4 * time.Second)
			b.Resign()
			synctest.Wait()
			require.True(l, a.IsActive())
			c.SetEligible(true)
			sleep(4 * time.Second)
		}
		b.SetEligible(false)
		c.SetCourtesy(time.Second)
		began := time.Now()
		a.Resign()
		_, err := c.WaitActive(l.Context())
		require.NoError(l, err)
		require.InDelta(l, time.Second, time.Since(began), float64(50*time.Millisecond), "there is nobody else")

		a.SetEligible(false)
		c.Resign()
		a.SetEligible(true)
		a.SetCourtesy(time.Hour)
		began = time.Now()
		c.SetEligible(false)
		_, err = a.WaitActive(l.Context())
		require.NoError(l, err)
		require.Less(l, time.Since(began), 15*time.Second+100*time.Millisecond)
	})
}
