package apiserver

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"strings"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/hotseat-go/hotseat/internal/apistore"
)

func (c *Cluster) patch(r *request) (answer, error) {
	apply, err := patcher(r)
	if err != nil {
		return answer{}, err
	}
	if !json.Valid(r.body) {
		return answer{}, apierrors.NewBadRequest("invalid JSON patch")
	}
	out, err := c.store.update(r.key(), r.writer(), func(cur object) (object, error) {
		if cur == nil {
			return nil, apierrors.NewNotFound(r.res.GroupResource(), r.name)
		}
		patched, err := applied(r, apply, cur)
		if err != nil {
			return nil, err
		}
		return prepareUpdate(r.res, patched, cur)
	})
	if err != nil {
		return answer{}, err
	}
	return answer{code: http.StatusOK, obj: withKind(out, r.res.gvk())}, nil
}

// applied returns the stored object with the patch applied. A resourceVersion
// in the patch takes the place of the stored one and so becomes a precondition.
func applied(r *request, apply func(doc []byte) ([]byte, error), cur object) (object, error) {
	doc, err := json.Marshal(withKind(cur, r.res.gvk()))
	if err != nil {
		return nil, err
	}
	if doc, err = apply(doc); err != nil {
		return nil, err
	}
	info, _ := runtime.SerializerInfoForMediaType(scheme.Codecs.SupportedMediaTypes(), runtime.ContentTypeJSON)
	want, into := r.res.gvk(), r.res.newItem()
	got, _, err := info.Serializer.Decode(doc, &want, into)
	if err == nil && got != runtime.Object(into) {
		err = errors.New("apiVersion and kind cannot be changed")
	}
	if err != nil {
		return nil, apierrors.NewInvalid(schema.GroupKind{}, "", field.ErrorList{field.Invalid(field.NewPath("patch"), string(doc), err.Error())})
	}
	return into, ofRequest(r, into)
}

// patcher returns what the patch in the body does to a JSON document.
func patcher(r *request) (func(doc []byte) ([]byte, error), error) {
	mediaType, _, err := mime.ParseMediaType(r.header.Get("Content-Type"))
	if err != nil {
		mediaType = ""
	}
	switch types.PatchType(mediaType) {
	case types.JSONPatchType:
		return func(doc []byte) ([]byte, error) { return apistore.JSONPatch(doc, r.body) }, nil
	case types.MergePatchType:
		return func(doc []byte) ([]byte, error) {
			out, err := jsonpatch.MergePatch(doc, r.body)
			if err != nil {
				return nil, apierrors.NewBadRequest(err.Error())
			}
			return out, nil
		}, nil
	case types.StrategicMergePatchType:
		return func(doc []byte) ([]byte, error) {
			out, err := strategicpatch.StrategicMergePatch(doc, r.body, r.res.newItem())
			if err != nil {
				return nil, apierrors.NewBadRequest(err.Error())
			}
			return out, nil
		}, nil
	}
	return nil, unsupportedMediaType(strings.Join([]string{
		string(types.JSONPatchType), string(types.MergePatchType), string(types.StrategicMergePatchType),
	}, ", "))
}
