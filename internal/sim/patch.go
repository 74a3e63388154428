package sim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// patch is a PATCH by RFC 6902: all of it or, when a test in it fails, nothing.
func (s *store) patch(name string, data []byte) (*coordv1.Lease, error) {
	if !json.Valid(data) {
		return nil, apierrors.NewBadRequest("invalid JSON patch")
	}
	cur := s.leases[name]
	if cur == nil {
		return nil, apierrors.NewNotFound(leaseResource(), name)
	}
	next, err := changed(cur, data, s.namespace)
	if err != nil {
		return nil, err
	}
	return s.replace(cur, next)
}

// changed is what a patch makes of a Lease, if a server takes that.
func changed(cur *coordv1.Lease, data []byte, namespace string) (*coordv1.Lease, error) {
	next, ok := quickly(cur, data)
	if !ok {
		var err error
		if next, err = patched(cur, data); err != nil {
			return nil, err
		}
	}
	if err := inNamespace(next, namespace); err != nil {
		return nil, err
	}
	if next.Name != cur.Name {
		return nil, apierrors.NewBadRequest("the name of the object does not match the name on the URL")
	}
	return next, sameVersion(cur, next) // as in the body of a PUT
}

// patched is a copy of cur with the patch applied.
func patched(cur *coordv1.Lease, data []byte) (*coordv1.Lease, error) {
	patch, err := jsonpatch.DecodePatch(data)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	cur = cur.DeepCopy()
	cur.TypeMeta = metav1.TypeMeta{Kind: "Lease", APIVersion: coordv1.SchemeGroupVersion.String()}
	doc, err := json.Marshal(cur)
	if err != nil {
		return nil, err
	}
	if doc, err = patch.Apply(doc); err != nil {
		return nil, apierrors.NewGenericServerResponse(http.StatusUnprocessableEntity, "", schema.GroupResource{}, "", err.Error(), 0, false)
	}
	next := &coordv1.Lease{}
	if err := json.Unmarshal(doc, next); err != nil {
		return nil, apierrors.NewInvalid(schema.GroupKind{}, "", field.ErrorList{field.Invalid(field.NewPath("patch"), string(doc), err.Error())})
	}
	next.TypeMeta = metav1.TypeMeta{}
	return next, nil
}

// at is the LIST by metadata.name of the past: the state at exactly a revision.
func (s *store) at(name, version string) (*coordv1.LeaseList, error) {
	revision, err := parseRevision(version)
	switch {
	case err != nil:
		return nil, apierrors.NewBadRequest(err.Error())
	case revision == 0:
		return nil, apierrors.NewInvalid(schema.GroupKind{Group: metav1.GroupName, Kind: "ListOptions"}, "", field.ErrorList{
			field.Forbidden(field.NewPath("resourceVersionMatch"), "Exact is forbidden for resourceVersion 0"),
		})
	case revision > s.revision:
		return nil, tooLarge(revision, s.revision)
	case revision < s.forgotten:
		return nil, expired(revision)
	}
	l := s.leases[name]
	for _, c := range slices.Backward(slices.Concat(s.before, s.log)) {
		if c.revision <= revision {
			break
		}
		if c.name() == name {
			l = c.old
		}
	}
	out := &coordv1.LeaseList{ListMeta: metav1.ListMeta{ResourceVersion: strconv.FormatInt(revision, 10)}}
	if l != nil {
		out.Items = []coordv1.Lease{*l.DeepCopy()}
	}
	return out, nil
}

func tooLarge(revision, head int64) error {
	err := apierrors.NewTimeoutError("Too large resource version: "+strconv.FormatInt(revision, 10)+", current: "+strconv.FormatInt(head, 10), 1)
	err.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: metav1.CauseTypeResourceVersionTooLarge, Message: "Too large resource version"}}
	return err
}
