package route_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/route"
	"github.com/hotseat-go/hotseat/singleton/serving"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// labelled runs work with the traffic of a Service that selects the label.
func labelled(
	ctx context.Context, client *singleton.Client, elector *singleton.Elector, gate *serving.Gate,
	work singleton.Work,
) error {
	router, err := route.ByLabel(client, route.LabelConfig{Pods: "app=invoicer"})
	if err != nil {
		return err
	}
	return elector.Run(ctx, gate.Work(router.Work(work)))
}

// The active's Pod has the label while its work runs. The gate refuses what arrives before or after,
// and closes the connections of a term that is over.
func ExampleByLabel() {
	s := newShop()
	defer s.close()
	gate := serving.NewGate(s.elector)
	server := &http.Server{ConnState: gate.ConnState, Handler: gate.RequireActive(http.NotFoundHandler())}
	defer func() { _ = server.Close() }()

	work := func(ctx context.Context, _ *singleton.Term) error {
		for s.label() == "" {
			time.Sleep(time.Millisecond)
		}
		fmt.Println("in work:", s.label())
		return nil
	}
	err := labelled(context.Background(), s.client, s.elector, gate, work)
	fmt.Printf("afterwards: %q %v\n", s.label(), err)
	// Output:
	// in work: active
	// afterwards: "" <nil>
}

// sliced runs work with the traffic of a Service without a selector.
func sliced(
	ctx context.Context, client *singleton.Client, elector *singleton.Elector, gate *serving.Gate,
	work singleton.Work,
) error {
	router, err := route.BySlice(client, route.SliceConfig{
		Service: "invoicer",
		Ports:   []route.Port{{Name: "http", Port: 8080}},
	})
	if err != nil {
		return err
	}
	return elector.Run(ctx, gate.Work(router.Work(work)))
}

// The EndpointSlice has the active's address while its work runs.
func ExampleBySlice() {
	s := newShop()
	defer s.close()
	work := func(ctx context.Context, _ *singleton.Term) error {
		for len(s.endpoints()) == 0 {
			time.Sleep(time.Millisecond)
		}
		fmt.Println("in work:", s.endpoints()[0].Addresses, s.endpoints()[0].TargetRef.Name)
		return nil
	}
	err := sliced(context.Background(), s.client, s.elector, serving.NewGate(s.elector), work)
	fmt.Println("afterwards:", len(s.endpoints()), err)
	// Output:
	// in work: [10.0.0.1] a
	// afterwards: 0 <nil>
}

// With Options.AwaitReady, the address is published when work says that it can serve.
func ExampleReady() {
	s := newShop()
	defer s.close()
	router, err := route.ByLabel(s.client, route.LabelConfig{
		Pods: "app=invoicer", Options: route.Options{AwaitReady: true, Logger: slog.New(slog.DiscardHandler)},
	})
	if err != nil {
		panic(err)
	}
	err = s.elector.Run(context.Background(), router.Work(func(ctx context.Context, _ *singleton.Term) error {
		// ... fill the cache ...
		fmt.Printf("%q\n", s.label())
		route.Ready(ctx)
		for s.label() == "" {
			time.Sleep(time.Millisecond)
		}
		fmt.Printf("%q\n", s.label())
		return nil
	}))
	fmt.Println(err)
	// Output:
	// ""
	// "active"
	// <nil>
}

// An error names each field that breaks a rule. A singleton.Client is made by NewClient.
func ExampleLabelConfig() {
	_, err := route.ByLabel(&singleton.Client{}, route.LabelConfig{
		Pods:    "app=invoicer,hotseat-go.github.io/role=active",
		Options: route.Options{Pod: route.Pod{Namespace: "shop", Name: "a", UID: "0f1e"}},
	})
	fmt.Println(err)
	// Output:
	// route: config: client "*singleton.Client" must have a RESTClient that is not nil
	// Pods "app=invoicer,hotseat-go.github.io/role=active" must not name the key hotseat-go.github.io/role: it selects all replicas, not only the active
}

// shop is an API server with the Pod of one replica, which the environment names.
type shop struct {
	cluster *singletontest.Cluster
	admin   kubernetes.Interface
	client  *singleton.Client
	elector *singleton.Elector
}

func newShop() *shop {
	cluster := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
	admin, err := kubernetes.NewForConfig(cluster.RESTConfig("admin"))
	must(err)
	pod, err := admin.CoreV1().Pods("shop").Create(context.Background(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "a", Labels: map[string]string{"app": "invoicer"}},
	}, metav1.CreateOptions{})
	must(err)
	for name, value := range map[string]string{
		"POD_NAMESPACE": "shop", "POD_NAME": "a", "POD_UID": string(pod.UID), "POD_IPS": "10.0.0.1",
	} {
		must(os.Setenv(name, value))
	}
	client, err := singleton.NewClient(cluster.RESTConfig("a")) // in a service: DefaultClient
	must(err)
	elector, err := singleton.New(client, singleton.Config{
		Namespace: "shop", Name: "invoicer", Logger: slog.New(slog.DiscardHandler),
	})
	must(err)
	return &shop{cluster, admin, client, elector}
}

func (s *shop) close() {
	s.cluster.Close()
	for _, name := range []string{"POD_NAMESPACE", "POD_NAME", "POD_UID", "POD_IPS"} {
		must(os.Unsetenv(name))
	}
}

func (s *shop) label() string {
	pod, err := s.admin.CoreV1().Pods("shop").Get(context.Background(), "a", metav1.GetOptions{})
	must(err)
	return pod.Labels[route.DefaultKey]
}

func (s *shop) endpoints() []discoveryv1.Endpoint {
	slices, err := s.admin.DiscoveryV1().EndpointSlices("shop").List(context.Background(), metav1.ListOptions{})
	must(err)
	var all []discoveryv1.Endpoint
	for _, slice := range slices.Items {
		all = append(all, slice.Endpoints...)
	}
	return all
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
