package kubefence_test

import (
	"context"
	"errors"
	"fmt"

	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/kubefence"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// A frozen active wakes up and writes an object on which its successor was announced meanwhile.
func Example() {
	cluster := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "shard-7"}) // it has no objects but Leases
	defer cluster.Close()
	shards, err := kubefence.New(cluster.Client("a").Leases("shop"), kubefence.Config{Scope: fencing.Scope("shop", "invoicer")})
	if err != nil {
		panic(err)
	}
	guard, err := kubefence.NewGuard(shards.Object("shard-7")) // for singleton.Config.Guards
	if err != nil {
		panic(err)
	}
	write := func(t fencing.Token, owner string) error {
		_, err := shards.Update(context.Background(), t, "shard-7", func(l *coordv1.Lease) error {
			l.Spec.HolderIdentity = &owner
			return nil
		})
		return err
	}

	first := fencing.Token{Scope: fencing.Scope("shop", "invoicer"), Epoch: 41, Term: "0123456789abcdef0123456789abcdef"}
	fmt.Println("first:", write(first, "first"))
	second := fencing.Token{Scope: fencing.Scope("shop", "invoicer"), Epoch: 42, Term: "9f86d081884c7d659a2feaa0c55ad015"}
	fmt.Println("announced:", guard.Announce(context.Background(), second))
	if stale, ok := errors.AsType[*fencing.StaleError](write(first, "first again")); ok {
		fmt.Println("first: refused, the mark is", stale.Mark.Epoch)
	}
	fmt.Println("second:", write(second, "second"))

	// Output:
	// first: <nil>
	// announced: <nil>
	// first: refused, the mark is 42
	// second: <nil>
}

// The manifest of a policy that guards the ConfigMaps of one application in the namespace shop.
func ExamplePolicy() {
	manifest, err := kubefence.Policy{
		Name: "invoicer-fencing", Scope: fencing.Scope("shop", "invoicer"),
		Resources:  []schema.GroupResource{{Resource: "configmaps"}},
		Namespaces: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": "shop"}},
		Objects:    &metav1.LabelSelector{MatchLabels: map[string]string{"app": "invoicer"}},
		Deleters:   []string{"system:serviceaccount:shop:invoicer"},
	}.YAML()
	if err != nil {
		panic(err)
	}
	fmt.Println(len(manifest) > 0) // kubectl apply -f
	// Output: true
}
