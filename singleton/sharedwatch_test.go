package singleton_test

import (
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/whole"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

// fleet is a process that is a candidate for many Leases, over the link of its
// name and by one watch.
type fleet struct {
	lab
	name   string
	shared *singleton.SharedWatch
	log    *lines
}

func (l lab) fleet(name string) fleet { return l.fleetOver(name, name) }

func (l lab) fleetOver(name, shared string) fleet {
	log := &lines{}
	return fleet{lab: l, name: name, shared: singleton.NewSharedWatch(l.Client(shared), "shop", log.logger()), log: log}
}

// join starts an elector on a Lease, which is shipped if it is missing.
func (f fleet) join(name string) (*singleton.Elector, *running) {
	if f.Lease("shop", name) == nil {
		_, err := f.CreateLease(&coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}})
		require.NoError(f, err)
	}
	e := f.elector(f.name, func(c *singleton.Config) { c.Name, c.Replica.SharedWatch = name, f.shared })
	return e, f.run(e, idle)
}

const few = 5

// joinFew starts electors on some Leases.
func (f fleet) joinFew() (electors []*singleton.Elector, runs []*running) {
	for i := range few {
		e, r := f.join(fmt.Sprint("lease-", i))
		electors, runs = append(electors, e), append(runs, r)
	}
	return electors, runs
}

func (f fleet) watches() int { return f.CountRequests(f.name, "watch") }

func all(l lab, electors []*singleton.Elector, state singleton.State) {
	l.Helper()
	for i, e := range electors {
		require.Equal(l, state, e.Status().State, "elector %d", i)
	}
}

func TestOneWatchForAll(t *testing.T) {
	inLab(t, func(l lab) {
		holders, standbys := l.fleet("b"), l.fleet("a")
		_, runs := holders.joinFew()
		electors, _ := standbys.joinFew()
		sleep(4 * time.Minute) // less than a watch lasts
		all(l, electors, singleton.StateStandby)
		require.Equal(l, 1, standbys.watches())
		require.Equal(l, few+1, l.CountRequests("a", "list"), "each its own once, and all of them")
		require.Equal(l, 1, holders.watches())
		for i, r := range runs { // handover is immediate, one by one
			r.stop()
			synctest.Wait()
			all(l, electors[:i+1], singleton.StateActive)
			all(l, electors[i+1:], singleton.StateStandby)
		}
		require.Equal(l, 1, standbys.watches())
	})
}

// A watch that the server ends, in whatever way, is replaced once for all, and
// what happened meanwhile is told to each.
func TestSharedWatchEnds(t *testing.T) {
	for name, end := range map[string]func(*apiserver.Cluster){
		"by the server": func(c *apiserver.Cluster) { c.Link("a").EndWatches() },
		"410":           func(c *apiserver.Cluster) { c.Compact(); c.Link("a").ExpireWatches() },
		"connection":    func(c *apiserver.Cluster) { c.Link("a").Cut(); c.Link("a").Heal() },
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l lab) {
				holders, standbys := l.fleet("b"), l.fleet("a")
				_, runs := holders.joinFew()
				electors, _ := standbys.joinFew()
				sleep(5 * second)
				l.Link("a").Freeze()
				runs[0].stop() // unseen
				synctest.Wait()
				l.DeleteLease("shop", "lease-1")
				l.Link("a").Heal()
				l.ForgetRequests()
				end(l.Cluster)
				sleep(time.Second)
				require.Equal(l, 1, standbys.watches())
				require.Equal(l, singleton.StateActive, electors[0].Status().State)
				sleep(time.Minute)
				runs[2].stop()
				synctest.Wait()
				require.Equal(l, singleton.StateActive, electors[2].Status().State, "the new watch delivers")
			})
		})
	}
}

// A Lease deleted while there was no watch is told by the list after it.
func TestSharedListTellsOfDeletion(t *testing.T) {
	inLab(t, func(l lab) {
		standbys := l.fleet("a")
		l.fleet("b").joinFew()
		electors, _ := standbys.joinFew()
		sleep(5 * second)
		heal := l.Link("a").Inject(apiserver.Fault{Verbs: []string{"list", "get"}, Status: 500})
		l.Link("a").EndWatches()
		sleep(100 * time.Millisecond)
		l.Link("b").Cut()
		l.DeleteLease("shop", "lease-3")
		sleep(second)
		require.NotEmpty(l, electors[3].Status().Holder.Identity)
		heal()
		sleep(second)
		require.Empty(l, electors[3].Status().Holder.Identity)
		require.True(l, lease.NewRecord(l.Lease("shop", "lease-3")).Vacant(), "made anew by the standby")
		l.Link("b").Heal()
	})
}

