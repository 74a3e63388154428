package sim

import (
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/internal/protocol"
)

// servers are the two there are.
func servers() map[string]Plan {
	return map[string]Plan{"memory": {Nodes: []Node{{}}}, "REST": {Nodes: []Node{{}}, REST: true}}
}

// during plays a test while a fault lasts, on both servers.
func during(t *testing.T, f Fault, do func(*hand), more ...Fault) {
	for name, p := range servers() {
		t.Run(name, func(t *testing.T) {
			p.Faults = append([]Fault{f}, more...)
			byHand(t, p, do)
		})
	}
}

func (h *hand) list() *coordv1.LeaseList {
	l, err := h.leases.List(h.within(), metav1.ListOptions{FieldSelector: "metadata.name=" + leaseName})
	require.NoError(h, err)
	return l
}

// TestACacheThatIsAhead: a restore under a running API server. What a LIST and a
// WATCH show goes on from where it was when the store has passed it.
func TestACacheThatIsAhead(t *testing.T) {
	f := Fault{Kind: StaleCache, Node: -1, At: 10 * time.Second, For: time.Minute, N: 5500}
	during(t, f, func(h *hand) {
		held, err := h.acquire(h.get(), "t")
		require.NoError(h, err)
		for h.now() < 9*time.Second {
			time.Sleep(time.Second)
			held, err = h.renew(held, "t")
			require.NoError(h, err)
		}
		time.Sleep(2 * time.Second)
		behind := h.get()
		require.True(h, protocol.Newer(held.ResourceVersion, behind.ResourceVersion), "the store went back")
		require.Equal(h, held.ResourceVersion, h.list().Items[0].ResourceVersion, "the cache did not")
		require.Equal(h, held.ResourceVersion, h.list().ResourceVersion)
		require.Positive(h, h.struck[StaleCache])

		w, err := h.leases.Watch(h.within(), metav1.ListOptions{
			FieldSelector: "metadata.name=" + leaseName, ResourceVersion: held.ResourceVersion, TimeoutSeconds: new(int64(8)),
		})
		require.NoError(h, err)
		defer w.Stop()
		old, err := h.leases.Watch(h.within(), metav1.ListOptions{
			FieldSelector: "metadata.name=" + leaseName, ResourceVersion: behind.ResourceVersion, TimeoutSeconds: new(int64(8)),
		})
		require.NoError(h, err)
		defer old.Stop()
		require.Zero(h, h.struck[VersionTwice])
		wrote := behind
		for !protocol.Newer(wrote.ResourceVersion, held.ResourceVersion) {
			require.Equal(h, held.ResourceVersion, h.list().Items[0].ResourceVersion)
			require.Empty(h, w.ResultChan())
			wrote, err = h.renew(wrote, "t")
			require.NoError(h, err)
		}
		require.Positive(h, h.struck[VersionTwice])
		require.Equal(h, wrote.ResourceVersion, h.list().Items[0].ResourceVersion)
		require.Equal(h, wrote.ResourceVersion, (<-w.ResultChan()).Object.(*coordv1.Lease).ResourceVersion)
		var versions []string
		for len(versions) == 0 || versions[len(versions)-1] != wrote.ResourceVersion {
			versions = append(versions, (<-old.ResultChan()).Object.(*coordv1.Lease).ResourceVersion)
		}
		require.Len(h, versions, 6, "what the cache knows, then what came after: %v", versions)
	})
}

// TestTheCacheIsFilledAnew when API servers are restarted.
func TestTheCacheIsFilledAnew(t *testing.T) {
	f := Fault{Kind: StaleCache, Node: -1, At: 10 * time.Second, For: 10 * time.Second, N: 10_000}
	during(t, f, func(h *hand) {
		time.Sleep(time.Second)
		held, err := h.acquire(h.get(), "t")
		require.NoError(h, err)
		time.Sleep(10 * time.Second)
		require.Nil(h, h.get().Spec.HolderIdentity)
		require.Equal(h, held.ResourceVersion, h.list().Items[0].ResourceVersion)
		time.Sleep(10 * time.Second)
		require.Nil(h, h.list().Items[0].Spec.HolderIdentity)
	})
}

func TestSingleRefusals(t *testing.T) {
	f := Fault{Kind: RefuseOnce, Node: -1, At: time.Second, For: time.Minute, N: 403}
	during(t, f, func(h *hand) {
		time.Sleep(2 * time.Second)
		shipped := h.get()
		_, err := h.acquire(shipped, "t")
		require.True(h, apierrors.IsForbidden(err), "%v", err)
		_, err = h.acquire(shipped, "t")
		require.NoError(h, err)
		require.Equal(h, 1, h.struck[RefuseOnce.of(403)])
	})
}

