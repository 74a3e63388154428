package singleton_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/whole"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

// Refusals: what ends Run is consecutive and from the start; everything else is
// waited out, and told.

// One at the first start (the RoleBinding is applied a moment after the Deployment)
// and one hours later, at a failover.
func TestTwoRefusalsHoursApart(t *testing.T) {
	t.Parallel()
	for _, status := range []int{403, 400, 422, 405} {
		for _, later := range []time.Duration{20 * second, 5 * time.Minute, 2 * time.Hour} {
			if later > time.Hour && (status != 403 || !whole.Run()) {
				continue
			}
			someWay(t, ownDrains, func(w *world) {
				refuse := func(who string) {
					w.Link(who).Inject(apiserver.Fault{Verbs: []string{"update", "patch"}, Count: 2, Status: status})
				}
				refuse("b")
				refuse("c")
				w.start("b")
				w.start("c")
				w.start("a") // wins
				sleep(later)
				first := w.who()
				require.NotEmpty(w, first)
				for _, who := range []string{"a", "b", "c"} {
					if who != first {
						refuse(who)
					}
				}
				w.Link(first).BlackHole()
				sleep(time.Minute)
				require.NotEmpty(w, w.who()) // and inWorld: no Run has returned
				require.NotEqual(w, first, w.who())
			})
		}
	}
}

// moody is a guard that can say that it is miswired.
type moody struct {
	fencing.Guard
	bad atomic.Bool
}

func (m *moody) Announce(ctx context.Context, t fencing.Token) error {
	if m.bad.Load() {
		return fencing.ErrScope
	}
	return m.Guard.Announce(ctx, t)
}

// The same for answers of a guard.
func TestTwoUnfitAnswersOfAGuard(t *testing.T) {
	t.Parallel()
	for _, later := range []time.Duration{20 * second, 5 * time.Minute, time.Hour} {
		inWorld(t, func(w *world) {
			guard := &moody{Guard: memory(w)}
			guard.bad.Store(true)
			with := func(c *singleton.Config) { c.Guards = []fencing.Guard{guard} }
			w.start("b", with)
			sleep(second)
			require.Empty(w, w.who())
			w.start("a") // knows no guard, and wins
			sleep(later)
			require.Equal(w, "a", w.who())
			w.Link("a").BlackHole()
			sleep(30 * second) // b tries, and is refused
			require.Empty(w, w.who())
			guard.bad.Store(false)
			sleep(20 * second)
			require.Equal(w, "b", w.who())
		})
	}
}

// Whoever is refused from the start and all the time does end, with the verb's name.
func TestRoleOfClientGosElector(t *testing.T) {
	inLab(t, func(l lab) {
		l.Forbid("a", "list", "watch", "delete", "patch")
		e := l.elector("a")
		r := l.run(e, idle)
		sleep(10 * second)
		require.Error(l, e.Ready())
		sleep(20 * second)
		require.ErrorContains(l, r.wait(l), "list")
	})
}

func TestRoleShrinksUnderTheActive(t *testing.T) {
	t.Parallel()
	for _, verbs := range [][]string{{"update", "patch"}, {"list", "watch"}, {"get"}, {"patch"}, {"list", "watch", "get", "update", "create", "patch"}} {
		someWay(t, ownDrains, func(w *world) {
			w.start("a")
			w.start("b")
			sleep(5 * second)
			for _, who := range []string{"a", "b"} {
				w.Forbid(who, verbs...)
			}
			sleep(5 * time.Minute)
			for _, who := range []string{"a", "b"} {
				w.Allow(who, verbs...)
			}
			sleep(16 * second)
			require.NotEmpty(w, w.who(), verbs)
		})
	}
}

