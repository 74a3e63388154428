package apistore

import (
	"net/http"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// JSONPatch applies a patch by RFC 6902 to a document: all of it or, when a test in it fails, nothing.
func JSONPatch(doc, steps []byte) ([]byte, error) {
	patch, err := jsonpatch.DecodePatch(steps)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	out, err := patch.Apply(doc)
	if err != nil {
		return nil, apierrors.NewGenericServerResponse(http.StatusUnprocessableEntity, "", schema.GroupResource{}, "", err.Error(), 0, false)
	}
	return out, nil
}
