package writegate

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"

	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/hotseat-go/hotseat/fencing"
)

// ownLease reports whether r writes the Lease that the terms come from. The elector's own rules
// guard that Lease, before a term begins too.
func (g *Gate) ownLease(r *http.Request, t target) bool {
	if t.Group != coordv1.GroupName || t.Resource != "leases" || t.subresource != "" ||
		upgrades(r, t) {
		return false
	}
	if r.Method == http.MethodPost && t.name == "" {
		t.name = nameIn(r)
	}
	return t.name != "" && fencing.Scope(t.namespace, t.name) == g.scope
}

// nameIn returns the name of the object that r creates. It is "" if it cannot be read. r's own body
// is not read.
func nameIn(r *http.Request) string {
	if r.GetBody == nil {
		return ""
	}
	copied, err := r.GetBody()
	if err != nil {
		return ""
	}
	defer copied.Close()
	body, err := io.ReadAll(io.LimitReader(copied, maxBody))
	if err != nil {
		return ""
	}
	var object metav1.PartialObjectMetadata
	if raw, marked := bytes.CutPrefix(body, []byte(protobufMagic)); marked {
		var envelope runtime.Unknown
		if envelope.Unmarshal(raw) == nil {
			err = object.Unmarshal(envelope.Raw)
		}
	} else {
		err = json.Unmarshal(body, &object)
	}
	if err != nil {
		return ""
	}
	return object.Name
}
