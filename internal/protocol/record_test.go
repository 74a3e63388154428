package protocol

import (
	"testing"
	"time"

	"github.com/hotseat-go/hotseat/lease"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const termA, termB = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

// at is a wall-clock time for records, n microseconds in.
func at(n int) *metav1.MicroTime {
	t := metav1.NewMicroTime(time.Date(2026, 1, 2, 3, 4, 5, n*1000, time.UTC))
	return &t
}

// sample is a Lease held by a client-go elector.
func sample(holder string) *coordv1.Lease {
	seconds, transitions := int32(15), int32(3)
	return &coordv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "invoicer", UID: "u1", ResourceVersion: "100"},
		Spec: coordv1.LeaseSpec{
			HolderIdentity: &holder, LeaseDurationSeconds: &seconds,
			AcquireTime: at(1), RenewTime: at(2), LeaseTransitions: &transitions,
		},
	}
}

// fenced is one held by hotseat.
func fenced(holder, term, epoch, version string, edits ...func(*coordv1.Lease)) Record {
	l := sample(holder)
	l.ResourceVersion = version
	l.Annotations = map[string]string{lease.AnnotationEpoch: epoch, lease.AnnotationTerm: term, lease.AnnotationHolder: holder}
	for _, edit := range edits {
		edit(l)
	}
	return NewRecord(l)
}

func TestRecordIsASnapshot(t *testing.T) {
	l := sample("a_1")
	r := NewRecord(l)
	*l.Spec.HolderIdentity, l.UID = "b_1", "u2"
	require.Equal(t, "a_1", r.Holder())
	r.Lease().UID = "u3"
	require.EqualValues(t, "u1", r.UID())
	require.Equal(t, "shop/invoicer", r.Scope())
	require.Equal(t, "100", r.ResourceVersion())
	require.Equal(t, 15*time.Second, r.Duration())
	require.EqualValues(t, 3, r.Transitions())
	require.True(t, r.AcquireTime().Equal(at(1).Time))
	require.True(t, r.RenewTime().Equal(at(2).Time))
}

func TestZeroRecord(t *testing.T) {
	for _, r := range []Record{{}, NewRecord(nil), NewRecord(&coordv1.Lease{})} {
		require.Empty(t, r.Holder())
		require.Zero(t, r.Duration())
		require.Zero(t, r.Transitions())
		require.True(t, r.AcquireTime().IsZero())
		require.True(t, r.RenewTime().IsZero())
		require.Empty(t, r.Term())
		epoch, err := r.Epoch()
		require.NoError(t, err)
		require.Zero(t, epoch)
		_, ok := r.Token()
		require.False(t, ok)
		require.False(t, r.Released())
	}
	var none Record
	require.False(t, none.Exists())
	require.Nil(t, none.Lease())
	require.Empty(t, none.Scope())
	require.Empty(t, none.UID())
	require.Empty(t, none.ResourceVersion())
	require.True(t, none.sameClaim(Record{}))
	require.False(t, none.sameClaim(NewRecord(sample("a"))))
}

func TestTokenIsTheHoldersOrNone(t *testing.T) {
	token, ok := fenced("a_1", termA, "42", "100").Token()
	require.True(t, ok)
	require.Equal(t, "shop/invoicer@42."+termA, token.String())

	for name, r := range map[string]Record{
		"client-go took it":     fenced("a_1", termA, "42", "100", func(l *coordv1.Lease) { other := "cg"; l.Spec.HolderIdentity = &other }),
		"released":              fenced("a_1", termA, "42", "100", func(l *coordv1.Lease) { nobody := ""; l.Spec.HolderIdentity = &nobody }),
		"epoch garbled":         fenced("a_1", termA, "forty-two", "100"),
		"epoch removed":         fenced("a_1", termA, "", "100"),
		"term garbled":          fenced("a_1", "xyz", "42", "100"),
		"holder says otherwise": fenced("a_1", termA, "42", "100", func(l *coordv1.Lease) { l.Annotations[lease.AnnotationHolder] = "b_1" }),
		"never fenced":          NewRecord(sample("cg")),
	} {
		t.Run(name, func(t *testing.T) {
			_, ok := r.Token()
			require.False(t, ok)
		})
	}
	_, err := fenced("a_1", termA, "007", "1").Epoch()
	require.ErrorContains(t, err, `annotation hotseat-go.github.io/fencing-epoch: "007" is not a decimal from 1 to 9223372036854775807`)
}

func TestReleasedIsProvenByItsMark(t *testing.T) {
	nobody := ""
	unhold := func(l *coordv1.Lease) { l.Spec.HolderIdentity = &nobody }
	mark := func(l *coordv1.Lease) {
		l.Annotations[lease.AnnotationReleased] = releaseMark(l.Spec.RenewTime.Time, "99")
	}
	require.True(t, fenced("a", termA, "1", "1", unhold, mark).Released())
	require.False(t, fenced("a", termA, "1", "1", unhold).Released(), "cleared by hand")
	require.False(t, fenced("a", termA, "1", "1", mark).Released(), "held")
	require.False(t, fenced("a", termA, "1", "1", unhold, mark, func(l *coordv1.Lease) { l.Spec.RenewTime = at(3) }).Released(), "written by somebody else since")
	require.False(t, fenced("a", termA, "1", "1", unhold, mark, func(l *coordv1.Lease) { l.Spec.RenewTime = nil }).Released())
	annotated := func(text string) func(*coordv1.Lease) {
		return func(l *coordv1.Lease) { l.Annotations[lease.AnnotationReleased] = text }
	}
	require.False(t, fenced("a", termA, "1", "1", unhold, annotated("2026-01-02T03:04:05.000002Z")).Released(), "without the version")
	require.False(t, fenced("a", termA, "1", "1", unhold, annotated("2026-01-02T03:04:05.000002Z after ")).Released())
	r := fenced("a", termA, "1", "1", unhold, annotated("2026-01-02T03:04:05.000002Z after 99"))
	version, released := r.ReleasedFrom()
	require.True(t, released)
	require.Equal(t, "99", version)
}

func TestReleasesNamesTheRecordItReplaced(t *testing.T) {
	before := fenced("a", termA, "5", "99")
	r := fenced("a", termA, "5", "120", released)
	require.True(t, fenced("a", termA, "5", "100", release("99")).releases(before))
	require.False(t, r.releases(before), "the mark names 119")
	r = fenced("a", termA, "5", "100", release("99"))
	require.False(t, r.releases(fenced("a", termB, "5", "99")), "another term")
	require.True(t, r.releases(fenced("a", "", "", "99")), "it stood without its annotations")
	require.False(t, r.releases(fenced("b", "", "", "99")), "another holder")
	require.False(t, r.releases(fenced("a", termA, "5", "98")), "another version")
	require.False(t, r.releases(fenced("", termA, "5", "99")), "not held")
	require.False(t, r.releases(fenced("a", termA, "5", "99", uid("u9"))), "another Lease")
	require.False(t, r.releases(Record{}))
	require.False(t, before.releases(before))
}

func TestNewer(t *testing.T) {
	require.True(t, Newer("100", "99"))
	require.True(t, Newer("340282366920938463463374607431768211455", "9"))
	for _, pair := range [][2]string{{"99", "100"}, {"7", "7"}, {"", "1"}, {"1", ""}, {"abc", "1"}, {"2", "01"}} {
		require.False(t, Newer(pair[0], pair[1]), "%v", pair)
	}
}
