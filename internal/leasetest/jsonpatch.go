package leasetest

import (
	"encoding/json"
	"sync"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// op is one operation of a JSON patch.
type op struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

func (s *suite) ops(name string, ops ...op) (*coordv1.Lease, error) {
	s.Helper()
	patch, err := json.Marshal(ops)
	if err != nil {
		return nil, err
	}
	return s.patch(name, types.JSONPatchType, string(patch))
}

// holds requires that the tests pass, by a patch that then changes nothing.
func (s *suite) holds(lease *coordv1.Lease, tests ...op) {
	s.Helper()
	got, err := s.ops(lease.Name, tests...)
	require.NoError(s, err, "%v", tests)
	require.Equal(s, lease, got, "%v", tests)
}

// fails requires that each of the tests fails alone, and keeps a write back.
func (s *suite) fails(lease *coordv1.Lease, tests ...op) {
	s.Helper()
	for _, test := range tests {
		_, err := s.ops(lease.Name, test, op{"add", "/spec/holderIdentity", "x"})
		status := s.refused(err, 422, metav1.StatusReasonInvalid)
		require.Empty(s, status.Details.Causes, "what tells it from a value that is not allowed")
	}
	require.Equal(s, lease, s.get(lease.Name))
}

// theTests are those that a writer makes who wants to meet just this record.
func theTests(lease *coordv1.Lease) []op {
	return []op{
		{"test", "/metadata/uid", lease.UID},
		{"test", "/metadata/resourceVersion", lease.ResourceVersion},
		{"test", "/metadata/annotations", lease.Annotations},
		{"test", "/spec", lease.Spec},
	}
}

func jsonPatchTests(s *suite) {
	lease := s.lease()
	odd := `<a>&"b\c"/ü ~` + "\u2028"
	lease.Spec.HolderIdentity, lease.Annotations["example.com/odd"] = &odd, odd
	lease, err := s.leases.Create(s.ctx, lease, metav1.CreateOptions{})
	require.NoError(s, err)
	s.holds(lease, theTests(lease)...)
	s.holds(lease,
		op{"test", "/metadata/annotations/example.com~1epoch", "7"}, op{"test", "/metadata/annotations/example.com~1odd", odd},
		op{"test", "/spec/holderIdentity", odd}, op{"test", "/spec/leaseDurationSeconds", 15},
		op{"test", "/spec/renewTime", lease.Spec.RenewTime}, op{"test", "/spec/renewTime", "2031-01-02T03:04:06.000001Z"},
		op{"test", "/spec/strategy", nil}, op{"test", "/metadata/labels", nil})
	other := held(lease, "b").Spec
	less := lease.DeepCopy().Spec
	less.AcquireTime = nil
	s.fails(lease,
		op{"test", "/metadata/uid", "other"}, op{"test", "/metadata/uid", ""}, op{"test", "/metadata/uid", nil},
		op{"test", "/metadata/resourceVersion", s.moved(lease.ResourceVersion, -1)},
		op{"test", "/metadata/annotations", map[string]string{"example.com/epoch": "7"}}, op{"test", "/metadata/annotations", nil},
		op{"test", "/spec", other}, op{"test", "/spec", less}, op{"test", "/spec", struct{}{}}, op{"test", "/spec", nil},
		op{"test", "/spec/renewTime", "2031-01-02T03:04:06Z"}, op{"test", "/spec/renewTime", nil},
		op{"test", "/spec/leaseDurationSeconds", "15"}, op{"test", "/spec/strategy", ""}, op{"test", "/nothing/below", "a"})
}

// jsonPatchTestsAbsent: null stands for what is not there, but for nothing
// below what is not there.
func jsonPatchTestsAbsent(s *suite) {
	lease, err := s.leases.Create(s.ctx, &coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: s.name()}}, metav1.CreateOptions{})
	require.NoError(s, err)
	s.holds(lease,
		op{"test", "/metadata/annotations", nil}, op{"test", "/spec", struct{}{}}, op{"test", "/spec", lease.Spec},
		op{"test", "/spec/holderIdentity", nil})
	s.fails(lease,
		op{"test", "/metadata/annotations", struct{}{}}, op{"test", "/metadata/annotations/a", nil},
		op{"test", "/spec", nil}, op{"test", "/spec/holderIdentity", ""})
	for _, test := range []op{
		{"add", "/metadata/annotations/a", "b"}, {"remove", "/metadata/annotations", nil}, {"remove", "/spec/renewTime", nil},
	} {
		_, err := s.ops(lease.Name, test)
		s.refused(err, 422, metav1.StatusReasonInvalid)
	}
	require.Equal(s, lease, s.get(lease.Name))

	got, err := s.ops(lease.Name, op{"add", "/metadata/annotations", map[string]string{"a": "b"}}, op{"add", "/spec/holderIdentity", ""})
	require.NoError(s, err)
	require.Equal(s, map[string]string{"a": "b"}, got.Annotations)
	require.Empty(s, *got.Spec.HolderIdentity, "empty is not absent")
	s.holds(got, append(theTests(got), op{"test", "/spec/holderIdentity", ""})...)
}