// The watch dies without a word: the standbys find out, and it is replaced once.
func TestSharedWatchDiesSilently(t *testing.T) {
	inLab(t, func(l lab) {
		holders, standbys := l.fleet("b"), l.fleet("a")
		_, runs := holders.joinFew()
		electors, _ := standbys.joinFew()
		sleep(5 * second)
		l.ForgetRequests()
		l.Link("a").BlackHole()
		sleep(3 * second) // a renewal is lost, and with it the stream
		l.Link("a").Heal()
		sleep(10 * second)
		require.Equal(l, 1, standbys.watches(), "replaced once, not by each")
		all(l, electors, singleton.StateStandby)
		runs[4].stop()
		synctest.Wait()
		require.Equal(l, singleton.StateActive, electors[4].Status().State, "handover is immediate again")
	})
}

// The active ones find a dead watch by their own renewals.
func TestSharedWatchOfTheActiveDiesSilently(t *testing.T) {
	inLab(t, func(l lab) {
		f := l.fleet("a")
		electors, _ := f.joinFew()
		sleep(5 * second)
		l.Link("a").BlackHole()
		require.NoError(l, l.EditLease("shop", "lease-0", func(x *coordv1.Lease) { x.Labels = map[string]string{"team": "x"} }))
		sleep(3 * second) // that event is lost, and with it the stream
		l.Link("a").Heal()
		l.ForgetRequests()
		sleep(10 * second)
		require.Equal(l, 1, f.watches())
		other := "x"
		require.NoError(l, l.EditLease("shop", "lease-2", func(x *coordv1.Lease) { x.Spec.HolderIdentity = &other }))
		synctest.Wait()
		require.Equal(l, singleton.StateStandby, electors[2].Status().State, "told at once")
		all(l, electors[3:], singleton.StateActive)
	})
}

// Without the right to watch all Leases each elector watches its own, which is
// said once; and the shared watch is used as soon as it may be.
func TestSharedWatchForbidden(t *testing.T) {
	whole.Only(t)
	t.Parallel()
	for _, verb := range []string{"watch", "list"}[:whole.Share(2, 1)] {
		t.Run(verb, func(t *testing.T) {
			inLab(t, func(l lab) {
				holders, standbys := l.fleet("b"), l.fleetOver("a", "all")
				_, runs := holders.joinFew()
				allow := l.Link("all").Inject(apiserver.Fault{Verbs: []string{verb}, Status: 403})
				electors, _ := standbys.joinFew()
				sleep(5 * second)
				require.Equal(l, 1, standbys.log.count("not allowed to list and watch all"))
				require.Equal(l, few, standbys.watches(), "of one Lease each")
				runs[0].stop()
				synctest.Wait()
				require.Equal(l, singleton.StateActive, electors[0].Status().State)
				allow()
				sleep(11 * time.Minute) // it is tried again after 5 to 10
				l.ForgetRequests()
				sleep(11 * time.Minute)
				require.Zero(l, standbys.watches(), "of one Lease")
				require.NotZero(l, l.CountRequests("all", "watch"))
				runs[1].stop()
				synctest.Wait()
				require.Equal(l, singleton.StateActive, electors[1].Status().State)
			})
		})
	}
}

// Whoever stops takes nothing from the others; the last one ends the watch, and
// another may begin.
func TestSharedWatchEndsWithItsLastElector(t *testing.T) {
	inLab(t, func(l lab) {
		f := l.fleet("a")
		before := runtime.NumGoroutine()
		for range 3 {
			l.ForgetRequests()
			electors, runs := f.joinFew()
			all(l, electors, singleton.StateActive)
			for i, r := range runs {
				require.Equal(l, 1, f.watches())
				r.stop()
				require.NoError(l, r.wait(l))
				sleep(5 * second)
				all(l, electors[i+1:], singleton.StateActive)
			}
			synctest.Wait()
			require.InDelta(l, before, runtime.NumGoroutine(), few-1, "the bubble would not end with any of ours")
		}
	})
}

// Two electors of one process on one Lease both hear of it.
func TestSharedWatchTwiceOnOneLease(t *testing.T) {
	inLab(t, func(l lab) {
		f := l.fleet("a")
		_, r := f.join("invoicer")
		second, _ := f.join("invoicer")
		r.stop()
		sleep(100 * time.Millisecond) // it may have lost a race to the other before, and waits a little
		require.Equal(l, singleton.StateActive, second.Status().State)
	})
}

func TestSharedWatchOfAnotherNamespaceIsRefused(t *testing.T) {
	inLab(t, func(l lab) {
		for shared, says := range map[*singleton.SharedWatch]string{
			singleton.NewSharedWatch(l.Client("a"), "office", nil):          `SharedWatch "office" must be for the Lease's namespace "shop"`,
			singleton.NewSharedWatch(l.Client("a"), "", nil):                `SharedWatch "" must be for the Lease's namespace "shop"`,
			singleton.NewSharedWatch((*singleton.Client)(nil), "shop", nil): `SharedWatch "shop" must be made by NewSharedWatch, with a client`,
			{}: `SharedWatch "" must be made by NewSharedWatch, with a client`,
		} {
			_, err := singleton.New(l.Client("a"), singleton.Config{Name: "invoicer", Namespace: "shop", Replica: singleton.ReplicaConfig{SharedWatch: shared}})
			require.ErrorContains(l, err, says)
		}
	})
}
