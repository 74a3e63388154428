package route

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// answerWithin bounds one request. A slow server has to answer within it. What lands later does no
// harm, because each write is conditional.
const answerWithin = 5 * time.Second

// metadata is what this package reads of an object's.
type metadata struct {
	Name            string            `json:"name"`
	UID             types.UID         `json:"uid"`
	ResourceVersion string            `json:"resourceVersion"`
	Labels          map[string]string `json:"labels"`
	Annotations     map[string]string `json:"annotations"`
}

// step of a patch by RFC 6902.
type step struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}
