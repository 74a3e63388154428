package apistore

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func held(by string) *coordv1.Lease {
	return &coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "l"}, Spec: coordv1.LeaseSpec{HolderIdentity: &by}}
}

// told is how it came to be so: "revision:from>to".
func told(changes []Change[string, *coordv1.Lease]) (out []string) {
	name := func(l *coordv1.Lease) string {
		if l == nil {
			return ""
		}
		return *l.Spec.HolderIdentity
	}
	for _, c := range changes {
		out = append(out, fmt.Sprintf("%d:%s>%s", c.Revision, name(c.Old), name(c.New)))
	}
	return out
}

func since(t *testing.T, h *History[string, *coordv1.Lease], revision int64) []string {
	t.Helper()
	changes, err := h.Since(revision)
	require.NoError(t, err)
	return told(changes)
}

// at is who held the Lease at a revision; "gone" when there was none.
func at(t *testing.T, h *History[string, *coordv1.Lease], revision int64) string {
	t.Helper()
	then, err := h.At(revision)
	require.NoError(t, err)
	if then["l"] == nil {
		return "gone"
	}
	return *then["l"].Spec.HolderIdentity
}

// played: revision 2 is a's, 3 is b's, at 4 it is deleted, 5 is c's.
func played() *History[string, *coordv1.Lease] {
	h := New[string, *coordv1.Lease]()
	h.Commit("l", held("a"))
	h.Commit("l", held("b"))
	h.Commit("l", nil)
	h.Commit("l", held("c"))
	return h
}

func TestHistory(t *testing.T) {
	h := played()
	require.Equal(t, int64(5), h.Head())
	require.Equal(t, "5", h.Get("l").ResourceVersion)
	require.Nil(t, h.Get("other"))
	require.Equal(t, []string{"2:>a", "3:a>b", "4:b>", "5:>c"}, since(t, h, 1))
	require.Empty(t, since(t, h, 5))
	for revision, want := range []string{1: "gone", 2: "a", 3: "b", 4: "gone", 5: "c"} {
		if revision > 0 {
			require.Equal(t, want, at(t, h, int64(revision)))
		}
	}
	changes, err := h.Since(3)
	require.NoError(t, err)
	require.Equal(t, "4", changes[0].Gone().ResourceVersion)
	require.Equal(t, "3", changes[0].Old.ResourceVersion, "what is stored is never changed")
}

// TestCompact: nobody starts in the past, and those who watch go on.
func TestCompact(t *testing.T) {
	h := played()
	h.Compact()
	require.Equal(t, int64(5), h.Compacted())
	require.NoError(t, h.Startable(5))
	require.True(t, apierrors.IsResourceExpired(h.Startable(4)))
	_, err := h.At(4)
	require.True(t, apierrors.IsResourceExpired(err))
	require.Equal(t, "c", at(t, h, 5))
	require.Equal(t, []string{"4:b>", "5:>c"}, since(t, h, 3))
}

func TestRestore(t *testing.T) {
	h := played()
	backup := h.Clone()
	h.Commit("l", held("d"))
	for _, bump := range []bool{false, true} {
		r := backup.Restored(bump)
		require.Equal(t, "5", r.Get("l").ResourceVersion, "objects keep their versions")
		require.True(t, apierrors.IsResourceExpired(r.Startable(4)))
		_, err := r.Since(4)
		require.True(t, apierrors.IsResourceExpired(err))
		if !bump {
			require.Equal(t, int64(5), r.Head())
			require.Equal(t, "b", at(t, r, 3), "the backup's past")
		} else {
			require.Equal(t, int64(5+revisionBump), r.Head())
			_, err := r.At(r.Head() - 1)
			require.True(t, apierrors.IsResourceExpired(err))
		}
		head := r.Head()
		r.Commit("l", held("e"))
		require.Equal(t, []string{fmt.Sprintf("%d:c>e", head+1)}, since(t, r, head))
	}
	require.Equal(t, "c", *backup.Get("l").Spec.HolderIdentity, "a backup can be put back again")
	require.Equal(t, int64(5), backup.Head())
}

// TestFollow: a cache that has something else sees another change.
func TestFollow(t *testing.T) {
	h, cache := New[string, *coordv1.Lease](), played()
	for range 4 {
		h.Commit("other", held("x"))
	}
	cache.Follow(h.Commit("l", held("d")))
	require.Equal(t, []string{"6:c>d"}, since(t, cache, 5))
	cache.Follow(h.Commit("l", nil))
	cache.Follow(Change[string, *coordv1.Lease]{Revision: 8, Key: "l", Old: held("unseen")})
	require.Equal(t, []string{"7:d>"}, since(t, cache, 6), "what was never shown is not told to be gone")
	require.Equal(t, int64(8), cache.Head())
}

// TestTrim: the log does not grow for ever.
func TestTrim(t *testing.T) {
	h := New[string, *coordv1.Lease]()
	for range 2*maxLog + 1 {
		h.Commit("l", held("a"))
	}
	oldest := h.Compacted()
	require.Equal(t, int64(maxLog+1), oldest)
	for _, revision := range []int64{oldest - 1, oldest} {
		_, gone := h.Since(revision)
		_, forgotten := h.At(revision)
		for _, err := range []error{gone, forgotten, h.Startable(revision)} {
			require.Equal(t, revision < oldest, apierrors.IsResourceExpired(err), "%d: %v", revision, err)
		}
	}
	changes, err := h.Since(oldest)
	require.NoError(t, err)
	require.Len(t, changes, maxLog+1)
}

