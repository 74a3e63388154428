package writegate_test

import (
	"context"
	"errors"
	"fmt"

	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	coordclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/kubefence"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
	"github.com/hotseat-go/hotseat/singleton/writegate"
)

// gated returns the config for everything that writes while this replica is active.
func gated(config *rest.Config, elector *singleton.Elector) (*rest.Config, error) {
	gate, err := writegate.New(writegate.Config{Terms: elector})
	if err != nil {
		return nil, err
	}
	return gate.Wrap(config), nil
}

// The elector has the plain config; everything else writes through the gate.
func Example() {
	cluster := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
	defer cluster.Close()
	config := cluster.RESTConfig("a") // in a service: rest.InClusterConfig()

	client, err := singleton.NewClient(config)
	if err != nil {
		panic(err)
	}
	elector, err := singleton.New(client, singleton.Config{Name: "invoicer", Namespace: "shop"})
	if err != nil {
		panic(err)
	}
	gatedConfig, err := gated(config, elector)
	if err != nil {
		panic(err)
	}
	app, err := coordclient.NewForConfig(gatedConfig) // or kubernetes.NewForConfig
	if err != nil {
		panic(err)
	}

	write := func(ctx context.Context) error {
		object := &coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "bill"}}
		_, err := app.Leases("shop").Create(ctx, object, metav1.CreateOptions{})
		return err
	}
	if err := write(context.Background()); errors.Is(err, writegate.ErrNotActive) {
		fmt.Println("before the term:", err)
	}
	_ = elector.Run(context.Background(), func(ctx context.Context, _ *singleton.Term) error {
		fmt.Println("in the term:", write(ctx))
		return nil
	})
	// Output:
	// before the term: Post "http://apiserver.invalid/apis/coordination.k8s.io/v1/namespaces/shop/leases": writegate: POST /apis/coordination.k8s.io/v1/namespaces/shop/leases was not sent: this replica has no term
	// in the term: <nil>
}

// Gate and policy are about the same resources. The gate stamps, and the API server refuses stale
// stamps.
func ExampleConfig_stamp() {
	cluster := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
	defer cluster.Close()
	elector, err := singleton.New(cluster.Client("a"), singleton.Config{Name: "invoicer", Namespace: "shop"})
	if err != nil {
		panic(err)
	}
	gate, err := writegate.New(writegate.Config{
		Terms: elector,
		Stamp: []schema.GroupResource{{Resource: "configmaps"}, {Group: "apps", Resource: "deployments"}},
	})
	if err != nil {
		panic(err)
	}
	policy := kubefence.Policy{
		Name: "invoicer", Scope: fencing.Scope("shop", "invoicer"), Resources: gate.Stamped(), Required: true,
		Objects: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "invoicer"}},
	}
	_, _, err = policy.Build() // a manifest, for whoever may create policies: policy.YAML()
	fmt.Println(policy.Resources, err)
	// Output: [configmaps deployments.apps] <nil>
}
