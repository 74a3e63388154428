package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	coordclient "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

// hand is a candidate's client in the hands of a test.
type hand struct {
	*testing.T
	*world
	process *process
	leases  coordclient.LeaseInterface
}

// byHand plays a plan in which the first node does what a test says. The others
// do nothing.
func byHand(t *testing.T, p Plan, do func(*hand)) {
	synctest.Test(t, func(t *testing.T) {
		p.Timing, p.Length = lease.Timing{}.WithDefaults(), planLength
		w, err := newWorld(p)
		require.NoError(t, err)
		defer w.store.close()
		for i, n := range p.Nodes {
			w.nodes = append(w.nodes, &node{Node: n, index: i, wall: newWall(p, i, w.began)})
		}
		w.schedule()
		me := newProcess(w, w.nodes[0], 1, "a")
		me.elector, err = singleton.New(client{}, singleton.Config{Name: leaseName, Namespace: namespace, Replica: singleton.ReplicaConfig{Identity: "a"}})
		require.NoError(t, err)
		api, err := me.client()
		require.NoError(t, err)
		w.live, w.closing = 1, true
		var driver sync.WaitGroup
		driver.Go(func() { w.drive(w.began.Add(p.Length)) })
		func() {
			defer func() {
				w.mu.Lock()
				w.live--
				w.mu.Unlock()
				w.rouse()
				driver.Wait()
			}()
			do(&hand{T: t, world: w, process: me, leases: api.Leases(namespace)})
		}()
		require.True(t, w.idle())
		require.Empty(t, w.check.found)
	})
}

// within is the context of a request.
func (h *hand) within() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 9*time.Second)
	h.Cleanup(cancel)
	return ctx
}

func (h *hand) patch(steps ...step) (*coordv1.Lease, error) {
	data, err := json.Marshal(steps)
	if err != nil {
		return nil, err
	}
	return h.leases.Patch(h.within(), leaseName, types.JSONPatchType, data, metav1.PatchOptions{})
}

func (h *hand) get() *coordv1.Lease {
	l, err := h.leases.Get(h.within(), leaseName, metav1.GetOptions{})
	require.NoError(h, err)
	return l
}

// acquire takes the Lease as it was seen.
func (h *hand) acquire(seen *coordv1.Lease, term string) (*coordv1.Lease, error) {
	now := metav1.NowMicro()
	spec := coordv1.LeaseSpec{HolderIdentity: new(h.process.elector.Identity()), RenewTime: &now, AcquireTime: &now, LeaseDurationSeconds: new(h.duration())}
	steps := []step{{"test", "/metadata/uid", seen.UID}, {"test", "/metadata/resourceVersion", seen.ResourceVersion}, {"test", "/spec", seen.Spec}}
	if len(seen.Annotations) > 0 {
		steps = append(steps, step{"test", "/metadata/annotations", seen.Annotations})
	}
	return h.patch(append(steps, step{"add", "/spec", spec}, step{"add", "/metadata/annotations", map[string]string{
		lease.AnnotationTerm: term, lease.AnnotationEpoch: fmt.Sprint(1 + int64(h.now())), lease.AnnotationHolder: h.process.elector.Identity(),
	}})...)
}

// renew the term, with a time that moves.
func (h *hand) renew(seen *coordv1.Lease, term string) (*coordv1.Lease, error) {
	at := metav1.NowMicro()
	if least := seen.Spec.RenewTime.Add(time.Microsecond); least.After(at.Time) {
		at = metav1.NewMicroTime(least)
	}
	return h.renewAt(at, seen, term)
}

func (h *hand) renewAt(at metav1.MicroTime, seen *coordv1.Lease, term string) (*coordv1.Lease, error) {
	return h.patch(step{"test", "/metadata/uid", seen.UID}, step{"test", termPath, term}, step{"test", "/spec/holderIdentity", h.process.elector.Identity()},
		step{"add", "/spec/renewTime", at}, step{"add", "/spec/leaseDurationSeconds", h.duration()})
}

const termPath = "/metadata/annotations/hotseat-go.github.io~1fencing-term"