func TestConditions(t *testing.T) {
	res := coordv1.Resource("leases")
	cur := held("a")
	cur.UID, cur.ResourceVersion, cur.Namespace = "u", "7", "n"
	body := func(edit func(*coordv1.Lease)) *coordv1.Lease {
		l := cur.DeepCopy()
		edit(l)
		return l
	}
	none := (*coordv1.Lease)(nil)
	for name, c := range map[string]struct {
		err  error
		want metav1.StatusReason
	}{
		"the same":             {SameVersion(res, body(func(*coordv1.Lease) {}), cur, false), ""},
		"another version":      {SameVersion(res, body(func(l *coordv1.Lease) { l.ResourceVersion = "6" }), cur, true), metav1.StatusReasonConflict},
		"no version":           {SameVersion(res, body(func(l *coordv1.Lease) { l.ResourceVersion = "" }), cur, false), metav1.StatusReasonInvalid},
		"no version needed":    {SameVersion(res, body(func(l *coordv1.Lease) { l.ResourceVersion = "0" }), cur, true), ""},
		"the same UID":         {SameUID(res, cur, cur), ""},
		"no UID":               {SameUID(res, body(func(l *coordv1.Lease) { l.UID = "" }), cur), ""},
		"another UID":          {SameUID(res, body(func(l *coordv1.Lease) { l.UID = "v" }), cur), metav1.StatusReasonConflict},
		"UID of none":          {SameUID(res, cur, none), metav1.StatusReasonConflict},
		"its namespace":        {InNamespace(cur, "n"), ""},
		"another namespace":    {InNamespace(cur, "m"), metav1.StatusReasonBadRequest},
		"its name":             {Named(cur, "l"), ""},
		"another name":         {Named(cur, "m"), metav1.StatusReasonBadRequest},
		"create":               {Creatable(res, held("a"), none), ""},
		"create what is there": {Creatable(res, held("a"), cur), metav1.StatusReasonAlreadyExists},
		"future":               {TooLarge(8, 7, 1), metav1.StatusReasonTimeout},
	} {
		if c.want == "" {
			require.NoError(t, c.err, name)
		} else {
			require.Equal(t, c.want, apierrors.ReasonForError(c.err), "%s: %v", name, c.err)
		}
	}
	require.ErrorContains(t, Creatable(res, cur, none), "resourceVersion should not be set")
	require.Error(t, SameVersion(res, body(func(l *coordv1.Lease) { l.ResourceVersion = "x" }), cur, true))
	unnamed := held("a")
	require.NoError(t, InNamespace(unnamed, "n"))
	require.Equal(t, "n", unnamed.Namespace)
	require.ErrorContains(t, SameUID(res, body(func(l *coordv1.Lease) { l.UID = types.UID("v") }), cur), "Key: /registry/leases/n/l,")
}

func TestJSONPatch(t *testing.T) {
	const doc = `{"spec":{"a":1}}`
	out, err := JSONPatch([]byte(doc), []byte(`[{"op":"test","path":"/spec/a","value":1},{"op":"add","path":"/spec/b","value":2}]`))
	require.NoError(t, err)
	require.JSONEq(t, `{"spec":{"a":1,"b":2}}`, string(out))
	_, err = JSONPatch([]byte(doc), []byte(`[{"op":"add","path":"/spec/b","value":2},{"op":"test","path":"/spec/a","value":2}]`))
	var status apierrors.APIStatus
	require.ErrorAs(t, err, &status)
	require.EqualValues(t, http.StatusUnprocessableEntity, status.Status().Code)
	_, err = JSONPatch([]byte(doc), []byte(`{}`))
	require.True(t, apierrors.IsBadRequest(err))
}

func TestValidateSpec(t *testing.T) {
	broken := func(edit func(*coordv1.LeaseSpec)) (fields []string) {
		spec := coordv1.LeaseSpec{}
		edit(&spec)
		for _, e := range ValidateSpec(&spec, field.NewPath("spec")) {
			fields = append(fields, e.Field)
		}
		slices.Sort(fields)
		return fields
	}
	require.Empty(t, broken(func(*coordv1.LeaseSpec) {}))
	require.Equal(t, []string{"spec.leaseDurationSeconds", "spec.leaseTransitions"}, broken(func(s *coordv1.LeaseSpec) {
		s.LeaseDurationSeconds, s.LeaseTransitions = new(int32(0)), new(int32(-1))
	}))
	require.Equal(t, []string{"spec.preferredHolder"}, broken(func(s *coordv1.LeaseSpec) { s.PreferredHolder = new("a") }))
	require.Equal(t, []string{"spec.strategy.strategy"}, broken(func(s *coordv1.LeaseSpec) {
		s.Strategy = new(coordv1.CoordinatedLeaseStrategy("newest"))
	}))
	require.Empty(t, broken(func(s *coordv1.LeaseSpec) { s.Strategy = new(coordv1.OldestEmulationVersion) }))
}
