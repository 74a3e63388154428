//go:build unix

package main

import (
	"context"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/hotseat-go/hotseat/internal/controlplane"
)

// Two operators, of which the first greets until it is stopped, and then the second. On a real API
// server, before and after.
func TestStory(t *testing.T) {
	ctrl.SetLogger(logr.Discard())
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Minute) // a first build
	defer cancel()
	cluster, err := controlplane.Start(ctx, controlplane.Options{Progress: os.Stderr})
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	for name, run := range map[string]func(context.Context, operator) error{"before": before, "after": after} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, cluster.Namespace(ctx, name))
			leases := cluster.Admin().CoordinationV1().Leases(name)
			_, err := leases.Create(ctx, &coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "greeter.example.com"}},
				metav1.CreateOptions{})
			require.NoError(t, err)
			holder := func() string {
				lease, err := leases.Get(ctx, "greeter.example.com", metav1.GetOptions{})
				require.NoError(t, err)
				if lease.Spec.HolderIdentity == nil {
					return ""
				}
				return *lease.Spec.HolderIdentity
			}
			start := func() func() {
				ctx, cancel := context.WithCancel(ctx)
				o := operator{config: cluster.AdminConfig(), namespace: name, options: options(name)}
				o.options.Metrics.BindAddress = "0"
				skip := true // both run in this process
				o.options.Controller.SkipNameValidation = &skip
				done := make(chan error, 1)
				go func() { done <- run(ctx, o) }()
				stop := sync.OnceFunc(func() {
					cancel()
					require.NoError(t, <-done)
				})
				t.Cleanup(stop)
				return stop
			}
			maps := cluster.Admin().CoreV1().ConfigMaps(name)
			greeted := func(who string) (epoch int64) {
				_, err := maps.Create(ctx, &corev1.ConfigMap{
					ObjectMeta: metav1.ObjectMeta{Name: who}, Data: map[string]string{"name": who},
				}, metav1.CreateOptions{})
				require.NoError(t, err)
				require.Eventually(t, func() bool {
					object, err := maps.Get(ctx, who, metav1.GetOptions{})
					require.NoError(t, err)
					epoch, _ = strconv.ParseInt(object.Data["epoch"], 10, 64)
					return object.Data["greeting"] == "Hello, "+who
				}, time.Minute, 20*time.Millisecond)
				return epoch
			}

			stop := start()
			first := greeted("ann")
			active := holder()
			require.NotEmpty(t, active)
			start()
			stop()
			second := greeted("bob")
			require.NotEqual(t, active, holder())
			if name == "after" {
				require.Positive(t, first)
				require.Greater(t, second, first, "tokens grow")
			}
		})
	}
}
