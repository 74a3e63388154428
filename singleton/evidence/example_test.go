package evidence_test

import (
	"fmt"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/evidence"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// In a Pod, the zero Config is enough: the service account's token says which Pod it is. This
// example runs in none, so it has to name one.
func ExampleNewPods() {
	cluster := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
	defer cluster.Close()
	client := cluster.Client("a") // in a service: singleton.DefaultClient()

	pods, err := evidence.NewPods(client, evidence.Config{Namespace: "shop", Pod: "invoicer-0"})
	if err != nil {
		panic(err)
	}
	guard, err := fencing.NewMemory(fencing.MemoryConfig{}) // in a service: where the writes go
	if err != nil {
		panic(err)
	}
	_, err = singleton.New(client, singleton.Config{
		Name: "invoicer", Namespace: "shop", Guards: []fencing.Guard{guard}, Evidence: pods,
		Timing: lease.Timing{
			LeaseDuration: time.Minute, RenewDeadline: 45 * time.Second, RetryPeriod: 4 * time.Second,
		},
	})
	fmt.Println(err)
	// Output: <nil>
}
