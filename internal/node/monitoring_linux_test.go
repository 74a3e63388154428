package node

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/internal/e2e/manifests"
	"github.com/hotseat-go/hotseat/internal/monitoring"
	"github.com/hotseat-go/hotseat/internal/monitoring/scraper"
	"github.com/hotseat-go/hotseat/lease"
)

const monitoringHead = `## Alerts and dashboard on real nodes

Written by ` + "`make node`" + ` on %s: Kubernetes %s, containerd %s, runc %s, two nodes; %s.
Three replicas of examples/deploy with its components evidence and monitoring, and a lease duration of
5 s. Prometheus scrapes the Pods each second. All times of the alerts are divided by %d.

| what happens | alerts that fired |
|---|---|
`

// watched is examples/deploy with examples/worker in it, scraped by a real Prometheus.
type watched struct {
	*Cluster
	t    *testing.T
	prom *scraper.Prometheus
}

// TestMonitoring: in a rollout and a crash no alert fires. In an API outage, and while two are active,
// those fire that should, and no others. Every panel of the dashboard that is not of a guard has data.
func TestMonitoring(t *testing.T) {
	if testing.Short() {
		t.Skip("TestShort is the short run")
	}
	c := newCluster(t, Options{Nodes: 2, Images: []Image{
		{Name: workerImage, Module: "../..", Package: "./examples/worker"},
	}})
	w := watched{Cluster: c, t: t}
	// Prometheus is not in the network of Pods, but this process is.
	pods := &http.Transport{DialContext: c.DialPod}
	proxy := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		answer, err := pods.RoundTrip(r)
		if err != nil {
			http.Error(out, err.Error(), http.StatusBadGateway)
			return
		}
		defer answer.Body.Close()
		maps.Copy(out.Header(), answer.Header)
		out.WriteHeader(answer.StatusCode)
		_, _ = io.Copy(out, answer.Body)
	}))
	t.Cleanup(proxy.Close)
	var err error
	w.prom, err = scraper.Start(t.Context(), scraper.Config{
		Dir: t.TempDir(), Below: "../monitoring", Proxy: proxy.URL,
		Relabel: []any{map[string]any{ // a second cluster's, of the same names
			"source_labels": []string{"namespace"}, "regex": "shop2", "target_label": "namespace", "replacement": "shop",
		}},
	})
	require.NoError(t, err)
	t.Cleanup(w.prom.Close)
	w.deploy("shop")
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); w.discover(ctx) }()
	t.Cleanup(func() { stop(); <-done })

	began := time.Now()
	var rows strings.Builder
	for _, s := range []struct {
		what  string
		fires []string
		play  func()
	}{
		{"nothing, for 15 s", nil, func() { time.Sleep(15 * time.Second) }},
		{"a rollout", nil, func() {
			w.kubectl("shop", "", "rollout", "restart", "deployment/invoicer")
			w.complete("shop")
		}},
		{"the active's process is killed", nil, w.crash},
		{"the API server is gone for 20 s", []string{"HotseatNoneActive", "HotseatRenewalsNearDeadline"}, func() {
			w.Plane().API.Kill()
			time.Sleep(20 * time.Second)
			require.NoError(t, w.Plane().StartAPI(t.Context()))
		}},
		{"two namespaces are taken for one, so that two are active", []string{"HotseatTwoActive"}, func() {
			w.deploy("shop2")
			time.Sleep(15 * time.Second)
			w.kubectl("shop2", "", "delete", "deployment", "invoicer", "--wait=true")
		}},
	} {
		w.awaitQuiet()
		from := time.Now()
		s.play()
		time.Sleep(10 * time.Second)
		fired, err := w.prom.Fired(t.Context(), from, time.Now())
		require.NoError(t, err)
		t.Logf("%s: %v", s.what, fired)
		require.Equal(t, s.fires, fired, s.what)
		fmt.Fprintf(&rows, "| %s | %s |\n", s.what, orNone(fired))
	}
	d, err := monitoring.ReadDashboard("../monitoring")
	require.NoError(t, err)
	d.Panels = slices.DeleteFunc(d.Panels, func(p monitoring.Panel) bool {
		return strings.Contains(fmt.Sprint(p.Targets), "hotseat_guard_") // the worker has none
	})
	panels, missing, err := w.prom.Panels(t.Context(), d, began, time.Now())
	require.NoError(t, err)
	require.Empty(t, missing)
	require.Greater(t, len(panels), 12)
	report(t, "6-monitoring", fmt.Sprintf(monitoringHead, time.Now().UTC().Format(time.DateOnly), c.Plane().Version,
		c.Containerd(), c.Runc(), w.prom.Version, scraper.Factor)+rows.String()+
		fmt.Sprintf("\nEvery query of %d panels returned data. Panels about guards are left out: the worker has none.\n", len(panels)))
}

