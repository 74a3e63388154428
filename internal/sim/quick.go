package sim

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// operation is one of a JSON patch.
type operation struct {
	Op    string          `json:"op"`
	Path  string          `json:"path"`
	From  string          `json:"from,omitempty"`
	Value json.RawMessage `json:"value,omitempty"`
}

// quickly applies what electors send when nothing is wrong with it: tests of
// single fields that hold, and values for them. Everything else, failing tests
// first, is left to the library: ok is false. A run patches some hundred times,
// and encoding the Lease for it is a third of what the run costs.
func quickly(cur *coordv1.Lease, data []byte) (next *coordv1.Lease, ok bool) {
	var steps []operation
	if json.Unmarshal(data, &steps) != nil {
		return nil, false
	}
	next = cur.DeepCopy()
	for _, s := range steps {
		switch s.Op {
		case "test":
			text := fieldText(next, s.Path)
			ok = text != nil && bytes.Equal(s.Value, text)
		case "add", "replace":
			ok = setField(next, s)
		default:
			ok = false
		}
		if !ok {
			return nil, false
		}
	}
	return next, len(steps) > 0
}

// fieldText is a field as JSON; nothing if that is not plain to see.
func fieldText(l *coordv1.Lease, path string) []byte {
	switch path {
	case "/metadata/uid":
		return plain(string(l.UID))
	case "/metadata/resourceVersion":
		return plain(l.ResourceVersion)
	case "/spec/holderIdentity":
		if l.Spec.HolderIdentity != nil {
			return plain(*l.Spec.HolderIdentity)
		}
	case "/spec/leaseDurationSeconds":
		if n := l.Spec.LeaseDurationSeconds; n != nil {
			return strconv.AppendInt(nil, int64(*n), 10)
		}
	case "/spec/leaseTransitions":
		if n := l.Spec.LeaseTransitions; n != nil {
			return strconv.AppendInt(nil, int64(*n), 10)
		}
	case "/spec/acquireTime":
		if t := l.Spec.AcquireTime; t != nil {
			return plain(t.UTC().Format(metav1.RFC3339Micro))
		}
	case "/spec/renewTime":
		if t := l.Spec.RenewTime; t != nil {
			return plain(t.UTC().Format(metav1.RFC3339Micro))
		}
	default:
		key, ok := annotationKey(l, path)
		if !ok {
			return nil
		}
		if text, there := l.Annotations[key]; there {
			return plain(text)
		}
	}
	return []byte("null")
}

// plain is a string as JSON; nothing if it takes more than quotes.
func plain(s string) []byte {
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' || strings.ContainsRune(`"\<>&`, r) }) {
		return nil
	}
	return []byte(`"` + s + `"`)
}

// annotationKey is the annotation that a path names, on a Lease that has some.
func annotationKey(l *coordv1.Lease, path string) (string, bool) {
	key, ok := strings.CutPrefix(path, "/metadata/annotations/")
	return strings.NewReplacer("~1", "/", "~0", "~").Replace(key), ok && len(l.Annotations) > 0 && !strings.Contains(key, "/")
}

// setField sets a field to a value, unless there is anything to it. What is
// replaced has to be there.
func setField(l *coordv1.Lease, s operation) bool {
	if slices.Equal(s.Value, []byte("null")) || s.Op == "replace" && bytes.Equal(fieldText(l, s.Path), []byte("null")) {
		return false
	}
	switch s.Path {
	case "/spec/holderIdentity":
		return setText(&l.Spec.HolderIdentity, s.Value)
	case "/spec/leaseDurationSeconds":
		return setNumber(&l.Spec.LeaseDurationSeconds, s.Value)
	case "/spec/leaseTransitions":
		return setNumber(&l.Spec.LeaseTransitions, s.Value)
	case "/spec/acquireTime":
		return setTime(&l.Spec.AcquireTime, s.Value)
	case "/spec/renewTime":
		return setTime(&l.Spec.RenewTime, s.Value)
	}
	var text *string
	key, ok := annotationKey(l, s.Path)
	if !ok || !setText(&text, s.Value) {
		return false
	}
	l.Annotations[key] = *text
	return true
}

func setText(field **string, value []byte) bool {
	if len(value) < 2 {
		return false
	}
	text := string(value[1 : len(value)-1])
	*field = &text
	return bytes.Equal(value, plain(text))
}

func setNumber(field **int32, value []byte) bool {
	n, err := strconv.ParseInt(string(value), 10, 32)
	*field = new(int32(n))
	return err == nil && strconv.FormatInt(n, 10) == string(value)
}

func setTime(field **metav1.MicroTime, value []byte) bool {
	var text *string
	if !setText(&text, value) {
		return false
	}
	t, err := time.Parse(metav1.RFC3339Micro, *text)
	*field = new(metav1.NewMicroTime(t.Local()))
	return err == nil
}
