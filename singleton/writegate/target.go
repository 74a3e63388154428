package writegate

import (
	"net/http"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// target is what a request is about, as its URL says. The zero target is nothing that an API server
// stores.
type target struct {
	schema.GroupResource
	namespace, name, subresource string
}

// targetOf reads a URL's path as kube-apiserver does.
func targetOf(path, prefix string) (t target) {
	path, below := strings.CutPrefix(path, prefix)
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case !below || !strings.HasPrefix(path, "/"):
		return target{}
	case parts[0] == "api" && len(parts) > 2: // api, version
		parts = parts[2:]
	case parts[0] == "apis" && len(parts) > 3: // apis, group, version
		t.Group, parts = parts[1], parts[3:]
	default:
		return target{}
	}
	// A namespace comes before what is in it, but status and finalize are its own.
	if parts[0] == "namespaces" && len(parts) > 2 && parts[2] != "status" && parts[2] != "finalize" {
		t.namespace, parts = parts[1], parts[2:]
	}
	t.Resource, parts = parts[0], parts[1:]
	if len(parts) > 0 {
		t.name, parts = parts[0], parts[1:]
	}
	if len(parts) > 0 {
		t.subresource = parts[0]
	}
	return t
}

// writes reports whether r may have an effect. A connection that changes its protocol may carry
// anything.
func writes(r *http.Request, t target) bool {
	switch r.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions: // a client's "" is GET
		return upgrades(r, t)
	default:
		return true
	}
}

// upgrades reports whether r asks to change the protocol. client-go's own clients for exec, attach
// and port-forward set the field Upgrade below the gate. Above it they say which protocols they
// speak, or nothing.
func upgrades(r *http.Request, t target) bool {
	for _, field := range []string{"Upgrade", "Sec-Websocket-Protocol", "X-Stream-Protocol-Version"} {
		if _, there := r.Header[field]; there {
			return true
		}
	}
	return slices.Contains([]string{"attach", "exec", "portforward"}, t.subresource)
}

// stores reports whether the API server stores something when it does what r says. It is true where
// the URL does not prove the contrary.
func stores(r *http.Request, t target) bool {
	if upgrades(r, t) || t.subresource == "proxy" { // something behind the API server
		return true
	}
	return !reviews(r, t) && !dryRun(r, t)
}

// reviews reports whether r asks the API server a question by way of a create.
func reviews(r *http.Request, t target) bool {
	if r.Method != http.MethodPost || t.name != "" {
		return false
	}
	var kinds []string
	switch t.Group {
	case "authorization.k8s.io":
		kinds = []string{
			"localsubjectaccessreviews", "selfsubjectaccessreviews",
			"selfsubjectrulesreviews", "subjectaccessreviews",
		}
	case "authentication.k8s.io":
		kinds = []string{"selfsubjectreviews", "tokenreviews"}
	}
	return slices.Contains(kinds, t.Resource)
}

// dryRun reports whether r is a dry run by its URL. The URL of a delete says nothing if the delete
// has a body: the API server takes the options there instead.
func dryRun(r *http.Request, t target) bool {
	if t.Resource == "" || r.Method == http.MethodDelete && hasBody(r) {
		return false
	}
	values := r.URL.Query()["dryRun"]
	return len(values) == 1 && values[0] == "All"
}

func hasBody(r *http.Request) bool { return r.Body != nil && r.Body != http.NoBody }
