package apiserver

import (
	"net/http"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/version"
)

// discover answers the paths that are no resource: health, version and which
// resources there are. As in kube-apiserver, an unknown path is a plain 404.
func (c *Cluster) discover(r *http.Request) answer {
	if r.Method != http.MethodGet {
		return answer{code: http.StatusNotFound, text: "404 page not found"}
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case len(parts) == 1 && (parts[0] == "healthz" || parts[0] == "readyz" || parts[0] == "livez"):
		return answer{code: http.StatusOK, text: "ok"}
	case len(parts) == 1 && parts[0] == "version":
		return answer{code: http.StatusOK, json: version.Info{Major: "1", Minor: "37", GitVersion: "v1.37.0-apiserver"}}
	case len(parts) == 1 && parts[0] == "api":
		return found(&metav1.APIVersions{Versions: []string{"v1"}}, "APIVersions")
	case len(parts) == 1 && parts[0] == "apis":
		return found(c.groups(), "APIGroupList")
	case len(parts) == 2 && parts[0] == "api":
		return c.resourcesOf(schema.GroupVersion{Version: parts[1]})
	case len(parts) == 3 && parts[0] == "apis":
		return c.resourcesOf(schema.GroupVersion{Group: parts[1], Version: parts[2]})
	}
	return answer{code: http.StatusNotFound, text: "404 page not found"}
}

func (c *Cluster) groups() *metav1.APIGroupList {
	list := &metav1.APIGroupList{}
	seen := map[schema.GroupVersion]bool{}
	for _, res := range c.resources {
		gv := res.GroupVersion()
		if gv.Group == "" || seen[gv] {
			continue
		}
		seen[gv] = true
		v := metav1.GroupVersionForDiscovery{GroupVersion: gv.String(), Version: gv.Version}
		list.Groups = append(list.Groups, metav1.APIGroup{Name: gv.Group, Versions: []metav1.GroupVersionForDiscovery{v}, PreferredVersion: v})
	}
	return list
}

func (c *Cluster) resourcesOf(gv schema.GroupVersion) answer {
	list := &metav1.APIResourceList{GroupVersion: gv.String()}
	for _, res := range c.resources {
		if res.GroupVersion() == gv {
			list.APIResources = append(list.APIResources, metav1.APIResource{
				Name: res.Resource, SingularName: res.singular, Namespaced: true, Kind: res.kind,
				Verbs: metav1.Verbs{"create", "delete", "get", "list", "patch", "update", "watch"},
			})
		}
	}
	if len(list.APIResources) == 0 && gv != (schema.GroupVersion{Version: "v1"}) {
		return answer{code: http.StatusNotFound, text: "404 page not found"}
	}
	return found(list, "APIResourceList")
}

func found(obj runtime.Object, kind string) answer {
	obj.GetObjectKind().SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: kind})
	return answer{code: http.StatusOK, obj: obj}
}
