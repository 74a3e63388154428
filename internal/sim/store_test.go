package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	coordclient "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/whole"
)

// storeSeeds is how many sequences of 80 operations are compared.
const storeSeeds = 60

// pair is the store and the server it must answer like.
type pair struct {
	t      *testing.T
	store  *cached
	real   *apiserver.Cluster
	leases coordclient.LeaseInterface
	// restored: from then on the store remembers more.
	restored bool
	uids     map[types.UID]types.UID // the server's by the store's
}

// TestStoreAnswersLikeTheServer has both do the same random things, which
// apiserver answers as a real kube-apiserver does (internal/leasetest,
// internal/e2e). The double of the double must not be kinder either.
func TestStoreAnswersLikeTheServer(t *testing.T) {
	for seed := range whole.Share(storeSeeds, 10) {
		synctest.Test(t, func(t *testing.T) {
			c := apiserver.New(apiserver.Options{})
			defer c.Close()
			p := &pair{t: t, store: &cached{server: newMemory(func(change) {})}, real: c, leases: c.Client("x").Leases(namespace), uids: map[types.UID]types.UID{}}
			rng := rand.New(rand.NewPCG(seed, 5))
			var seen []*coordv1.Lease // as the store returned them
			var saved []func(how int)
			for i := range 80 {
				time.Sleep(time.Duration(rng.IntN(3)) * time.Millisecond)
				at := fmt.Sprintf("seed %d, step %d", seed, i)
				switch n := rng.IntN(26); {
				case n < 3:
					seen = p.same(at, seen, p.lease(rng, nil), "create")
				case n < 12 && len(seen) > 0:
					from := seen[len(seen)-1-rng.IntN(min(3, len(seen)))]
					seen = p.same(at, seen, p.lease(rng, from), "update")
				case n < 13 && len(seen) > 0:
					seen = p.same(at, seen, seen[len(seen)-1].DeepCopy(), "update") // of nothing
				case n < 15:
					c.DeleteLease(namespace, leaseName)
					p.store.remove()
				case n < 16:
					label := func(l *coordv1.Lease) { l.Labels = map[string]string{"at": fmt.Sprint(i)} }
					p.sameError(at, p.store.edit(label), c.EditLease(namespace, leaseName, label))
				case n < 17:
					b, s := p.store.backup(), c.Snapshot()
					saved = append(saved, func(how int) {
						if how == 0 {
							p.store.restoreBelow(b)
							c.RestoreUnderCache(s)
							return
						}
						p.store.restart()
						p.store.restore(b, how == 1)
						c.Restore(s, how == 1)
					})
				case n < 18 && len(saved) > 0:
					saved[rng.IntN(len(saved))](rng.IntN(3))
					p.restored = true
				case n >= 20 && len(seen) > 0:
					from := seen[len(seen)-1-rng.IntN(min(3, len(seen)))]
					seen = p.samePatch(at, seen, from, patchOf(rng, from))
				}
				p.sameList(at)
				p.sameExact(at, rng)
				p.sameHistory(at, rng)
			}
		})
	}
}

// lease is a body to write: valid or not, with and without preconditions.
func (p *pair) lease(rng *rand.Rand, from *coordv1.Lease) *coordv1.Lease {
	l := &coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: leaseName}}
	if from != nil {
		l = from.DeepCopy()
	}
	l.Spec.HolderIdentity = new(fmt.Sprint(rng.IntN(4)))
	l.Spec.RenewTime = new(metav1.NewMicroTime(time.Now()))
	switch rng.IntN(12) {
	case 0:
		l.ResourceVersion = ""
	case 1:
		l.UID = ""
	case 2:
		l.UID, l.ResourceVersion = "", ""
	case 3:
		l.ResourceVersion = "7"
	case 4:
		l.Spec.LeaseDurationSeconds = new(int32(rng.IntN(3) - 1))
	case 5:
		l.Spec.LeaseTransitions = new(int32(rng.IntN(3) - 1))
	case 6:
		l.Namespace = "elsewhere"
	case 7:
		l.Annotations = map[string]string{"a": fmt.Sprint(rng.IntN(2))}
	}
	return l
}

