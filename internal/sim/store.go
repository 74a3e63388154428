package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	coordv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/hotseat-go/hotseat/internal/apistore"
)

// history is what a memory server stores, and how it came to be so.
type history = apistore.History[string, *coordv1.Lease]

func changeOf(c apistore.Change[string, *coordv1.Lease]) change {
	return change{revision: c.Revision, old: c.Old, new: c.New}
}

// memory is the server of most runs: a store with the answers of kube-apiserver and
// without its HTTP. TestStoreAnswersLikeTheServer holds it against apiserver. One
// goroutine uses it; what it stores is never changed in place.
type memory struct {
	stored    *history
	uids      int
	committed func(change) // told of every change
}

func newMemory(committed func(change)) *memory {
	return &memory{stored: apistore.New[string, *coordv1.Lease](), committed: committed}
}

func leaseResource() schema.GroupResource { return coordv1.Resource("leases") }

func (m *memory) close()          {}
func (m *memory) revision() int64 { return m.stored.Head() }
func (m *memory) compact()        { m.stored.Compact() }
func (m *memory) backup() any     { return m.stored.Clone() }

func (m *memory) restore(backup any, bump bool) { m.stored = backup.(*history).Restored(bump) }

func (m *memory) get() (*coordv1.Lease, error) {
	if l := m.stored.Get(leaseName); l != nil {
		return l.DeepCopy(), nil
	}
	return nil, missing()
}

// list is the LIST by metadata.name.
func (m *memory) list() (*coordv1.LeaseList, error) {
	return listOf(m.stored.Get(leaseName), m.stored.Head()), nil
}

// at is the LIST by metadata.name of the past: the state at exactly a revision.
func (m *memory) at(version string) (*coordv1.LeaseList, error) {
	revision, err := apistore.ParseVersion(version)
	switch {
	case err != nil:
		return nil, apierrors.NewBadRequest(err.Error())
	case revision == 0:
		return nil, apierrors.NewInvalid(schema.GroupKind{Group: metav1.GroupName, Kind: "ListOptions"}, "", field.ErrorList{
			field.Forbidden(field.NewPath("resourceVersionMatch"), "Exact is forbidden for resourceVersion 0"),
		})
	case revision > m.stored.Head():
		return nil, apistore.TooLarge(revision, m.stored.Head(), 1)
	}
	then, err := m.stored.At(revision)
	if err != nil {
		return nil, err
	}
	return listOf(then[leaseName], revision), nil
}

func listOf(l *coordv1.Lease, revision int64) *coordv1.LeaseList {
	out := &coordv1.LeaseList{ListMeta: metav1.ListMeta{ResourceVersion: strconv.FormatInt(revision, 10)}}
	if l != nil {
		out.Items = []coordv1.Lease{*l.DeepCopy()}
	}
	return out
}

// since returns the changes after a revision; 410 when they are gone.
func (m *memory) since(revision int64) ([]change, error) {
	if err := m.stored.Startable(revision); err != nil {
		return nil, err
	}
	kept, err := m.stored.Since(revision)
	if err != nil {
		return nil, err
	}
	var out []change
	for _, c := range kept {
		out = append(out, changeOf(c))
	}
	return out, nil
}

func (m *memory) history() (log []change, compacted int64) {
	log, _ = m.since(m.stored.Compacted()) // always there
	return log, m.stored.Compacted()
}

func (m *memory) create(l *coordv1.Lease) (*coordv1.Lease, error) {
	l = normal(l)
	if err := apistore.InNamespace(l, namespace); err != nil {
		return nil, err
	}
	next, err := m.fresh(l)
	if err != nil {
		return nil, err
	}
	if err := apistore.Creatable(leaseResource(), l, m.stored.Get(l.Name)); err != nil {
		return nil, err
	}
	return m.commit(next), nil
}

