package apiserver

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

const anonymous = "anonymous"

// request is one request for a served resource.
type request struct {
	user            string
	verb            string
	res             *resource
	namespace, name string
	query           url.Values
	header          http.Header
	body            []byte
}

func (r *request) key() key { return key{res: r.res, namespace: r.namespace, name: r.name} }

func (r *request) writer() writer {
	return writer{user: r.user, verb: r.verb, dryRun: slices.Contains(r.query["dryRun"], metav1.DryRunAll)}
}

// answer is what the server has to say: an object, plain text, or a watch.
type answer struct {
	code  int
	obj   runtime.Object // with its kind set
	text  string
	json  any
	watch *watch
}

// userOf names the caller: the bearer token is the user's name.
func userOf(h http.Header) string {
	if token, ok := strings.CutPrefix(h.Get("Authorization"), "Bearer "); ok && token != "" {
		return token
	}
	return anonymous
}

// parse returns the request for a resource, or nil if the path names none.
func (c *Cluster) parse(r *http.Request, body []byte) *request {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	var gv schema.GroupVersion
	switch {
	case len(parts) > 2 && parts[0] == "api":
		gv, parts = schema.GroupVersion{Version: parts[1]}, parts[2:]
	case len(parts) > 3 && parts[0] == "apis":
		gv, parts = schema.GroupVersion{Group: parts[1], Version: parts[2]}, parts[3:]
	default:
		return nil
	}
	req := &request{user: userOf(r.Header), query: r.URL.Query(), header: r.Header, body: body}
	if len(parts) > 2 && parts[0] == "namespaces" {
		req.namespace, parts = parts[1], parts[2:]
	}
	for _, res := range c.resources {
		if res.GroupVersion() == gv && res.Resource == parts[0] {
			req.res = res
		}
	}
	switch {
	case req.res == nil || len(parts) > 2:
		return nil
	case len(parts) == 2:
		if req.namespace == "" {
			return nil
		}
		req.name = parts[1]
	}
	req.verb = verbOf(r.Method, req)
	if req.name == "" {
		// As in kube-apiserver, selecting one name counts as naming it.
		if sel, err := fields.ParseSelector(req.query.Get("fieldSelector")); err == nil {
			req.name, _ = sel.RequiresExactMatch("metadata.name")
		}
	}
	return req
}

// verbOf returns the verb of a method, empty if the method is not allowed there.
func verbOf(method string, r *request) string {
	if r.name == "" {
		watching, _ := strconv.ParseBool(r.query.Get("watch"))
		switch {
		case method == http.MethodGet && watching:
			return "watch"
		case method == http.MethodGet:
			return "list"
		case method == http.MethodPost && r.namespace != "":
			return "create"
		}
		return ""
	}
	return map[string]string{
		http.MethodGet: "get", http.MethodPut: "update", http.MethodPatch: "patch", http.MethodDelete: "delete",
	}[method]
}

// handle serves one request. It neither waits nor looks at links and faults.
func (c *Cluster) handle(r *request) answer {
	ans, err := c.dispatch(r)
	if err != nil {
		status := statusOf(err)
		ans = answer{code: int(status.Code), obj: status}
	}
	c.record(r, ans.code)
	return ans
}

func (c *Cluster) dispatch(r *request) (answer, error) {
	if err := c.authorize(r, r.verb); err != nil {
		return answer{}, err
	}
	if _, err := acceptable(r.header, r.verb == "watch"); err != nil {
		return answer{}, err
	}
	switch r.verb {
	case "get":
		return c.read(r)
	case "list":
		return c.list(r)
	case "watch":
		return c.startWatch(r)
	case "create":
		return c.create(r)
	case "update":
		return c.replace(r)
	case "patch":
		return c.patch(r)
	case "delete":
		return c.remove(r)
	}
	return answer{}, &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusMethodNotAllowed, Reason: metav1.StatusReasonMethodNotAllowed,
		Message: "the server does not allow this method on the requested resource",
	}}
}

// authorize answers in the words of kube-apiserver's RBAC.
func (c *Cluster) authorize(r *request, verb string) error {
	c.mu.Lock()
	forbidden := c.forbidden[r.user][verb]
	c.mu.Unlock()
	if !forbidden {
		return nil
	}
	where := "at the cluster scope"
	if r.namespace != "" {
		where = fmt.Sprintf("in the namespace %q", r.namespace)
	}
	return apierrors.NewForbidden(r.res.GroupVersionResource.GroupResource(), r.name, fmt.Errorf(
		"User %q cannot %s resource %q in API group %q %s", r.user, verb, r.res.Resource, r.res.Group, where))
}

// Forbid takes verbs away from a user (the name of its client), for every
// resource: get, list, watch, create, update, patch, delete. Every user starts
// with all of them. Open watches go on.
func (c *Cluster) Forbid(user string, verbs ...string) { c.setForbidden(user, verbs, true) }

// Allow gives verbs back to a user.
func (c *Cluster) Allow(user string, verbs ...string) { c.setForbidden(user, verbs, false) }

func (c *Cluster) setForbidden(user string, verbs []string, forbidden bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.forbidden[user] == nil {
		c.forbidden[user] = map[string]bool{}
	}
	for _, verb := range verbs {
		c.forbidden[user][verb] = forbidden
	}
}
