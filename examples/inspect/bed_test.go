package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

// anonymous is the user that the program is: client-go sends a file's credentials over TLS only.
const anonymous = "anonymous"

// bed is an API server with the Leases of a namespace, and the program beside it.
type bed struct {
	t          *testing.T
	server     *apiserver.Cluster
	url        string
	kubeconfig string
	env        map[string]string
	now        func() time.Time // the program's clock
}

func newBed(t *testing.T) *bed {
	b := &bed{t: t, server: apiserver.New(apiserver.Options{}), env: map[string]string{}, now: time.Now}
	t.Cleanup(b.server.Close)
	url, err := b.server.Listen()
	require.NoError(t, err)
	b.use(url)
	return b
}

// use has the program reach the API server at a URL.
func (b *bed) use(url string) {
	b.url, b.kubeconfig = url, filepath.Join(b.t.TempDir(), "config")
	require.NoError(b.t, clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"c": {Server: url}},
		Contexts:       map[string]*clientcmdapi.Context{"x": {Cluster: "c", Namespace: "shop"}},
		CurrentContext: "x",
	}, b.kubeconfig))
}

// result is what a run of the program did.
type result struct {
	code           int
	stdout, stderr string
}

func (b *bed) run(args ...string) result {
	var stdout, stderr bytes.Buffer
	code := b.runTo(b.t.Context(), &stdout, &stderr, args...)
	return result{code, stdout.String(), stderr.String()}
}

func (b *bed) runTo(ctx context.Context, stdout, stderr io.Writer, args ...string) int {
	p := program{
		stdout: stdout, stderr: stderr, getenv: func(key string) string { return b.env[key] }, now: b.now,
	}
	return p.run(ctx, append(args, "--kubeconfig", b.kubeconfig))
}

// exits runs the program, which must exit with that code, and returns what it wrote.
func (b *bed) exits(code int, args ...string) string {
	b.t.Helper()
	r := b.run(args...)
	require.Equal(b.t, code, r.code, "%v\n%s%s", args, r.stdout, r.stderr)
	if code == exitError {
		require.Contains(b.t, r.stderr, "error: ")
		return r.stderr
	}
	require.Empty(b.t, r.stderr)
	return r.stdout
}

// status is what status says of the one Lease, as JSON.
func (b *bed) status(code int, args ...string) (report, entry) {
	b.t.Helper()
	var found report
	out := b.exits(code, append([]string{"status", "invoicer", "-o", "json"}, args...)...)
	require.NoError(b.t, json.Unmarshal([]byte(out), &found), out)
	require.Len(b.t, found.Leases, 1)
	return found, found.Leases[0]
}

func (b *bed) create(name string, annotations map[string]string) {
	_, err := b.server.CreateLease(&coordv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Annotations: annotations},
	})
	require.NoError(b.t, err)
}

func (b *bed) edit(edit func(*coordv1.Lease)) {
	require.NoError(b.t, b.server.EditLease("shop", "invoicer", edit))
}

func (b *bed) record() lease.Record { return lease.NewRecord(b.server.Lease("shop", "invoicer")) }

// replica is an elector that runs until the test ends or stop is called.
type running struct {
	elector *singleton.Elector
	stop    func()
}

// start starts a replica of invoicer. Its work returns a while after its context's end.
func (b *bed) start(name string, drain time.Duration) running {
	elector, err := singleton.New(b.server.Client(name), singleton.Config{
		Namespace: "shop", Name: "invoicer",
		Replica: singleton.ReplicaConfig{Identity: name},
		Logger:  slog.New(slog.DiscardHandler),
		Timing: lease.Timing{
			LeaseDuration: 6 * time.Second, RenewDeadline: 4 * time.Second, RetryPeriod: 500 * time.Millisecond,
		},
	})
	require.NoError(b.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() {
		_ = elector.Run(ctx, func(ctx context.Context, _ *singleton.Term) error {
			<-ctx.Done()
			time.Sleep(drain)
			return nil
		})
	})
	r := running{elector, func() { cancel(); all.Wait() }}
	b.t.Cleanup(r.stop)
	return r
}

// active starts the replica a, and returns once it is active.
func (b *bed) active(drain time.Duration) running {
	b.create("invoicer", nil)
	a := b.start("a", drain)
	require.Eventually(b.t, a.elector.IsActive, 30*time.Second, 10*time.Millisecond)
	return a
}

// pod makes a Pod of the service.
func (b *bed) pod(name string, ready bool, edit ...func(*corev1.Pod)) {
	condition := corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionFalse}
	if ready {
		condition.Status = corev1.ConditionTrue
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: name, Labels: map[string]string{"app": "invoicer", "pod-template-hash": name},
		},
		Spec: corev1.PodSpec{NodeName: "n1", Containers: []corev1.Container{{Name: "worker", Image: "worker"}}},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{condition},
		},
	}
	for _, e := range edit {
		e(pod)
	}
	config, err := b.server.LoopbackConfig("setup")
	require.NoError(b.t, err)
	client, err := kubernetes.NewForConfig(config)
	require.NoError(b.t, err)
	_, err = client.CoreV1().Pods("shop").Create(b.t.Context(), pod, metav1.CreateOptions{})
	require.NoError(b.t, err)
}
