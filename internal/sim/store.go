package sim

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	coordv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apimachinery/pkg/watch"
)

// revisionBump is what etcd's documentation advises for --bump-revision.
const revisionBump = 1_000_000_000

// store is the API server's state on the Leases of one namespace, with the
// answers of kube-apiserver and without its HTTP. TestStoreAnswersLikeTheServer
// holds it against singletontest. One goroutine uses it; what it stores is never
// changed in place.
type store struct {
	namespace string
	revision  int64
	compacted int64 // watches start at this revision or later
	uids      int
	leases    map[string]*coordv1.Lease
	log       []change
	// A restore without a bump brings the backup's own history back. Lists of the past
	// are answered from it, watches are not.
	before    []change
	forgotten int64 // lists of the past are answered from this revision on
}

// change is one commit; old is nil for a create, new for a delete.
type change struct {
	revision int64
	old, new *coordv1.Lease
	blind    bool // the server took the old one for another
}

func (c change) name() string {
	if c.new != nil {
		return c.new.Name
	}
	return c.old.Name
}

// event is what a watch is told of the change.
func (c change) event() watch.Event {
	switch {
	case c.new == nil:
		gone := c.old.DeepCopy()
		gone.ResourceVersion = strconv.FormatInt(c.revision, 10)
		return watch.Event{Type: watch.Deleted, Object: gone}
	case c.old == nil:
		return watch.Event{Type: watch.Added, Object: c.new.DeepCopy()}
	}
	return watch.Event{Type: watch.Modified, Object: c.new.DeepCopy()}
}

func newStore(namespace string) *store {
	return &store{namespace: namespace, revision: 1, compacted: 1, forgotten: 1, leases: map[string]*coordv1.Lease{}}
}

func leaseResource() schema.GroupResource { return coordv1.Resource("leases") }

func (s *store) get(name string) (*coordv1.Lease, error) {
	if l := s.leases[name]; l != nil {
		return l.DeepCopy(), nil
	}
	return nil, apierrors.NewNotFound(leaseResource(), name)
}

// list is the LIST by metadata.name.
func (s *store) list(name string) *coordv1.LeaseList {
	out := &coordv1.LeaseList{ListMeta: metav1.ListMeta{ResourceVersion: strconv.FormatInt(s.revision, 10)}}
	if l := s.leases[name]; l != nil {
		out.Items = []coordv1.Lease{*l.DeepCopy()}
	}
	return out
}

func (s *store) create(l *coordv1.Lease) (*coordv1.Lease, error) {
	if err := s.inNamespace(l); err != nil {
		return nil, err
	}
	revision, err := parseRevision(l.ResourceVersion)
	if err != nil {
		return nil, err
	}
	next := s.fresh(l)
	switch err := validate(next); {
	case err != nil:
		return nil, err
	case revision != 0:
		return nil, apierrors.NewInternalError(errors.New("resourceVersion should not be set on objects to be created"))
	case s.leases[l.Name] != nil:
		return nil, apierrors.NewAlreadyExists(leaseResource(), l.Name)
	}
	return s.commit(l.Name, next), nil
}

// update is a PUT: compare-and-swap on the resource version, and on the UID if
// it carries one. Without a UID, a missing Lease is created.
func (s *store) update(l *coordv1.Lease) (*coordv1.Lease, error) {
	if err := s.inNamespace(l); err != nil {
		return nil, err
	}
	cur := s.leases[l.Name]
	var uid types.UID
	if cur != nil {
		uid = cur.UID
	}
	if l.UID != "" && l.UID != uid {
		return nil, conflict(l.Name, fmt.Sprintf("Precondition failed: UID in precondition: %s, UID in object meta: %s", l.UID, uid))
	}
	if cur == nil {
		if _, err := parseRevision(l.ResourceVersion); err != nil {
			return nil, err
		}
		next := s.fresh(l)
		if err := validate(next); err != nil {
			return nil, err
		}
		return s.commit(l.Name, next), nil
	}
	if err := sameVersion(cur, l); err != nil {
		return nil, err
	}
	return s.replace(cur, l)
}