// jsonPatchWrites: one that changes hands, then one that renews.
func jsonPatchWrites(s *suite) {
	old := s.created()
	w := s.watch(from(old.Name, old.ResourceVersion))
	spec := held(old, "x").Spec
	spec.AcquireTime = nil
	taken, err := s.ops(old.Name, append(theTests(old),
		op{"add", "/spec", spec}, op{"add", "/metadata/annotations", map[string]string{"example.com/epoch": "8"}})...)
	require.NoError(s, err)
	s.newer(taken.ResourceVersion, old.ResourceVersion)
	require.Equal(s, spec, taken.Spec, "what /spec had before is gone")
	require.Equal(s, map[string]string{"example.com/epoch": "8"}, taken.Annotations)
	require.Equal(s, old.UID, taken.UID)

	renewal := []op{
		{"test", "/metadata/uid", old.UID}, {"test", "/metadata/annotations/example.com~1epoch", "8"}, {"test", "/spec/holderIdentity", "x"},
		{"add", "/spec/renewTime", "2031-01-02T03:04:07.000002Z"}, {"add", "/spec/leaseDurationSeconds", 20},
	}
	_, err = s.patch(old.Name, types.MergePatchType, `{"metadata":{"labels":{"a":"b"}}}`)
	require.NoError(s, err)
	renewed, err := s.ops(old.Name, renewal...)
	require.NoError(s, err, "it names no version")
	require.EqualValues(s, 20, *renewed.Spec.LeaseDurationSeconds)
	require.Equal(s, "b", renewed.Labels["a"])
	require.Equal(s, renewed, s.get(old.Name))
	last := s.update(held(renewed, "another"))
	_, err = s.ops(old.Name, renewal...)
	s.refused(err, 422, metav1.StatusReasonInvalid)
	require.Equal(s, last, s.get(old.Name), "the term is over")

	for _, version := range []string{taken.ResourceVersion, "", renewed.ResourceVersion, last.ResourceVersion} {
		if e := s.next(w); version != "" {
			require.Equal(s, version, e.Object.(*coordv1.Lease).ResourceVersion)
		}
	}
}

// jsonPatchWithoutChange: neither it nor a PUT like it is a write. The next
// event is that of the next real one.
func jsonPatchWithoutChange(s *suite) {
	old := s.created()
	w := s.watch(from(old.Name, old.ResourceVersion))
	got, err := s.ops(old.Name, append(theTests(old), op{"add", "/spec", old.Spec}, op{"add", "/metadata/annotations", old.Annotations})...)
	require.NoError(s, err)
	require.Equal(s, old, got)
	require.Equal(s, old, s.update(old.DeepCopy()))
	require.Equal(s, old, s.get(old.Name))
	now := s.update(held(old, "b"))
	require.Equal(s, now, s.next(w).Object)
}

func jsonPatchMissing(s *suite) {
	old := s.created()
	require.NoError(s, s.leases.Delete(s.ctx, old.Name, metav1.DeleteOptions{}))
	_, err := s.ops(old.Name, append(theTests(old), op{"add", "/spec", old.Spec})...)
	s.refused(err, 404, metav1.StatusReasonNotFound, `leases.coordination.k8s.io "`+old.Name+`" not found`)
	again := s.lease()
	again.Name = old.Name
	again, err = s.leases.Create(s.ctx, again, metav1.CreateOptions{})
	require.NoError(s, err)
	s.fails(again, op{"test", "/metadata/uid", old.UID})
}

func jsonPatchInvalid(s *suite) {
	old := s.created()
	_, err := s.ops(old.Name, op{"add", "/spec/leaseDurationSeconds", 0})
	s.invalid(err, "duration", "spec.leaseDurationSeconds")
	for path, value := range map[string]string{
		"/spec/leaseDurationSeconds": "long",
		"/spec/renewTime":            "2031-01-02T03:04:06.000001999Z", // finer than the format
		"/kind":                      "Pod",
	} {
		_, err = s.ops(old.Name, op{"add", path, value})
		s.refused(err, 422, metav1.StatusReasonInvalid)
	}
	_, err = s.patch(old.Name, types.JSONPatchType, `{"op":"test"}`)
	s.refused(err, 400, metav1.StatusReasonBadRequest)
	_, err = s.ops(old.Name, op{"add", "/spec/holderIdentity", "x"}, op{"test", "/spec/holderIdentity", "holder"})
	s.refused(err, 422, metav1.StatusReasonInvalid)
	require.Equal(s, old, s.get(old.Name), "all of it or nothing")
}

// jsonPatchesMeet: of those that name the version one wins; of those that do
// not each one's change is kept.
func jsonPatchesMeet(s *suite) {
	old := s.created()
	const writers = 12
	var wg sync.WaitGroup
	both := func(patch func(who string) []op) (won []string) {
		errs := make([]error, writers)
		for i := range writers {
			wg.Go(func() { _, errs[i] = s.ops(old.Name, patch(string(rune('a'+i)))...) })
		}
		wg.Wait()
		for i, err := range errs {
			if err == nil {
				won = append(won, string(rune('a'+i)))
				continue
			}
			s.refused(err, 422, metav1.StatusReasonInvalid)
		}
		return won
	}
	won := both(func(who string) []op { return append(theTests(old), op{"add", "/spec/holderIdentity", who}) })
	require.Len(s, won, 1)
	require.Equal(s, won[0], *s.get(old.Name).Spec.HolderIdentity)

	won = both(func(who string) []op {
		return []op{{"test", "/metadata/uid", old.UID}, {"add", "/metadata/annotations/" + who, who}}
	})
	annotations := s.get(old.Name).Annotations
	for _, who := range won {
		require.Equal(s, who, annotations[who])
	}
	require.Len(s, annotations, 1+len(won))
	require.NotEmpty(s, won)
}
