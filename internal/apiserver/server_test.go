package apiserver_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordapply "k8s.io/client-go/applyconfigurations/coordination/v1"
	"k8s.io/client-go/kubernetes"
	coordclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/internal/apiserver"
)

func TestForbid(t *testing.T) {
	bubble(t, apiserver.Options{}, func(w *world) {
		a, ctx := w.leases("a"), w.patient()
		calls := map[string]func() error{
			"get": func() error { _, err := a.Get(ctx, "seat", metav1.GetOptions{}); return err },
			"list": func() error {
				_, err := a.List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=seat"})
				return err
			},
			"update": func() error { return w.take(ctx, "a") },
			"patch": func() error {
				_, err := a.Patch(ctx, "seat", "application/merge-patch+json", []byte(`{}`), metav1.PatchOptions{})
				return err
			},
			"watch": func() error {
				watch, err := a.Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=seat"})
				if err == nil {
					watch.Stop()
				}
				return err
			},
			"delete": func() error { return a.Delete(ctx, "seat", metav1.DeleteOptions{DryRun: []string{"All"}}) },
		}
		for verb, call := range calls {
			w.Forbid("a", verb)
			err := call()
			require.True(w, apierrors.IsForbidden(err), "%s: %v", verb, err)
			require.EqualError(w, err, `leases.coordination.k8s.io "seat" is forbidden: User "a" cannot `+verb+
				` resource "leases" in API group "coordination.k8s.io" in the namespace "prod"`)
			require.NoError(w, w.take(ctx, "b"))
			w.Allow("a", verb)
			require.NoError(w, call(), verb)
		}

		w.Forbid("a", "create", "list")
		_, err := a.List(ctx, metav1.ListOptions{})
		require.EqualError(w, err, `leases.coordination.k8s.io is forbidden: User "a" cannot list resource "leases" in API group "coordination.k8s.io" in the namespace "prod"`)
		_, err = w.leases("a").Create(ctx, &coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "new"}}, metav1.CreateOptions{})
		require.True(w, apierrors.IsForbidden(err), "%v", err)
		_, err = w.leases("a").Update(ctx, &coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "new"}}, metav1.UpdateOptions{})
		require.EqualError(w, err, `leases.coordination.k8s.io "new" is forbidden: User "a" cannot create resource "leases" in API group "coordination.k8s.io" in the namespace "prod"`)
		require.Nil(w, w.Lease(ns, "new"))

		client := w.Client("a")
		_, err = client.Leases("").List(ctx, metav1.ListOptions{})
		require.ErrorContains(w, err, `User "a" cannot list resource "leases" in API group "coordination.k8s.io" at the cluster scope`)
	})
}

func TestNamespaces(t *testing.T) {
	bubble(t, apiserver.Options{Namespaces: []string{ns}}, func(w *world) {
		other := w.Client("a").Leases("other")
		lease := &coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "x"}}
		_, err := other.Create(w.patient(), lease, metav1.CreateOptions{})
		require.True(w, apierrors.IsNotFound(err))
		require.EqualError(w, err, `namespaces "other" not found`)
		_, err = other.Update(w.patient(), lease, metav1.UpdateOptions{})
		require.EqualError(w, err, `namespaces "other" not found`)
		_, err = other.Get(w.patient(), "x", metav1.GetOptions{})
		require.EqualError(w, err, `leases.coordination.k8s.io "x" not found`)

		w.AddNamespace("other")
		_, err = other.Create(w.patient(), lease, metav1.CreateOptions{})
		require.NoError(w, err)
		all, err := w.Client("a").Leases("").List(w.patient(), metav1.ListOptions{})
		require.NoError(w, err)
		require.Len(w, all.Items, 2)
		all, err = w.Client("a").Leases("").List(w.patient(), metav1.ListOptions{FieldSelector: "metadata.namespace=other"})
		require.NoError(w, err)
		require.Len(w, all.Items, 1)
	})
}

