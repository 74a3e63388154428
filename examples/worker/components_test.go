package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/route"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// inPod has this process see what a replica sees that a component of examples/deploy has changed.
func inPod(t *testing.T, component string, pod *corev1.Pod) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../deploy/components", component, "kustomization.yaml"))
	require.NoError(t, err)
	var kustomization struct{ Patches []struct{ Patch string } }
	require.NoError(t, yaml.Unmarshal(text, &kustomization))
	require.Len(t, kustomization.Patches, 1)
	var deployment appsv1.Deployment
	require.NoError(t, yaml.Unmarshal([]byte(kustomization.Patches[0].Patch), &deployment))
	t.Setenv("POD_NAMESPACE", pod.Namespace)
	t.Setenv("POD_NAME", pod.Name)
	fields := map[string]string{
		"metadata.uid": string(pod.UID), "status.podIPs": "10.0.0.1", "spec.nodeName": "n",
	}
	for _, variable := range deployment.Spec.Template.Spec.Containers[0].Env {
		value := variable.Value
		if variable.ValueFrom != nil {
			value = fields[variable.ValueFrom.FieldRef.FieldPath]
		}
		require.NotEmpty(t, value, variable.Name)
		t.Setenv(variable.Name, value)
	}
	require.True(t, told())
}

// TestTraffic: with either component the Service leads here while the replica is active, and the
// replica answers then, and only then.
func TestTraffic(t *testing.T) {
	for _, component := range []string{"traffic-by-label", "traffic-by-slice"} {
		t.Run(component, func(t *testing.T) {
			cluster := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
			defer cluster.Close()
			admin, err := kubernetes.NewForConfig(cluster.RESTConfig("admin"))
			require.NoError(t, err)
			pod, err := admin.CoreV1().Pods("shop").Create(t.Context(), &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Name: "invoicer-0", Labels: map[string]string{"app": "invoicer"}},
			}, metav1.CreateOptions{})
			require.NoError(t, err)
			_, err = admin.CoreV1().Services("shop").Create(t.Context(), &corev1.Service{
				ObjectMeta: metav1.ObjectMeta{Name: "invoicer"},
				Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "http", Port: 80}}},
			}, metav1.CreateOptions{})
			require.NoError(t, err)
			inPod(t, component, pod)

			client, err := singleton.NewClient(cluster.RESTConfig(pod.Name))
			require.NoError(t, err)
			elector, server, work, err := assembled(client)
			require.NoError(t, err)
			ask := func() (int, string) {
				answer := httptest.NewRecorder()
				server.Handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
				body, err := io.ReadAll(answer.Body)
				require.NoError(t, err)
				return answer.Code, string(body)
			}
			here := func() bool {
				return labelled(t, admin) == pod.Name || published(t, admin) == "10.0.0.1"
			}
			code, _ := ask()
			require.Equal(t, http.StatusServiceUnavailable, code)
			require.False(t, here())
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- elector.Run(ctx, work) }()
			require.Eventually(t, here, time.Minute, time.Millisecond)
			code, body := ask()
			require.Equal(t, http.StatusOK, code)
			require.Contains(t, body, "invoicer-0 is active; token shop/invoicer@")
			cancel()
			require.NoError(t, <-done)
			code, _ = ask()
			require.Equal(t, http.StatusServiceUnavailable, code)
			require.Equal(t, component == "traffic-by-slice", here(), "the next active replaces a slice")
		})
	}
}

// labelled is the Pod with the label.
func labelled(t *testing.T, admin kubernetes.Interface) string {
	t.Helper()
	pods, err := admin.CoreV1().Pods("shop").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	for _, pod := range pods.Items {
		if pod.Labels[route.DefaultKey] == route.Active {
			return pod.Name
		}
	}
	return ""
}

// published is the address in the EndpointSlice.
func published(t *testing.T, admin kubernetes.Interface) string {
	t.Helper()
	slices, err := admin.DiscoveryV1().EndpointSlices("shop").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	for _, slice := range slices.Items {
		for _, endpoint := range slice.Endpoints {
			return endpoint.Addresses[0]
		}
	}
	return ""
}

// TestEvidence: the component sets what the guide's page on evidence does.
func TestEvidence(t *testing.T) {
	client, err := singleton.NewClient(&rest.Config{Host: "https://192.0.2.1"})
	require.NoError(t, err)
	inPod(t, "evidence", &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "invoicer-0"}})
	config, err := configured(client)
	require.NoError(t, err)
	require.NotNil(t, config.Evidence)
	require.Equal(t, lease.Timing{
		LeaseDuration: 60 * time.Second, RenewDeadline: 45 * time.Second, RetryPeriod: 4 * time.Second,
	}, config.Timing)
	_, _, _, err = assembled(client)
	require.NoError(t, err)
}

func TestWrong(t *testing.T) {
	require.False(t, told())
	for name, value := range map[string]string{
		envEvidence: "nodes", envTraffic: "mesh", "LEASE_DURATION": "60", "RETRY_PERIOD": "-1s",
	} {
		t.Run(name, func(t *testing.T) {
			client, err := singleton.NewClient(&rest.Config{Host: "https://192.0.2.1"})
			require.NoError(t, err)
			t.Setenv("POD_NAMESPACE", "shop")
			t.Setenv(name, value)
			_, _, _, err = assembled(client)
			require.Error(t, err)
		})
	}
}

// What the Deployment, Prometheus and people ask for is there.
func TestPages(t *testing.T) {
	client, err := singleton.NewClient(&rest.Config{Host: "https://192.0.2.1"})
	require.NoError(t, err)
	elector, err := singleton.New(client, singleton.Config{Name: "invoicer", Namespace: "shop"})
	require.NoError(t, err)
	for path, want := range map[string]int{
		"/livez": http.StatusOK, "/readyz": http.StatusServiceUnavailable, "/metrics": http.StatusOK,
		"/status": http.StatusOK, "/": http.StatusNotFound,
	} {
		answer := httptest.NewRecorder()
		probes(elector).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, http.NoBody))
		require.Equal(t, want, answer.Code, path)
	}
}