// duration is the lease duration as the node's clock has it.
func (h *hand) duration() int32 {
	return int32(h.plan.timing(h.process.node.Node).LeaseDuration / time.Second)
}

// machines are the clients there are, and nodes with clocks of all kinds.
func machines() map[string]Plan {
	return map[string]Plan{
		"straight":      {Nodes: []Node{{}}},
		"through REST":  {Nodes: []Node{{}}, REST: true},
		"another clock": {Nodes: []Node{{Fast: true, Skew: 3 * time.Hour}}, FastLease: 14 * time.Second},
		"another clock, REST": {
			Nodes: []Node{{Fast: true, Skew: -3 * time.Hour}}, FastLease: 14 * time.Second, REST: true,
		},
		"a stopped clock": {Nodes: []Node{{Skew: time.Hour}}, Faults: []Fault{{Kind: StoppedClock, At: time.Second, For: time.Minute}}},
	}
}

func TestTheProtocolsRequests(t *testing.T) {
	for name, p := range machines() {
		t.Run(name, func(t *testing.T) {
			byHand(t, p, func(h *hand) {
				time.Sleep(2 * time.Second)
				shipped := h.get()
				held, err := h.acquire(shipped, "t")
				require.NoError(h, err)
				_, err = h.acquire(shipped, "u")
				require.True(h, apierrors.IsInvalid(err), "%v: no longer what was seen", err)

				stored, err := h.store.get()
				require.NoError(h, err)
				require.EqualValues(h, 15, *stored.Spec.LeaseDurationSeconds, "as a clock of rate 1 has it")
				require.Equal(h, h.duration(), *held.Spec.LeaseDurationSeconds)

				time.Sleep(2 * time.Second)
				renewed, err := h.renew(held, "t")
				require.NoError(h, err)
				require.NotEqual(h, held.ResourceVersion, renewed.ResourceVersion)
				_, err = h.renew(held, "u")
				require.True(h, apierrors.IsInvalid(err), "%v: another term", err)

				past, err := h.leases.List(h.within(), metav1.ListOptions{
					FieldSelector: "metadata.name=" + leaseName, ResourceVersion: shipped.ResourceVersion, ResourceVersionMatch: metav1.ResourceVersionMatchExact,
				})
				require.NoError(h, err)
				require.Equal(h, shipped.ResourceVersion, past.ResourceVersion)
				require.Nil(h, past.Items[0].Spec.HolderIdentity)
				require.Equal(h, renewed.ResourceVersion, h.process.latest, "the past is not what was shown last")

				time.Sleep(time.Millisecond)
				again, err := h.acquire(renewed, "v") // tests the spec and the annotations as they were shown
				require.NoError(h, err)
				require.Equal(h, "v", again.Annotations[lease.AnnotationTerm])

				h.store.compact()
				_, err = h.leases.List(h.within(), metav1.ListOptions{
					FieldSelector: "metadata.name=" + leaseName, ResourceVersion: shipped.ResourceVersion, ResourceVersionMatch: metav1.ResourceVersionMatchExact,
				})
				require.True(h, apierrors.IsResourceExpired(err), "%v", err)
				h.store.remove()
				_, err = h.renew(held, "t")
				require.True(h, apierrors.IsNotFound(err), "%v", err)
			})
		})
	}
}

// TestAPatchOfNothing writes nothing, as on the real server.
func TestAPatchOfNothing(t *testing.T) {
	for name, p := range machines() {
		t.Run(name, func(t *testing.T) {
			byHand(t, p, func(h *hand) {
				held, err := h.acquire(h.get(), "t")
				require.NoError(h, err)
				same, err := h.patch(step{"add", "/spec/renewTime", held.Spec.RenewTime})
				require.NoError(h, err)
				require.Equal(h, held.ResourceVersion, same.ResourceVersion)
			})
		})
	}
}

// TestWhatIsNotThere is tested for by null, in any units.
func TestWhatIsNotThere(t *testing.T) {
	for name, p := range machines() {
		t.Run(name, func(t *testing.T) {
			byHand(t, p, func(h *hand) {
				_, err := h.acquire(h.get(), "t")
				require.NoError(h, err)
				_, err = h.patch(step{"test", releasedPath, nil}, step{"test", "/spec/preferredHolder", nil})
				require.NoError(h, err)
				for _, path := range []string{releasedPath, "/spec/renewTime", "/spec/acquireTime", "/spec/leaseDurationSeconds"} {
					_, err = h.patch(step{"remove", path, nil}, step{"test", path, nil})
					require.Equal(h, path == releasedPath, err != nil, "%s: %v", path, err)
				}
			})
		})
	}
}