func TestCoordinatedLeaderElectionGate(t *testing.T) {
	gated := func(l *coordv1.Lease) {
		l.Spec.Strategy = new(coordv1.OldestEmulationVersion)
		l.Spec.PreferredHolder = new("b")
	}
	t.Run("off", func(t *testing.T) {
		bubble(t, apiserver.Options{}, func(w *world) {
			before := w.Lease(ns, "seat")
			require.NoError(w, w.EditLease(ns, "seat", gated))
			require.Equal(w, before, w.Lease(ns, "seat"), "dropped, so nothing changed")
		})
	})
	t.Run("on", func(t *testing.T) {
		bubble(t, apiserver.Options{CoordinatedLeaderElection: true}, func(w *world) {
			require.NoError(w, w.EditLease(ns, "seat", gated))
			require.Equal(w, "b", *w.Lease(ns, "seat").Spec.PreferredHolder)
			err := w.EditLease(ns, "seat", func(l *coordv1.Lease) { l.Spec.Strategy = nil })
			require.ErrorContains(w, err, "spec.preferredHolder: Forbidden: may only be specified if `strategy` is defined")
			for _, bad := range []coordv1.CoordinatedLeaseStrategy{"Newest", "not a name/x"} {
				err = w.EditLease(ns, "seat", func(l *coordv1.Lease) { l.Spec.Strategy = &bad })
				require.True(w, apierrors.IsInvalid(err), "%v", err)
			}
			ours := coordv1.CoordinatedLeaseStrategy("example.com/ours")
			require.NoError(w, w.EditLease(ns, "seat", func(l *coordv1.Lease) { l.Spec.Strategy = &ours }))
		})
	})
}

func TestDiscovery(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		config, err := w.config("a")
		require.NoError(w, err)
		client, err := kubernetes.NewForConfig(config)
		require.NoError(w, err)
		version, err := client.Discovery().ServerVersion()
		require.NoError(w, err)
		require.Equal(w, "1.37", version.Major+"."+version.Minor)
		_, lists, err := client.Discovery().ServerGroupsAndResources()
		require.NoError(w, err)
		var names []string
		for _, list := range lists {
			for _, res := range list.APIResources {
				names = append(names, list.GroupVersion+"/"+res.Name)
			}
		}
		require.ElementsMatch(w, []string{
			"coordination.k8s.io/v1/leases", "v1/pods", "v1/services", "discovery.k8s.io/v1/endpointslices",
		}, names)
		_, err = client.CoreV1().ConfigMaps(ns).List(w.patient(), metav1.ListOptions{})
		require.True(w, apierrors.IsNotFound(err), "%v", err)
	})
}

// TestRawRequests covers what the typed client never sends.
func TestRawRequests(t *testing.T) {
	const leases = "/apis/coordination.k8s.io/v1/namespaces/prod/leases"
	for _, test := range []struct {
		name, method, path, header, body string
		code                             int
		want                             string
	}{
		{"health", "GET", "/healthz", "", "", 200, "ok"},
		{"unknown path", "GET", "/nowhere", "", "", 404, "404 page not found"},
		{"unknown group", "GET", "/apis/nowhere/v1", "", "", 404, "404 page not found"},
		{"unknown resource", "GET", "/apis/coordination.k8s.io/v1/namespaces/prod/leasecandidates", "", "", 404, "404 page not found"},
		{"subresource", "GET", leases + "/seat/status", "", "", 404, "404 page not found"},
		{"any", "GET", leases + "/seat", "Accept: */*", "", 200, `"holderIdentity":"nobody"`},
		{"kubectl get", "GET", leases + "/seat", "Accept: application/json;as=Table;v=v1;g=meta.k8s.io,application/json", "", 200, `"kind":"Lease"`},
		{"list kind", "GET", leases, "", "", 200, `"kind":"LeaseList"`},
		{"not acceptable", "GET", leases, "Accept: text/html", "", 406, "only the following media types are accepted"},
		{"delete collection", "DELETE", leases, "", "", 405, "the server does not allow this method"},
		{"server-side apply", "PATCH", leases + "/seat", "Content-Type: application/apply-patch+yaml", "{}", 415, "application/merge-patch+json"},
		{"body type", "POST", leases, "Content-Type: application/yaml", "{}", 415, "application/vnd.kubernetes.protobuf"},
		{"no JSON", "POST", leases, "", "{", 400, "the object provided is unrecognized (must be of type Lease)"},
		{"another kind", "POST", leases, "", `{"apiVersion":"v1","kind":"Pod"}`, 400, `Pod in version \"v1\" cannot be handled as a Lease`},
		{"another version", "POST", leases, "", `{"apiVersion":"coordination.k8s.io/v1beta1","kind":"Lease"}`, 400, "does not match the expected API version (coordination.k8s.io/v1)"},
		{"no kind", "POST", leases, "", `{"metadata":{"name":"plain"}}`, 201, `"name":"plain"`},
		{"unknown field", "POST", leases + "?fieldValidation=Strict", "", `{"metadata":{"name":"x"},"spec":{"holder":"x"}}`, 400, `unknown field \"spec.holder\"`},
		{"bad version", "PUT", leases + "/seat", "", `{"metadata":{"name":"seat","resourceVersion":"x"}}`, 500, `parsing \"x\": invalid syntax`},
		{"bad selector", "GET", leases + "?labelSelector=a%20b", "", "", 400, "found 'b'"},
		{"bad watch version", "GET", leases + "?watch=true&resourceVersion=x", "", "", 400, "invalid syntax"},
		{"bad match", "GET", leases + "?resourceVersionMatch=Exact", "", "", 422, "resourceVersionMatch is forbidden"},
		{"continue", "GET", leases + "?continue=x", "", "", 410, "continue parameter is too old"},
		{"bad patch", "PATCH", leases + "/seat", "Content-Type: application/json-patch+json", "{}", 400, "cannot unmarshal object"},
		{"patch no JSON", "PATCH", leases + "/seat", "Content-Type: application/merge-patch+json", "{", 400, "invalid JSON patch"},
		{"bad delete", "DELETE", leases + "/seat", "", `{"kind":"Lease","apiVersion":"coordination.k8s.io/v1"}`, 400, "cannot be converted to DeleteOptions"},
		{"rename by patch", "PATCH", leases + "/seat", "Content-Type: application/merge-patch+json", `{"metadata":{"name":"x"}}`, 400, "does not match the name on the URL"},
		{"move by patch", "PATCH", leases + "/seat", "Content-Type: application/merge-patch+json", `{"metadata":{"namespace":"x"}}`, 400, "the namespace of the provided object does not match"},
		{"retype by patch", "PATCH", leases + "/seat", "Content-Type: application/merge-patch+json", `{"kind":"Pod"}`, 422, "Invalid"},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, apiserver.Options{}, func(w *world) {
				cfg := w.RESTConfig("a")
				r, err := http.NewRequestWithContext(w.patient(), test.method, cfg.Host+test.path, strings.NewReader(test.body))
				require.NoError(w, err)
				if name, value, ok := strings.Cut(test.header, ": "); ok {
					r.Header.Set(name, value)
				}
				answer, err := cfg.Transport.RoundTrip(r)
				require.NoError(w, err)
				body, err := io.ReadAll(answer.Body)
				require.NoError(w, err)
				require.Equal(w, test.code, answer.StatusCode, "%s", body)
				require.Contains(w, string(body), test.want)
			})
		})
	}
}