// update is a PUT: compare-and-swap on the resource version, and on the UID if
// it carries one. Without a UID, a missing Lease is created.
func (m *memory) update(l *coordv1.Lease) (*coordv1.Lease, error) {
	l = normal(l)
	if err := apistore.InNamespace(l, namespace); err != nil {
		return nil, err
	}
	cur := m.stored.Get(l.Name)
	if err := apistore.SameUID(leaseResource(), l, cur); err != nil {
		return nil, err
	}
	if cur == nil {
		next, err := m.fresh(l)
		if err != nil {
			return nil, err
		}
		return m.commit(next), nil
	}
	if err := sameVersion(l, cur); err != nil {
		return nil, err
	}
	return m.replace(cur, l)
}

// sameVersion is the precondition that the version in a body makes.
func sameVersion(body, cur *coordv1.Lease) error {
	return apistore.SameVersion(leaseResource(), body, cur, false)
}

// patch is a PATCH by RFC 6902.
func (m *memory) patch(data []byte) (*coordv1.Lease, error) {
	if !json.Valid(data) {
		return nil, apierrors.NewBadRequest("invalid JSON patch")
	}
	cur := m.stored.Get(leaseName)
	if cur == nil {
		return nil, missing()
	}
	next, err := changed(cur, data)
	if err != nil {
		return nil, err
	}
	return m.replace(cur, next)
}

// replace stores next over cur. What changes nothing gets no new version.
func (m *memory) replace(cur, next *coordv1.Lease) (*coordv1.Lease, error) {
	next = normal(next)
	next.UID, next.CreationTimestamp, next.ResourceVersion = cur.UID, cur.CreationTimestamp, cur.ResourceVersion
	if err := validate(next); err != nil {
		return nil, err
	}
	// Most writes renew; the comparison by reflection is for the others.
	if cur.Spec.RenewTime.Equal(next.Spec.RenewTime) && equality.Semantic.DeepEqual(cur, next) {
		return cur.DeepCopy(), nil
	}
	return m.commit(next), nil
}

// edit changes the Lease as an operator does, whoever else writes it.
func (m *memory) edit(change func(*coordv1.Lease)) error {
	cur := m.stored.Get(leaseName)
	if cur == nil {
		return missing()
	}
	next := cur.DeepCopy()
	change(next)
	_, err := m.replace(cur, next)
	return err
}

// overwrite stores a Lease, whatever is there.
func (m *memory) overwrite(l *coordv1.Lease) (*coordv1.Lease, error) {
	next := normal(l)
	if err := validate(next); err != nil {
		return nil, err
	}
	return m.commit(next), nil
}

func (m *memory) remove() {
	if m.stored.Get(leaseName) != nil {
		m.committed(changeOf(m.stored.Commit(leaseName, nil)))
	}
}

func (m *memory) commit(next *coordv1.Lease) *coordv1.Lease {
	c := m.stored.Commit(next.Name, next)
	m.committed(changeOf(c))
	return next.DeepCopy()
}

// fresh is l with what the server decides on a create.
func (m *memory) fresh(l *coordv1.Lease) (*coordv1.Lease, error) {
	if _, err := apistore.ParseVersion(l.ResourceVersion); err != nil {
		return nil, err
	}
	next := l.DeepCopy()
	m.uids++
	next.UID = types.UID(fmt.Sprintf("00000000-0000-4000-8000-%012d", m.uids))
	next.CreationTimestamp = metav1.NewTime(time.Now().Truncate(time.Second))
	next.ResourceVersion = ""
	return next, validate(next)
}

func missing() error { return apierrors.NewNotFound(leaseResource(), leaseName) }

// normal is a copy as its stored encoding keeps it: times are exact to the
// microsecond.
func normal(l *coordv1.Lease) *coordv1.Lease {
	l = l.DeepCopy()
	for _, t := range []*metav1.MicroTime{l.Spec.AcquireTime, l.Spec.RenewTime} {
		if t != nil {
			t.Time = t.Truncate(time.Microsecond)
		}
	}
	return l
}

func validate(l *coordv1.Lease) error {
	if errs := apistore.ValidateSpec(&l.Spec, field.NewPath("spec")); len(errs) > 0 {
		return apierrors.NewInvalid(coordv1.SchemeGroupVersion.WithKind("Lease").GroupKind(), l.Name, errs)
	}
	return nil
}

func conflict(name, why string) error {
	return apierrors.NewConflict(leaseResource(), name, errors.New(why))
}