func TestLies(t *testing.T) {
	for what, holder := range map[int64]string{lieEmpty: "", lieTaken: "somebody-else", lieCleared: ""} {
		f := Fault{Kind: Lie, Node: -1, At: time.Second, For: time.Minute, N: 1000 + what}
		during(t, f, func(h *hand) {
			time.Sleep(2 * time.Second)
			shipped := h.get()
			said, err := h.acquire(shipped, "t")
			require.NoError(h, err)
			if what == lieEmpty {
				require.Equal(h, metav1.ObjectMeta{}, said.ObjectMeta)
			} else {
				require.Equal(h, holder, *said.Spec.HolderIdentity)
			}
			require.Equal(h, shipped.ResourceVersion, h.get().ResourceVersion, "nothing was stored")
			require.Empty(h, h.process.acknowledged, "nor is anything acknowledged")
		})
	}
}

func TestEditsThatPutBack(t *testing.T) {
	var p Plan
	p.Nodes = []Node{{}}
	for i, kind := range []Kind{PutBack, PutBack, PutBack, Replace} {
		p.Faults = append(p.Faults, Fault{Kind: kind, Node: -1, At: time.Duration(10+i) * time.Second, N: []int64{1 + 2*2, 2 * 2, 2 * 1, 0}[i]})
	}
	byHand(t, p, func(h *hand) {
		held, err := h.acquire(h.get(), "t")
		require.NoError(h, err)
		first := held.Spec.RenewTime
		for range 4 {
			time.Sleep(time.Second)
			held, err = h.renew(held, "t")
			require.NoError(h, err)
		}
		time.Sleep(6*time.Second + 500*time.Millisecond)
		require.Equal(h, 2*time.Second, h.get().Spec.RenewTime.Sub(first.Time), "two renewals back")
		time.Sleep(time.Second)
		require.Nil(h, h.get().Spec.HolderIdentity, "before the last change of hands but one: as shipped")
		require.Empty(h, h.get().Annotations)
		time.Sleep(time.Second)
		require.NotNil(h, h.get().Spec.HolderIdentity, "after the change of hands that this edit was")
		time.Sleep(time.Second)
		require.Nil(h, h.get().Spec.HolderIdentity, "as the manifest says")
	})
}

func TestReshipped(t *testing.T) {
	f := Fault{Kind: Reship, Node: 0, At: time.Second, For: 3 * time.Second, N: 2}
	during(t, f, func(h *hand) {
		first := h.get()
		time.Sleep(1500 * time.Millisecond)
		_, err := h.acquire(first, "t")
		require.ErrorIs(h, err, syscall.ECONNRESET, "the link is cut")
		time.Sleep(time.Second)
		synctest.Wait() // the driver wrote it
		second, err := h.store.get()
		require.NoError(h, err)
		require.NotEqual(h, first.UID, second.UID)
		time.Sleep(2 * time.Second)
		require.NotEqual(h, second.UID, h.get().UID)
		require.Equal(h, 2, h.struck[Reship])
		require.Len(h, h.check.shipped, 2)
	})
}

// TestSlowServers: each request, or each write.
func TestSlowServers(t *testing.T) {
	for kind, reads := range map[Kind]time.Duration{SlowServer: 3 * time.Second, SlowWrites: 0} {
		during(t, Fault{Kind: kind, Node: -1, At: time.Second, For: time.Minute, N: 3000}, func(h *hand) {
			time.Sleep(2 * time.Second)
			began := h.now()
			seen := h.get()
			require.Equal(h, reads, h.now()-began)
			began = h.now()
			_, err := h.acquire(seen, "t")
			require.NoError(h, err)
			require.Equal(h, 3*time.Second, h.now()-began)
		})
	}
}

// TestSlowAdmission: what is written meanwhile has the server begin anew, and then test
// the patch.
func TestSlowAdmission(t *testing.T) {
	slow := Fault{Kind: SlowAdmission, Node: -1, At: time.Second, For: time.Minute, N: 2000}
	during(t, slow, func(h *hand) {
		time.Sleep(2 * time.Second)
		held, err := h.acquire(h.get(), "t")
		require.NoError(h, err)
		require.Equal(h, 4*time.Second, h.now())
		_, err = h.renew(held, "t")
		require.NoError(h, err)
		require.Equal(h, 8*time.Second, h.now(), "it was edited after 5 s")
		_, err = h.acquire(h.get(), "u")
		require.True(h, apierrors.IsInvalid(err), "%v", err)
		require.Equal(h, 12*time.Second, h.now(), "it was edited after 9 s")
		require.Equal(h, 5, h.struck[SlowAdmission])
	}, Fault{Kind: Label, Node: -1, At: 5 * time.Second}, Fault{Kind: Label, Node: -1, At: 9 * time.Second})
}
