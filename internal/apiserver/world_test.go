package apiserver_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	coordclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/internal/apiserver"
)

const ns = "prod"

// world is a cluster with one Lease, reached in one of two ways.
type world struct {
	*testing.T
	*apiserver.Cluster
	config   func(user string) (*rest.Config, error)
	loopback bool
	// unit is the time scale: long for the machine, short for the test.
	unit time.Duration
}

// both runs a script in memory inside a bubble, and over loopback in real time.
func both(t *testing.T, script func(w *world)) {
	t.Run("memory", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := apiserver.New(apiserver.Options{})
			defer c.Close()
			script((&world{T: t, Cluster: c, config: inMemory(c), unit: time.Minute}).prepared())
		})
	})
	t.Run("loopback", func(t *testing.T) {
		t.Parallel()
		c := apiserver.New(apiserver.Options{})
		defer c.Close()
		script((&world{T: t, Cluster: c, config: c.LoopbackConfig, loopback: true, unit: 300 * time.Millisecond}).prepared())
	})
}

func inMemory(c *apiserver.Cluster) func(user string) (*rest.Config, error) {
	return func(user string) (*rest.Config, error) { return c.RESTConfig(user), nil }
}

// bubble runs a script in memory, in virtual time.
func bubble(t *testing.T, o apiserver.Options, script func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		c := apiserver.New(o)
		defer c.Close()
		script((&world{T: t, Cluster: c, config: inMemory(c), unit: time.Minute}).prepared())
	})
}

func (w *world) prepared() *world {
	_, err := w.CreateLease(&coordv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "seat"},
		Spec:       coordv1.LeaseSpec{HolderIdentity: new("nobody")},
	})
	require.NoError(w, err)
	return w
}

func (w *world) leases(user string) coordclient.LeaseInterface {
	leases, err := w.reach(user)
	require.NoError(w, err)
	return leases
}

// reach is leases for other goroutines than the test's.
func (w *world) reach(user string) (coordclient.LeaseInterface, error) {
	config, err := w.config(user)
	if err != nil {
		return nil, err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return client.CoordinationV1().Leases(ns), nil
}

// patient returns a context that outlives every fault of a script.
func (w *world) patient() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*w.unit)
	w.Cleanup(cancel)
	return ctx
}

// within returns a context that ends after d.
func (w *world) within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	w.Cleanup(cancel)
	return ctx
}

// take makes user the holder, and tells how it went.
func (w *world) take(ctx context.Context, user string) error {
	lease := w.Lease(ns, "seat")
	lease.Spec.HolderIdentity = &user
	leases, err := w.reach(user)
	if err != nil {
		return err
	}
	_, err = leases.Update(ctx, lease, metav1.UpdateOptions{})
	return err
}

func (w *world) holder() string { return *w.Lease(ns, "seat").Spec.HolderIdentity }

// edit changes the holder behind everybody's back. It asserts, because faults and timers call it.
func (w *world) edit(holder string) {
	assert.NoError(w, w.EditLease(ns, "seat", func(l *coordv1.Lease) { l.Spec.HolderIdentity = &holder }))
}

// watch opens a watch from now on.
func (w *world) watch(user string) apiwatch.Interface {
	watch, err := w.leases(user).Watch(w.patient(), metav1.ListOptions{ResourceVersion: w.Revision()})
	require.NoError(w, err)
	w.Cleanup(watch.Stop)
	return watch
}

// sees requires the next event to show this holder.
func (w *world) sees(watch apiwatch.Interface, holder string) {
	w.Helper()
	select {
	case e, open := <-watch.ResultChan():
		require.True(w, open, "the watch ended")
		require.Equal(w, apiwatch.Modified, e.Type, "%v", e.Object)
		require.Equal(w, holder, *e.Object.(*coordv1.Lease).Spec.HolderIdentity)
	case <-time.After(20 * w.unit):
		require.FailNow(w, "no event")
	}
}

// silent requires that nothing comes for a while, not even the end.
func (w *world) silent(watch apiwatch.Interface) {
	w.Helper()
	select {
	case e, open := <-watch.ResultChan():
		require.FailNow(w, "not silent", "%v %v", e, open)
	case <-time.After(w.unit):
	}
}

// ends requires the watch to end with nothing more than the client's own error event.
func (w *world) ends(watch apiwatch.Interface) (errors []error) {
	w.Helper()
	for {
		select {
		case e, open := <-watch.ResultChan():
			if !open {
				return errors
			}
			require.Equal(w, apiwatch.Error, e.Type)
			errors = append(errors, statusError(e.Object))
		case <-time.After(20 * w.unit):
			require.FailNow(w, "the watch goes on")
		}
	}
}