// sameVersion is the precondition that the version in a body makes.
func sameVersion(cur, next *coordv1.Lease) error {
	revision, err := parseRevision(next.ResourceVersion)
	switch {
	case err != nil:
		return err
	case revision == 0:
		return apierrors.NewInvalid(coordv1.SchemeGroupVersion.WithKind("leases").GroupKind(), cur.Name, field.ErrorList{
			field.Invalid(field.NewPath("metadata", "resourceVersion"), uint64(0), "must be specified for an update"),
		})
	case next.ResourceVersion != cur.ResourceVersion:
		return conflict(cur.Name, "the object has been modified; please apply your changes to the latest version and try again")
	}
	return nil
}

// replace stores next over cur. What changes nothing gets no new version.
func (s *store) replace(cur, next *coordv1.Lease) (*coordv1.Lease, error) {
	next = normal(next)
	next.UID, next.CreationTimestamp, next.ResourceVersion = cur.UID, cur.CreationTimestamp, cur.ResourceVersion
	if err := validate(next); err != nil {
		return nil, err
	}
	// Most writes renew; the comparison by reflection is for the others.
	if cur.Spec.RenewTime.Equal(next.Spec.RenewTime) && equality.Semantic.DeepEqual(cur, next) {
		return cur.DeepCopy(), nil
	}
	return s.commit(cur.Name, next), nil
}

// edit changes a Lease as an operator does, whoever else writes it.
func (s *store) edit(name string, change func(*coordv1.Lease)) error {
	cur := s.leases[name]
	if cur == nil {
		return apierrors.NewNotFound(leaseResource(), name)
	}
	next := cur.DeepCopy()
	change(next)
	_, err := s.replace(cur, next)
	return err
}

func (s *store) remove(name string) bool {
	if s.leases[name] == nil {
		return false
	}
	s.commit(name, nil)
	return true
}

func (s *store) commit(name string, next *coordv1.Lease) *coordv1.Lease {
	old := s.leases[name]
	s.revision++
	if next == nil {
		delete(s.leases, name)
	} else {
		next.ResourceVersion = strconv.FormatInt(s.revision, 10)
		s.leases[name] = next
	}
	s.log = append(s.log, change{revision: s.revision, old: old, new: next})
	return next.DeepCopy()
}

// since returns the changes of a Lease after a revision; 410 when they are gone.
func (s *store) since(name string, revision int64) ([]change, error) {
	if revision < s.compacted {
		return nil, apierrors.NewResourceExpired(fmt.Sprintf("too old resource version: %d (%d)", revision, s.compacted))
	}
	var out []change
	for _, c := range slices.Backward(s.log) {
		if c.revision <= revision {
			break
		}
		if c.name() == name {
			out = append(out, c)
		}
	}
	slices.Reverse(out)
	return out, nil
}

func (s *store) inNamespace(l *coordv1.Lease) error { return inNamespace(l, s.namespace) }

func inNamespace(l *coordv1.Lease, namespace string) error {
	if l.Namespace != "" && l.Namespace != namespace {
		return apierrors.NewBadRequest("the namespace of the provided object does not match the namespace sent on the request")
	}
	return nil
}

// fresh is l with what the server decides on a create.
func (s *store) fresh(l *coordv1.Lease) *coordv1.Lease {
	next := normal(l)
	s.uids++
	next.Namespace = s.namespace
	next.UID = types.UID(fmt.Sprintf("00000000-0000-4000-8000-%012d", s.uids))
	next.CreationTimestamp = metav1.NewTime(time.Now().Truncate(time.Second))
	next.ResourceVersion = ""
	return next
}

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
	var errs field.ErrorList
	if d := l.Spec.LeaseDurationSeconds; d != nil && *d <= 0 {
		errs = append(errs, field.Invalid(field.NewPath("spec", "leaseDurationSeconds"), *d, "must be greater than 0"))
	}
	if n := l.Spec.LeaseTransitions; n != nil && *n < 0 {
		errs = append(errs, field.Invalid(field.NewPath("spec", "leaseTransitions"), *n, "must be greater than or equal to 0"))
	}
	if len(errs) == 0 {
		return nil
	}
	return apierrors.NewInvalid(coordv1.SchemeGroupVersion.WithKind("Lease").GroupKind(), l.Name, errs)
}

func conflict(name, why string) error {
	return apierrors.NewConflict(leaseResource(), name, errors.New(why))
}

func parseRevision(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	return strconv.ParseInt(s, 10, 64)
}
