package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// step of a JSON patch.
type step struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// patchOf is a renewal, a write that changes hands, or one of the two gone wrong,
// decided on what from shows.
func patchOf(rng *rand.Rand, from *coordv1.Lease) []step {
	uid := step{"test", "/metadata/uid", from.UID}
	if rng.IntN(2) == 0 {
		now := metav1.NewMicroTime(time.Now())
		out := []step{
			uid, {"test", "/spec/holderIdentity", from.Spec.HolderIdentity},
			{"add", "/spec/renewTime", []any{now, from.Spec.RenewTime}[rng.IntN(2)]}, // the second: of nothing
			{"add", "/spec/leaseDurationSeconds", rng.IntN(10)},                      // 0 is refused
		}
		if rng.IntN(4) == 0 { // a precondition of the body
			out = append(out, step{"replace", "/metadata/resourceVersion", from.ResourceVersion})
		}
		return out
	}
	next := from.DeepCopy()
	next.Spec.HolderIdentity = new(fmt.Sprint(rng.IntN(4)))
	next.Annotations = map[string]string{"a": fmt.Sprint(rng.IntN(2))}
	out := []step{uid, {"test", "/metadata/resourceVersion", from.ResourceVersion}, {"test", "/spec", from.Spec}}
	if len(from.Annotations) > 0 {
		out = append(out, step{"test", "/metadata/annotations", from.Annotations})
	}
	out = append(out, step{"add", "/spec", next.Spec}, step{"add", "/metadata/annotations", next.Annotations})
	switch rng.IntN(8) {
	case 1:
		out = append(out, step{"remove", "/metadata/resourceVersion", nil})
	case 2:
		out = append(out, step{"add", "/metadata/namespace", "elsewhere"})
	case 3:
		out = append(out, step{"add", "/spec/renewTime", "yesterday"})
	case 4:
		out = append(out, step{"forget", "/spec", nil})
	}
	return out
}

// samePatch patches both.
func (p *pair) samePatch(at string, seen []*coordv1.Lease, from *coordv1.Lease, steps []step) []*coordv1.Lease {
	ours, err := json.Marshal(steps)
	require.NoError(p.t, err, at)
	steps[0].Value = p.uids[from.UID]
	theirs, err := json.Marshal(steps)
	require.NoError(p.t, err, at)
	got, gotErr := p.store.patch(ours)
	want, wantErr := p.leases.Patch(context.Background(), leaseName, types.JSONPatchType, theirs, metav1.PatchOptions{})
	p.sameError(at+" "+string(ours), gotErr, wantErr)
	if gotErr != nil {
		return seen
	}
	p.sameLease(at, got, want)
	return append(seen, got)
}

// sameExact compares the list of the past.
func (p *pair) sameExact(at string, rng *rand.Rand) {
	version := fmt.Sprint(max(0, p.store.revision()+2-rng.Int64N(8)))
	got, gotErr := p.store.at(version)
	want, wantErr := p.leases.List(context.Background(), metav1.ListOptions{
		FieldSelector: "metadata.name=" + leaseName, ResourceVersion: version, ResourceVersionMatch: metav1.ResourceVersionMatchExact,
	})
	if gotErr == nil && apierrors.IsResourceExpired(wantErr) && p.restored {
		return // the server forgets what the backup had
	}
	p.sameError(at+" exact "+version, gotErr, wantErr)
	if gotErr == nil {
		p.sameLists(at, got, want)
	}
}

// TestQuickPatches: what is applied quickly is what the library makes of it.
func TestQuickPatches(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 6))
	quick := 0
	for range 20_000 {
		cur := &coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: leaseName, UID: "u", ResourceVersion: "7", Annotations: someAnnotations(rng)}}
		cur.Spec = someSpec(rng)
		var steps []step
		for range 1 + rng.IntN(4) {
			steps = append(steps, someStep(rng, cur))
		}
		data, err := json.Marshal(steps)
		require.NoError(t, err)
		got, ok := quickly(cur, data)
		if !ok {
			continue
		}
		quick++
		want, err := patched(cur, data)
		require.NoError(t, err, "%s on %+v", data, cur)
		require.True(t, equality.Semantic.DeepEqual(want, got), "%s on %+v: %+v, %+v", data, cur, got, want)
	}
	require.Greater(t, quick, 1500)
}

func someAnnotations(rng *rand.Rand) map[string]string {
	return []map[string]string{nil, {}, {"x.io/a": "b"}, {"x.io/a": "", "c": `d"<`}}[rng.IntN(4)]
}

func someSpec(rng *rand.Rand) (out coordv1.LeaseSpec) {
	if rng.IntN(2) == 0 {
		out.HolderIdentity = new([]string{"", "a", "a\nb", "ä"}[rng.IntN(4)])
	}
	if rng.IntN(2) == 0 {
		out.LeaseDurationSeconds = new(int32(rng.IntN(3)))
	}
	if rng.IntN(2) == 0 {
		out.RenewTime = new(metav1.NewMicroTime(time.Unix(rng.Int64N(2), 1000*rng.Int64N(2))))
	}
	return out
}

// someStep tests what is there, or not, or sets something.
func someStep(rng *rand.Rand, cur *coordv1.Lease) step {
	other := someSpec(rng)
	spec := []coordv1.LeaseSpec{cur.Spec, other}[rng.IntN(2)]
	out := []step{
		{"", "/metadata/uid", cur.UID}, {"", "/metadata/resourceVersion", "7"}, {"", "/spec/holderIdentity", spec.HolderIdentity},
		{"", "/spec/leaseDurationSeconds", spec.LeaseDurationSeconds}, {"", "/spec/renewTime", spec.RenewTime}, {"", "/spec/acquireTime", spec.RenewTime},
		{"", "/spec/leaseTransitions", spec.LeaseDurationSeconds}, {"", "/metadata/annotations/x.io~1a", []any{nil, "", "b", 3}[rng.IntN(4)]},
		{"", "/metadata/annotations/c", []any{nil, "d"}[rng.IntN(2)]}, {"", "/metadata/labels/a", "b"}, {"", "/spec", spec},
	}[rng.IntN(11)]
	out.Op = []string{"test", "test", "add", "replace", "remove"}[rng.IntN(5)]
	return out
}
