//go:build unix

package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	newer "k8s.io/client-go/tools/events"
	"k8s.io/client-go/tools/record"

	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/events"
)

// mayTell gives the shipped Role the rights that the guide names, in an API group of Events.
func mayTell(group string) func(*rbacv1.Role) {
	return func(role *rbacv1.Role) {
		role.Rules = append(role.Rules, rbacv1.PolicyRule{
			APIGroups: []string{group}, Resources: []string{"events"}, Verbs: []string{"create", "patch"},
		})
	}
}

// broadcaster is client-go's, over the sink of package events.
func (s shop) broadcaster() events.Recorder {
	sink, err := events.NewSink(s.config())
	require.NoError(s.t, err)
	b := record.NewBroadcaster()
	s.t.Cleanup(b.Shutdown)
	b.StartRecordingToSink(sink)
	return b.NewRecorder(runtime.NewScheme(), corev1.EventSource{Component: "invoicer", Host: "node-1"})
}

// telling makes a replica tell the recorder.
func (s shop) telling(recorder events.Recorder) func(*singleton.Config) {
	reporter, err := events.New(recorder, events.Config{})
	require.NoError(s.t, err)
	return func(c *singleton.Config) { c.Hooks = singleton.JoinHooks(c.Hooks, reporter.Hooks()) }
}

// told are the Events about the Lease, as kubectl describe finds them, once there are so many.
func (s shop) told(many int) map[string]corev1.Event {
	s.t.Helper()
	l, err := s.leases().Get(s.t.Context(), leaseName, metav1.GetOptions{})
	require.NoError(s.t, err)
	about := fields.Set{
		"involvedObject.kind": "Lease", "involvedObject.namespace": s.namespace,
		"involvedObject.name": leaseName, "involvedObject.uid": string(l.UID),
	}
	byReason := map[string]corev1.Event{}
	require.Eventually(s.t, func() bool {
		list, err := s.Admin().CoreV1().Events(s.namespace).List(s.t.Context(),
			metav1.ListOptions{FieldSelector: about.String()})
		if err != nil {
			return false
		}
		for _, e := range list.Items {
			byReason[e.Reason] = e
		}
		return len(list.Items) >= many
	}, patience, 100*time.Millisecond, "%d Events", many)
	return byReason
}

func TestEventsOfATerm(t *testing.T) {
	s := openShop(t, sharedCluster(t), mayTell(""))
	a := s.replica("a", s.telling(s.broadcaster()))
	s.works(a)
	began := s.told(1)["BecameActive"]
	require.Equal(t, "Normal", began.Type)
	require.Contains(t, began.Message, a.elector.Identity()+" became active with epoch ")
	require.Equal(t, "coordination.k8s.io/v1", began.InvolvedObject.APIVersion)
	require.Equal(t, corev1.EventSource{Component: "invoicer", Host: "node-1"}, began.Source)
	require.EqualValues(t, 1, began.Count)

	a.elector.Resign()
	s.works(a)
	require.Contains(t, s.told(3)["Resigned"].Message, "is not active any more: it resigned")
	a.stop()
	require.NoError(t, <-a.done)
	end := s.told(4)["ShutDown"]
	require.Equal(t, "Normal", end.Type)
	require.Contains(t, end.Message, a.elector.Identity()+" is not active any more: it is shutting down")
}

// With the shipped Role and no more, each Event is refused, and nothing else is.
func TestEventsThatAreForbidden(t *testing.T) {
	s := openShop(t, sharedCluster(t), nil)
	a := s.replica("a", s.telling(s.broadcaster()))
	s.works(a)
	b := s.replica("b", s.telling(s.broadcaster()))
	s.idles(b, time.Second)
	a.stop()
	require.NoError(t, <-a.done)
	s.works(b)
	require.NotContains(t, a.log.String()+b.log.String(), "level=WARN")
	require.Empty(t, s.told(0))
}

// The recorder of client-go's newer package, for programs that have a clientset.
func TestEventsOfTheNewerRecorder(t *testing.T) {
	s := openShop(t, sharedCluster(t), mayTell("events.k8s.io"))
	clientset, err := kubernetes.NewForConfig(s.config())
	require.NoError(t, err)
	b := newer.NewBroadcaster(&newer.EventSinkImpl{Interface: clientset.EventsV1()})
	defer b.Shutdown()
	require.NoError(t, b.StartRecordingToSinkWithContext(t.Context()))
	a := s.replica("a", s.telling(events.FromEvents(b.NewRecorder(runtime.NewScheme(), "invoicer"))))
	s.works(a)
	began := s.told(1)["BecameActive"]
	require.Equal(t, "Elect", began.Action)
	require.Equal(t, "invoicer", began.ReportingController)
	require.Contains(t, began.Message, a.elector.Identity())
}