// A Lease that never comes: a Role without create, GitOps that leaves Leases out.
func TestLeaseThatNeverComes(t *testing.T) {
	whole.Only(t)
	t.Parallel()
	for _, shared := range []bool{false, true} {
		inWorldWith(t, func(w *world) { w.shared = shared }, func(w *world) {
			w.DeleteLease("shop", "invoicer")
			log := &lines{}
			var all []*singleton.Elector
			for _, who := range []string{"a", "b"} {
				w.Forbid(who, "create")
				all = append(all, w.start(who, func(c *singleton.Config) { c.Logger = log.logger() }))
			}
			sleep(20 * time.Minute)
			half := log.count("creating it is not allowed")
			require.Positive(w, half)
			sleep(20 * time.Minute)
			require.Greater(w, log.count("creating it is not allowed"), half, "told again")
			require.LessOrEqual(w, log.count("\n"), 60)
			for _, e := range all {
				require.ErrorContains(w, e.Ready(), "does not exist")
				require.NoError(w, e.Live())
				require.True(w, e.Status().Missing)
				require.InDelta(w, 1, metric(w, e, "hotseat_lease_missing"), 0)
			}
			w.Allow("a", "create") // the Role is mended
			require.LessOrEqual(w, w.nobodyFor(time.Minute), 20*second)
			for _, e := range all {
				require.NoError(w, e.Ready())
				require.Zero(w, metric(w, e, "hotseat_lease_missing"))
			}
			sleep(second)
			require.Positive(w, log.count("the Lease exists now"))
		})
		inWorldWith(t, func(w *world) { w.shared = shared }, func(w *world) {
			w.DeleteLease("shop", "invoicer")
			w.Forbid("a", "create")
			w.start("a")
			sleep(10 * time.Minute)
			_, err := w.CreateLease(newLease())
			require.NoError(w, err)
			require.LessOrEqual(w, w.nobodyFor(time.Minute), bound, "shipped at last")
		})
	}
}

// Refused credentials are tried again calmly, and told as such.
func TestUnauthorizedFromTheStart(t *testing.T) { unauthorized(t, false) }

func unauthorized(t *testing.T, shared bool) {
	inWorldWith(t, func(w *world) { w.shared = shared }, func(w *world) {
		log := &lines{}
		var requests atomic.Int64
		heal := w.Link("a").Inject(apiserver.Fault{Status: 401, Then: func() { requests.Add(1) }})
		e := w.start("a", func(c *singleton.Config) { c.Logger = log.logger() })
		sleep(time.Minute)
		requests.Store(0)
		sleep(10 * time.Minute)
		require.LessOrEqual(w, requests.Load(), int64(10*60), "one a second at most")
		require.Positive(w, log.count("credentials refused"))
		require.LessOrEqual(w, log.count("\n"), 40)
		require.Error(w, e.Ready())
		heal()
		require.LessOrEqual(w, w.nobodyFor(time.Minute), 5*second)
	})
}

// A token that is revoked while active is like an outage.
func TestUnauthorizedLater(t *testing.T) {
	someWay(t, sharedDrains, func(w *world) {
		w.start("a")
		w.start("b")
		sleep(5 * second)
		heal := w.Link("a").Inject(apiserver.Fault{Status: 401})
		sleep(7 * second)
		heal()
		sleep(20 * second)
		require.Equal(w, []string{"a"}, w.started())
		w.Link("a").Inject(apiserver.Fault{Status: 401})
		sleep(30 * second)
		require.Equal(w, "b", w.who())
	})
}

// client-go's fake clientset is not an API server: that is said at once, with what
// is one.
func TestFakeClientset(t *testing.T) {
	versioned := newLease()
	versioned.UID, versioned.ResourceVersion = "u", "1"
	for name, client := range map[string]*fake.Clientset{
		"no Lease": fake.NewClientset(), "one without UID": fake.NewClientset(newLease()), "one with UID": fake.NewClientset(versioned),
		"another": fake.NewClientset(&coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "other"}}),
		"simple":  fake.NewSimpleClientset(newLease()), //nolint:staticcheck // people still use it
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l lab) {
				log := &lines{}
				e, err := singleton.New(client.CoordinationV1(), singleton.Config{Name: "invoicer", Namespace: "shop", Replica: singleton.ReplicaConfig{Identity: "a"}, Logger: log.logger()})
				require.NoError(l, err)
				began := time.Now()
				err = l.run(e, idle).wait(l)
				require.ErrorIs(l, err, lease.ErrUnversioned)
				require.ErrorContains(l, err, "singletontest")
				if name == "one with UID" { // only a write shows that versions stay
					began = began.Add(15 * second)
				}
				require.LessOrEqual(l, time.Since(began), 3*second)
				require.LessOrEqual(l, len(client.Actions()), 30)
			})
		})
	}
}