// same writes l to both.
func (p *pair) same(at string, seen []*coordv1.Lease, l *coordv1.Lease, verb string) []*coordv1.Lease {
	theirs := l.DeepCopy()
	if l.UID != "" {
		theirs.UID = p.uids[l.UID]
	}
	var got, want *coordv1.Lease
	var gotErr, wantErr error
	if verb == "create" {
		got, gotErr = p.store.create(l)
		want, wantErr = p.leases.Create(context.Background(), theirs, metav1.CreateOptions{})
	} else {
		got, gotErr = p.store.update(l)
		want, wantErr = p.leases.Update(context.Background(), theirs, metav1.UpdateOptions{})
	}
	p.sameError(at+" "+verb, gotErr, wantErr)
	if gotErr != nil {
		return seen
	}
	p.sameLease(at, got, want)
	return append(seen, got)
}

func (p *pair) sameError(at string, got, want error) {
	p.t.Helper()
	require.Equal(p.t, want == nil, got == nil, "%s: %v, server: %v", at, got, want)
	if want != nil && apierrors.ReasonForError(want) != metav1.StatusReasonUnknown { // a 500 is a 500
		require.Equal(p.t, apierrors.ReasonForError(want), apierrors.ReasonForError(got), "%s: %v, server: %v", at, got, want)
	}
}

func (p *pair) sameLease(at string, got, want *coordv1.Lease) {
	p.t.Helper()
	if got == nil || want == nil {
		require.Equal(p.t, want == nil, got == nil, at)
		return
	}
	p.uids[got.UID] = want.UID
	got = got.DeepCopy()
	got.UID, got.CreationTimestamp = want.UID, want.CreationTimestamp
	got.TypeMeta = want.TypeMeta
	text := func(l *coordv1.Lease) string { return fmt.Sprintf("%+v %+v", l.ObjectMeta, l.Spec.String()) }
	require.Equal(p.t, text(want), text(got), at)
}

func (p *pair) sameList(at string) {
	want, err := p.leases.List(context.Background(), metav1.ListOptions{FieldSelector: "metadata.name=" + leaseName})
	require.NoError(p.t, err)
	got, err := p.store.list()
	require.NoError(p.t, err)
	p.sameLists(at, got, want)
}

func (p *pair) sameLists(at string, got, want *coordv1.LeaseList) {
	require.Equal(p.t, want.ResourceVersion, got.ResourceVersion, at)
	require.Len(p.t, got.Items, len(want.Items), at)
	for i := range want.Items {
		p.sameLease(at, &got.Items[i], &want.Items[i])
	}
}

// sameHistory compares what a watch from some version would be told.
func (p *pair) sameHistory(at string, rng *rand.Rand) {
	from := max(1, p.store.head()-rng.Int64N(6))
	got, gotErr := p.store.since(from)
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	w, err := p.leases.Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + leaseName, ResourceVersion: fmt.Sprint(from)})
	require.NoError(p.t, err)
	defer w.Stop()
	synctest.Wait()
	for _, c := range got {
		want := <-w.ResultChan()
		e := c.event()
		require.Equal(p.t, want.Type, e.Type, at)
		p.sameLease(at, e.Object.(*coordv1.Lease), want.Object.(*coordv1.Lease))
	}
	if gotErr == nil {
		select {
		case more, ok := <-w.ResultChan():
			require.False(p.t, ok, "%s: only the server tells of %v", at, more)
		default:
		}
	} else {
		want := <-w.ResultChan()
		require.True(p.t, apierrors.IsResourceExpired(apierrors.FromObject(want.Object)), "%s: %v", at, want)
	}
}