func orNone(fired []string) string {
	if len(fired) == 0 {
		return "none"
	}
	return strings.Join(fired, ", ")
}

func (w watched) kubectl(namespace, stdin string, args ...string) string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), endurance)
	defer cancel()
	out, err := w.Kubectl(ctx, stdin, append([]string{"-n", namespace}, args...)...)
	require.NoError(w.t, err, out)
	return out
}

// deploy applies the manifests, but for the operator's objects, with short timings.
func (w watched) deploy(namespace string) {
	w.t.Helper()
	w.kubectl("", "", "create", "namespace", namespace)
	text := shipped(w.t, []string{"evidence", "monitoring"}, func(container map[string]any) {
		container["image"] = workerImage
		for _, v := range container["env"].([]any) {
			variable := v.(map[string]any)
			short := map[any]string{"LEASE_DURATION": "5s", "RENEW_DEADLINE": "3500ms", "RETRY_PERIOD": "500ms"}
			if value, is := short[variable["name"]]; is {
				variable["value"] = value
			}
		}
	})
	objects := slices.DeleteFunc(strings.Split(text, "---\n"), func(o string) bool {
		return strings.Contains(o, "apiVersion: "+manifests.Monitoring+"\n")
	})
	w.kubectl(namespace, strings.Join(objects, "---\n"), "apply", "-f", "-")
	w.complete(namespace)
}

func (w watched) complete(namespace string) {
	w.t.Helper()
	w.kubectl(namespace, "", "rollout", "status", "deployment/invoicer", "--timeout=2m50s")
}

// discover tells Prometheus which Pods there are, as the operator's PodMonitor does, until ctx ends.
// While the API server is away, it goes on with those that it knows.
func (w watched) discover(ctx context.Context) {
	for ctx.Err() == nil {
		pods, err := w.Plane().Admin().CoreV1().Pods("").List(ctx, metav1.ListOptions{LabelSelector: "app=invoicer"})
		if err == nil {
			var targets []scraper.Target
			for _, p := range pods.Items {
				if p.Status.PodIP != "" && p.Status.Phase == corev1.PodRunning {
					targets = append(targets, scraper.Target{
						Addr: p.Status.PodIP + ":8080", Labels: map[string]string{"namespace": p.Namespace, "pod": p.Name},
					})
				}
			}
			_ = w.prom.Scrape(targets) // the next look tries again
		}
		select {
		case <-time.After(500 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// crash kills the active's process, which the kubelet starts anew.
func (w watched) crash() {
	w.t.Helper()
	before := w.holder()
	l := lab{Cluster: w.Cluster, t: w.t, namespace: "shop"}
	require.NoError(w.t, unix.Kill(l.processOf(before), unix.SIGKILL))
	require.Eventually(w.t, func() bool { return w.holder() != before }, time.Minute, 100*time.Millisecond)
	w.complete("shop")
}

// holder is the Pod that the Lease names.
func (w watched) holder() string {
	w.t.Helper()
	l, err := w.Plane().Admin().CoordinationV1().Leases("shop").Get(w.t.Context(), "invoicer", metav1.GetOptions{})
	require.NoError(w.t, err)
	record := lease.NewRecord(l)
	pod, _, _ := strings.Cut(record.Holder(), "_")
	return pod
}

// awaitQuiet waits until one is active, nothing fires, and no alert looks back on what was before.
func (w watched) awaitQuiet() {
	w.t.Helper()
	quiet := 0
	require.Eventually(w.t, func() bool {
		now, err := w.prom.Quiet(w.t.Context())
		if quiet++; err != nil || !now {
			quiet = 0
		}
		return quiet == 3
	}, 2*endurance, time.Second)
}
