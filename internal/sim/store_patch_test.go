package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
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
	got, gotErr := p.store.patch(leaseName, ours)
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
	version := fmt.Sprint(max(0, p.store.revision+2-rng.Int64N(8)))
	got, gotErr := p.store.at(leaseName, version)
	want, wantErr := p.leases.List(context.Background(), metav1.ListOptions{
		FieldSelector: "metadata.name=" + leaseName, ResourceVersion: version, ResourceVersionMatch: metav1.ResourceVersionMatchExact,
	})
	p.sameError(at+" exact "+version, gotErr, wantErr)
	if gotErr == nil {
		p.sameLists(at, got, want)
	}
}
