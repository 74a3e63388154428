package kubefence

import (
	"fmt"
	"maps"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/hotseat-go/hotseat/fencing"
)

// Annotation is where an object keeps the token of its latest fenced write, its mark, in the text form of [fencing.Token].
// One annotation and not three: nobody can read or merge half a token.
const Annotation = "hotseat-go.github.io/fencing-token"

// MarkOf returns the token an object is stamped with, the zero Token if it has none. An annotation that is no token is
// [fencing.ErrUnavailable]: nothing is admitted until somebody repaired it.
func MarkOf(object metav1.Object) (fencing.Token, error) {
	scope, _, _ := strings.Cut(object.GetAnnotations()[Annotation], "@") // whatever it is
	return markOf(object, scope)
}

// markOf is MarkOf an object that is fenced by scope; the mark of another one is [fencing.ErrScope], too.
func markOf(object metav1.Object, scope string) (fencing.Token, error) {
	text, stamped := object.GetAnnotations()[Annotation]
	if !stamped {
		return fencing.Token{}, nil
	}
	mark, err := fencing.ParseMark(text, scope)
	if err != nil {
		return fencing.Token{}, fmt.Errorf("kubefence: the mark of %q cannot be read: %w", object.GetName(), err)
	}
	return mark, nil
}

// admit compares t with the object's mark. raises: t is newer, or the first. The zero Token is one that was allowed to pass.
func admit(t fencing.Token, object metav1.Object) (raises bool, err error) {
	if t.IsZero() {
		return false, nil
	}
	mark, err := markOf(object, t.Scope)
	if err != nil {
		return false, err
	}
	raises, err = fencing.Judge(t, mark)
	if err != nil {
		return false, fmt.Errorf("kubefence: %q: %w", object.GetName(), err)
	}
	return raises, nil
}

func stamp(object metav1.Object, t fencing.Token) {
	if !t.IsZero() {
		setMark(object, t.String())
	}
}

func setMark(object metav1.Object, text string) {
	annotations := maps.Clone(object.GetAnnotations())
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[Annotation] = text
	object.SetAnnotations(annotations)
}

// version tells one state of an object from all others.
type version struct {
	uid             types.UID
	resourceVersion string
}

func versionOf(object metav1.Object) version {
	return version{object.GetUID(), object.GetResourceVersion()}
}

// pin makes a write of the object one of the state v, whatever was done to the object since it was read.
func (v version) pin(object metav1.Object) {
	object.SetUID(v.uid)
	object.SetResourceVersion(v.resourceVersion)
}