// TestRenewalsOverlap: a slow server has several at once, and the term counts from
// the one that was sent last among those answered.
func TestRenewalsOverlap(t *testing.T) {
	for _, rest := range []bool{false, true} {
		p := Plan{Nodes: []Node{{}}, REST: rest, Faults: []Fault{{Kind: SlowWrites, Node: -1, At: time.Second, For: time.Minute, N: -6000}}}
		byHand(t, p, func(h *hand) {
			held, err := h.acquire(h.get(), "t")
			require.NoError(h, err)
			time.Sleep(2 * time.Second)
			var renewals sync.WaitGroup
			for range 10 {
				renewals.Go(func() {
					_, err := h.renew(held, "t")
					assert.NoError(h, err)
				})
				time.Sleep(time.Second)
			}
			last := h.now() - time.Second
			renewals.Wait()
			require.Equal(h, last, h.process.acknowledged["t"].Sub(h.began))
			require.Equal(h, 10, h.struck[SlowWrites])
			require.Less(h, h.now(), last+6*time.Second)
		})
	}
}

// TestReleaseMarks are translated like the time they repeat.
func TestReleaseMarks(t *testing.T) {
	byHand(t, Plan{Nodes: []Node{{Skew: time.Hour}}}, func(h *hand) {
		held, err := h.acquire(h.get(), "t")
		require.NoError(h, err)
		at := metav1.NowMicro()
		mark, wire := at.UTC().Format(metav1.RFC3339Micro), at.Add(time.Hour).UTC().Format(metav1.RFC3339Micro)
		for ours, theirs := range map[string]string{mark: wire, mark + " after 17": wire + " after 17", "soon": "soon"} {
			held.Annotations[lease.AnnotationReleased] = ours
			for _, s := range []step{
				{"add", "/metadata/annotations", held.Annotations},
				{"add", releasedPath, ours},
			} {
				shown, err := h.patch(s)
				require.NoError(h, err)
				require.Equal(h, ours, shown.Annotations[lease.AnnotationReleased])
				stored, err := h.store.get()
				require.NoError(h, err)
				require.Equal(h, theirs, stored.Annotations[lease.AnnotationReleased])
			}
		}
	})
}

// TestAStoppedClock: what client-go's elector reads from its clock stands still, or
// runs back, on the Lease. hotseat asks the clock itself, and what it writes stays.
func TestAStoppedClock(t *testing.T) {
	for n, want := range map[int64]time.Duration{0: 0, 1: -2 * time.Second} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			for _, elector := range []Elector{Hotseat, ClientGo} {
				p := Plan{Nodes: []Node{{Elector: elector, Skew: time.Hour}}, Faults: []Fault{{Kind: StoppedClock, At: time.Second, For: time.Minute, N: n}}}
				byHand(t, p, func(h *hand) {
					clock := time.Now
					if elector == Hotseat {
						clock = func() time.Time { return h.process.node.wall.read(time.Now()) }
					}
					time.Sleep(2 * time.Second)
					held, err := h.acquire(h.get(), "t")
					require.NoError(h, err)
					var at []time.Time
					for range 2 {
						_, err = h.renewAt(metav1.NewMicroTime(clock()), held, "t")
						require.NoError(h, err)
						stored, _ := h.store.get()
						at = append(at, stored.Spec.RenewTime.Time)
						time.Sleep(2 * time.Second)
					}
					require.Equal(h, want, at[1].Sub(at[0]))

					time.Sleep(time.Minute) // it goes again
					_, err = h.renewAt(metav1.NewMicroTime(clock()), held, "t")
					require.NoError(h, err)
					now, _ := h.store.get()
					require.Equal(h, time.Hour, time.Until(now.Spec.RenewTime.Time))
				})
			}
		})
	}
}