func TestApplyIsRefused(t *testing.T) {
	bubble(t, apiserver.Options{}, func(w *world) {
		_, err := w.leases("a").Apply(w.patient(), coordapply.Lease("seat", ns), metav1.ApplyOptions{FieldManager: "x"})
		require.True(w, apierrors.IsUnsupportedMediaType(err), "%v", err)
	})
}

func TestRequests(t *testing.T) {
	bubble(t, apiserver.Options{}, func(w *world) {
		began := time.Now()
		_, err := w.Client("").Leases(ns).Get(w.patient(), "none", metav1.GetOptions{})
		require.Error(w, err)
		time.Sleep(time.Hour)
		require.NoError(w, w.take(w.patient(), "a"))
		require.Equal(w, []apiserver.Request{
			{Time: began, User: "anonymous", Verb: "get", Resource: "leases", Namespace: ns, Name: "none", Code: 404},
			{Time: began.Add(time.Hour), User: "a", Verb: "update", Resource: "leases", Namespace: ns, Name: "seat", Code: 200},
		}, w.Requests())
		require.Equal(w, 2, w.CountRequests(""))
		require.Equal(w, 1, w.CountRequests("a"))
		require.Equal(w, 1, w.CountRequests("", "get", "list"))
		w.ForgetRequests()
		require.Empty(w, w.Requests())
	})
}

func TestInAServerOfTheUsersOwn(t *testing.T) {
	c := apiserver.New(apiserver.Options{})
	server := httptest.NewServer(c)
	defer server.Close()
	defer c.Close()
	_, err := c.CreateLease(&coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "seat"}})
	require.NoError(t, err)
	client, err := coordclient.NewForConfig(&rest.Config{Host: server.URL, BearerToken: "a", QPS: -1})
	require.NoError(t, err)
	watch, err := client.Leases(ns).Watch(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.EqualValues(t, "ADDED", (<-watch.ResultChan()).Type)
	c.Link("a").Cut()
	for e := range watch.ResultChan() {
		require.EqualValues(t, "ERROR", e.Type)
	}
	err = client.Leases(ns).Delete(t.Context(), "seat", metav1.DeleteOptions{})
	require.ErrorIs(t, err, io.EOF)
	require.NotNil(t, c.Lease(ns, "seat"))
}
