package node

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// endpoints looks at every version of the EndpointSlices of a Service.
type endpoints struct {
	watch watch.Interface
	all   sync.WaitGroup

	mu       sync.Mutex
	slices   map[string][]string // the ready addresses of each
	versions int
	most     int    // addresses that were ready at once
	when     string // the version, and which they were
	broken   error  // the watch ended by itself
	stopped  bool
}

// watchEndpoints begins before there are any.
func watchEndpoints(t *testing.T, c *Cluster, namespace, service string) *endpoints {
	t.Helper()
	slices := c.Plane().Admin().DiscoveryV1().EndpointSlices(namespace)
	of := metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + service}
	list, err := slices.List(t.Context(), of)
	require.NoError(t, err)
	require.Empty(t, list.Items)
	of.ResourceVersion = list.ResourceVersion
	w, err := slices.Watch(context.Background(), of)
	require.NoError(t, err)
	e := &endpoints{watch: w, slices: map[string][]string{}}
	e.all.Go(e.follow)
	t.Cleanup(e.stop)
	return e
}

func (e *endpoints) stop() {
	e.mu.Lock()
	e.stopped = true
	e.mu.Unlock()
	e.watch.Stop()
	e.all.Wait()
}

func (e *endpoints) follow() {
	for event := range e.watch.ResultChan() {
		e.see(event)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.stopped && e.broken == nil {
		e.broken = fmt.Errorf("the watch of EndpointSlices ended after %d versions", e.versions)
	}
}

func (e *endpoints) see(event watch.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	slice, is := event.Object.(*discoveryv1.EndpointSlice)
	if !is {
		e.broken = fmt.Errorf("the watch of EndpointSlices: %v", event.Object)
		return
	}
	e.versions++
	var ready []string
	for _, endpoint := range slice.Endpoints {
		if endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready { // nil means ready
			ready = append(ready, endpoint.Addresses...)
		}
	}
	if event.Type == watch.Deleted {
		ready = nil
	}
	e.slices[slice.Name] = ready
	var all []string
	for _, addresses := range e.slices {
		all = append(all, addresses...)
	}
	if len(all) > e.most {
		e.most, e.when = len(all), fmt.Sprintf("at version %s: %v", slice.ResourceVersion, all)
	}
}

// verdict is how many versions there were, and the most addresses that were ready at one of them.
func (e *endpoints) verdict() (versions, most int, when string, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.versions, e.most, e.when, e.broken
}
