package apiserver

import (
	"bytes"
	"fmt"
)

// normalize passes an object through its stored encoding, as etcd does: times
// lose what is finer than the format, TypeMeta and empty maps go, and so does the version.
func normalize(res *resource, o object) (object, error) {
	data, err := encoded(o)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", res.kind, err)
	}
	out := res.newItem()
	if err := out.Unmarshal(data); err != nil {
		return nil, fmt.Errorf("decode %s: %w", res.kind, err)
	}
	return out, nil
}

// same reports whether two objects as they are stored differ in nothing but their version.
func same(a, b object) bool {
	if a == nil || b == nil {
		return false
	}
	x, errX := encoded(a)
	y, errY := encoded(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// encoded is an object as it is stored: its version is not part of that.
func encoded(o object) ([]byte, error) {
	c := o.DeepCopyObject().(object)
	c.SetResourceVersion("")
	return c.Marshal()
}
