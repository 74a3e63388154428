package writegate_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/singleton/writegate"
)

// What passes on a standby, and what does not.
func TestWhatPasses(t *testing.T) {
	const maps, body = "/api/v1/namespaces/shop/configmaps", "{}"
	const upgrade = "Upgrade: SPDY/3.1"
	l := newLab(t)
	for _, tt := range []struct {
		method, path, body, header string
		passes                     bool
	}{
		{method: "", path: maps, passes: true},
		{method: "GET", path: maps, passes: true},
		{method: "HEAD", path: maps, passes: true},
		{method: "OPTIONS", path: maps, passes: true},
		{method: "GET", path: maps + "?watch=true", passes: true},
		{method: "POST", path: maps, body: body},
		{method: "PUT", path: maps + "/x", body: body},
		{method: "PATCH", path: maps + "/x", body: body},
		{method: "DELETE", path: maps + "/x"},
		{method: "DELETE", path: maps},
		{method: "CONNECT", path: maps},
		{method: "BREW", path: maps},
		{method: "POST", path: "/elsewhere", body: body},

		// Connections.
		{method: "GET", path: "/api/v1/namespaces/shop/pods/x/exec", header: upgrade},
		{method: "POST", path: "/api/v1/namespaces/shop/pods/x/portforward", header: upgrade},
		{method: "GET", path: "/api/v1/namespaces/shop/pods/x/exec?dryRun=All", header: upgrade},
		{method: "POST", path: "/api/v1/namespaces/shop/pods/x/attach?dryRun=All"},
		{method: "POST", path: "/api/v1/namespaces/shop/services/x/proxy/pay?dryRun=All"},
		{method: "GET", path: "/api/v1/namespaces/shop/services/x/proxy/pay", passes: true},
		{method: "GET", path: "/api/v1/namespaces/shop/services/x/proxy/pay", header: upgrade},

		// client-go's own clients add the field Upgrade below the gate.
		{method: "GET", path: "/api/v1/namespaces/shop/pods/x/exec", header: "Sec-WebSocket-Protocol: v5.channel.k8s.io"},
		{method: "GET", path: "/api/v1/namespaces/shop/pods/x/portforward", header: "X-Stream-Protocol-Version: portforward.k8s.io"},
		{method: "GET", path: "/apis/example.com/v1/namespaces/shop/machines/x/console", header: "Sec-WebSocket-Protocol: plain"},
		{method: "GET", path: "/api/v1/namespaces/shop/pods/x/exec"},
		{method: "GET", path: "/api/v1/namespaces/shop/pods/x/attach"},
		{method: "HEAD", path: "/api/v1/namespaces/shop/pods/x/portforward"},
		{method: "GET", path: "/api/v1/namespaces/shop/pods/exec", passes: true},

		// Reviews.
		{method: "POST", path: "/apis/authorization.k8s.io/v1/subjectaccessreviews", body: body, passes: true},
		{method: "POST", path: "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body: body, passes: true},
		{method: "POST", path: "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", body: body, passes: true},
		{method: "POST", path: "/apis/authorization.k8s.io/v1/namespaces/shop/localsubjectaccessreviews", body: body, passes: true},
		{method: "POST", path: "/apis/authentication.k8s.io/v1/tokenreviews", body: body, passes: true},
		{method: "POST", path: "/apis/authentication.k8s.io/v1beta1/selfsubjectreviews", body: body, passes: true},
		{method: "POST", path: "/apis/example.com/v1/tokenreviews", body: body},
		{method: "PUT", path: "/apis/authentication.k8s.io/v1/tokenreviews/x", body: body},
		{method: "POST", path: "/api/v1/namespaces/shop/serviceaccounts/x/token", body: body},
		{method: "POST", path: "/api/v1/namespaces/shop/pods/x/eviction", body: body},

		// Dry runs.
		{method: "POST", path: maps + "?dryRun=All", body: body, passes: true},
		{method: "PUT", path: maps + "/x?dryRun=All", body: body, passes: true},
		{method: "PATCH", path: maps + "/x?dryRun=All&force=true", body: body, passes: true},
		{method: "POST", path: "/api/v1/namespaces/shop/pods/x/eviction?dryRun=All", body: body, passes: true},
		{method: "DELETE", path: maps + "/x?dryRun=All", passes: true},
		{method: "DELETE", path: maps + "/x?dryRun=All", body: body},
		{method: "PUT", path: maps + "/x?dryRun=", body: body},
		{method: "PUT", path: maps + "/x?dryRun=None", body: body},
		{method: "PUT", path: maps + "/x?dryRun=All&dryRun=None", body: body},
		{method: "POST", path: "/elsewhere?dryRun=All", body: body},

		// The elector's own Lease.
		{method: "PUT", path: "/apis/coordination.k8s.io/v1/namespaces/shop/leases/invoicer", body: body, passes: true},
		{method: "PATCH", path: "/apis/coordination.k8s.io/v1/namespaces/shop/leases/invoicer", body: body, passes: true},
		{method: "POST", path: "/apis/coordination.k8s.io/v1/namespaces/shop/leases", body: `{"metadata":{"name":"invoicer"}}`, passes: true},
		{method: "POST", path: "/apis/coordination.k8s.io/v1/namespaces/shop/leases", body: `{"metadata":{"name":"bill"}}`},
		{method: "POST", path: "/apis/coordination.k8s.io/v1/namespaces/shop/leases", body: `{"metadata":`},
		{method: "POST", path: "/apis/coordination.k8s.io/v1/namespaces/other/leases", body: `{"metadata":{"name":"invoicer"}}`},
		{method: "PUT", path: "/apis/coordination.k8s.io/v1/namespaces/other/leases/invoicer", body: body},
		{method: "PUT", path: "/apis/example.com/v1/namespaces/shop/leases/invoicer", body: body},
		{method: "DELETE", path: "/apis/coordination.k8s.io/v1/namespaces/shop/leases"},
	} {
		name := tt.method + " " + tt.path + " " + tt.body
		for _, prefix := range []string{"", "/k8s/clusters/c-1"} {
			server := &seen{}
			config := l.gate().Wrap(&rest.Config{Host: "http://api" + prefix + "/", Transport: server})
			client, err := rest.HTTPClientFor(config)
			require.NoError(t, err)
			request, err := http.NewRequestWithContext(t.Context(), tt.method, "http://api"+prefix+tt.path, nil)
			if tt.body != "" {
				request, err = http.NewRequestWithContext(t.Context(), tt.method, "http://api"+prefix+tt.path, strings.NewReader(tt.body))
			}
			require.NoError(t, err)
			if key, value, ok := strings.Cut(tt.header, ": "); ok {
				request.Header.Set(key, value)
			}
			answer, err := client.Do(request)
			if tt.passes {
				require.NoError(t, err, name)
				require.NoError(t, answer.Body.Close())
				require.Equal(t, tt.body, server.bodies[0], name)
				continue
			}
			require.ErrorIs(t, err, writegate.ErrNotActive, name)
			require.Zero(t, server.count(), name)
		}
	}
}

// Below another path than the config's, nothing is known about a request, so it is a write.
func TestPathOutsideOfThePrefix(t *testing.T) {
	l := newLab(t)
	gated := l.gate().Wrap(&rest.Config{Host: "api/k8s", Transport: &seen{}})
	client, err := rest.HTTPClientFor(gated)
	require.NoError(t, err)
	for _, path := range []string{"/api/v1", "/k8sapi/v1", "/k8s2/api/v1"} {
		_, err = client.Post("http://api"+path+"/namespaces/shop/configmaps?dryRun=All", "application/json", strings.NewReader("{}"))
		require.ErrorIs(t, err, writegate.ErrNotActive, path)
	}
}

func TestAllow(t *testing.T) {
	l, server := newLab(t), &seen{}
	gate := l.gate(func(c *writegate.Config) {
		c.Allow = func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/events") }
	})
	client := &http.Client{Transport: gate.Transport(server)}
	_, err := client.Post("http://api/api/v1/namespaces/shop/events", "application/json", strings.NewReader("{}"))
	require.NoError(t, err)
	_, err = client.Post("http://api/api/v1/namespaces/shop/configmaps", "application/json", strings.NewReader("{}"))
	require.ErrorIs(t, err, writegate.ErrNotActive)
	require.Equal(t, 1, server.count())
}
