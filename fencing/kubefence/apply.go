package kubefence

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/json"

	"github.com/hotseat-go/hotseat/fencing"
)

// Apply is server-side apply of config: an apply configuration of client-go, or anything else that
// marshals to the JSON of an object, with apiVersion and kind. Apply stamps the object if its mark
// is lower. Then it applies config with the resourceVersion of the stamped object, so the server
// refuses the apply once a later term wrote. The mark is no part of what is applied, so
// opts.FieldManager does not come to own it. Replicas may use the same manager, and a change of the
// mark is no conflict of managers.
//
// The object must exist. To create it, use [Objects.Create]. An apply that creates names no
// resourceVersion, so it could instead change an object that a later term has just created. Apply
// returns the object as stored.
func (o *Objects[T]) Apply(
	ctx context.Context, t fencing.Token, name string, config any, opts metav1.ApplyOptions,
) (stored T, _ error) {
	text, err := json.Marshal(config)
	if err != nil {
		return stored, fmt.Errorf("kubefence: apply configuration of %q: %w", name, err)
	}
	fields := unstructured.Unstructured{}
	if err := json.Unmarshal(text, &fields.Object); err != nil {
		return stored, fmt.Errorf("kubefence: apply configuration of %q: %w", name, err)
	}
	if _, stamped := fields.GetAnnotations()[Annotation]; stamped || fields.GetName() != name {
		return stored, fmt.Errorf("kubefence: apply configuration of %q: must have that name, is %q,"+
			" and must not have the annotation %s", name, fields.GetName(), Annotation)
	}
	err = o.Stamped(ctx, t, name, func(ctx context.Context, current T) error {
		versionOf(current).pin(&fields)
		data, err := json.Marshal(fields.Object)
		if err != nil {
			return &abort{err}
		}
		stored, err = o.client.Patch(ctx, name, types.ApplyPatchType, data, opts.ToPatchOptions())
		return err
	})
	return stored, err
}
