package kubefence

import (
	"fmt"
	"maps"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/hotseat-go/hotseat/fencing"
)

// Annotation is where an object keeps its mark: the token of its latest fenced write, in the text
// form of [fencing.Token]. It is one annotation and not three, so that nobody can read or merge
// half a token.
const Annotation = "hotseat-go.github.io/fencing-token"

// MarkOf returns the token that the object is stamped with. It is the zero Token if there is no
// annotation. If the annotation is no token, the error is [fencing.ErrUnavailable]: nothing is
// admitted until somebody has repaired it.
func MarkOf(object metav1.Object) (fencing.Token, error) {
	scope, _, _ := strings.Cut(object.GetAnnotations()[Annotation], "@") // any scope will do
	return markOf(object, scope)
}

// markOf is MarkOf for an object that scope fences. The mark of another scope is also
// [fencing.ErrScope].
func markOf(object metav1.Object, scope string) (fencing.Token, error) {
	text, stamped := object.GetAnnotations()[Annotation]
	if !stamped {
		return fencing.Token{}, nil
	}
	mark, err := fencing.ParseMark(text, scope)
	if err != nil {
		return fencing.Token{}, fmt.Errorf("kubefence: the mark of %q cannot be read: %w",
			object.GetName(), err)
	}
	return mark, nil
}

// admit compares t with the object's mark. raises reports whether t is newer, or the first token. A
// zero Token has been allowed before.
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

// version identifies one state of an object.
type version struct {
	uid             types.UID
	resourceVersion string
}

func versionOf(object metav1.Object) version {
	return version{object.GetUID(), object.GetResourceVersion()}
}

// pin makes a write of the object a write over the state v, whatever was done to the object since
// it was read.
func (v version) pin(object metav1.Object) {
	object.SetUID(v.uid)
	object.SetResourceVersion(v.resourceVersion)
}
