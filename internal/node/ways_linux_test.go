package node

import (
	"encoding/json"
	"fmt"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/hotseat-go/hotseat/singleton/route"
)

// way is one in which requests get to the active.
type way struct {
	name      string
	component string // of examples/deploy; empty: a Service that leads to all replicas
	env       string // the replicas' WAY; empty: what the component tells them
	atEnd     string // the replicas' AT_END
	// single: the Service has at most one ready address at every version of its EndpointSlices.
	single bool
	// bare changes the Service's endpoints by hand; nil: they never change. from may be nil.
	bare func(f *front, from, to *corev1.Pod)
	// events are the names of those that are played; none: all.
	events []string
}

func ways() []way {
	return []way{
		byGate(), byLabel(), bySlice(),
		{
			name: "by slice, Drain", component: "traffic-by-slice", atEnd: "drain", single: true,
			bare: drained, events: []string{"handover", "rollout"},
		},
		{
			name: "by slice, Leave", component: "traffic-by-slice", atEnd: "leave", single: true,
			bare: overwritten, events: []string{"handover", "crash", "rollout"},
		},
	}
}

// byGate has the Service lead to all replicas. Those that are not active refuse.
func byGate() way { return way{name: "refusal by standbys", env: "gate"} }

// byLabel has it lead to the Pod with the label.
func byLabel() way {
	return way{name: "by label", component: "traffic-by-label", single: true, bare: relabelled}
}

// bySlice has the active write the EndpointSlice.
func bySlice() way {
	return way{name: "by slice", component: "traffic-by-slice", single: true, bare: emptied}
}

// relabelled takes the label from one Pod, and gives it to another.
func relabelled(f *front, from, to *corev1.Pod) {
	f.t.Helper()
	patch := func(pod *corev1.Pod, value string) {
		_, err := f.Plane().Admin().CoreV1().Pods(f.namespace).Patch(f.t.Context(), pod.Name,
			types.MergePatchType, fmt.Appendf(nil, `{"metadata": {"labels": {%q: %s}}}`, route.DefaultKey, value),
			metav1.PatchOptions{})
		require.NoError(f.t, err)
	}
	if from != nil {
		patch(from, "null")
	}
	patch(to, `"`+route.Active+`"`)
}

// emptied empties the slice before it has another address.
func emptied(f *front, from, to *corev1.Pod) {
	f.t.Helper()
	if from != nil {
		f.slice()
	}
	f.slice(addressOf(to, true))
}

// drained marks the address as draining before there is another one.
func drained(f *front, from, to *corev1.Pod) {
	f.t.Helper()
	if from != nil {
		f.slice(addressOf(from, false))
	}
	f.slice(addressOf(to, true))
}

// overwritten is one change.
func overwritten(f *front, _, to *corev1.Pod) {
	f.t.Helper()
	f.slice(addressOf(to, true))
}

func addressOf(pod *corev1.Pod, ready bool) discoveryv1.Endpoint {
	serving, draining := true, !ready
	return discoveryv1.Endpoint{
		Addresses: []string{pod.Status.PodIP}, NodeName: &pod.Spec.NodeName,
		Conditions: discoveryv1.EndpointConditions{Ready: &ready, Serving: &serving, Terminating: &draining},
		TargetRef: &corev1.ObjectReference{
			Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID,
		},
	}
}

// slice writes the Service's only one.
func (f *front) slice(addresses ...discoveryv1.Endpoint) {
	f.t.Helper()
	name, number := "http", int32(8080)
	slice := discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Name: route.SliceNames("invoicer")[0], Labels: map[string]string{discoveryv1.LabelServiceName: "invoicer"},
		},
		AddressType: discoveryv1.AddressTypeIPv4, Endpoints: addresses,
		Ports: []discoveryv1.EndpointPort{{Name: &name, Port: &number}},
	}
	all := f.Plane().Admin().DiscoveryV1().EndpointSlices(f.namespace)
	_, err := all.Create(f.t.Context(), &slice, metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) {
		require.NoError(f.t, err)
		return
	}
	text, err := json.Marshal(map[string]any{"endpoints": append([]discoveryv1.Endpoint{}, addresses...)})
	require.NoError(f.t, err)
	_, err = all.Patch(f.t.Context(), slice.Name, types.MergePatchType, text, metav1.PatchOptions{})
	require.NoError(f.t, err)
}
