package singleton_test

import (
	"context"
	"fmt"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// In a service the client comes from [singleton.InCluster].
func Example() {
	cluster := singletontest.New(singletontest.Options{})
	defer cluster.Close()
	if _, err := cluster.CreateLease(newLease()); err != nil {
		panic(err)
	}
	ledger, err := fencing.NewMemory(fencing.MemoryConfig{}) // where the data is
	if err != nil {
		panic(err)
	}
	elector, err := singleton.New(cluster.Client("a"), singleton.Config{
		Name:      "invoicer",
		Namespace: "shop",
		Fences:    []fencing.Guard{ledger},
		Logger:    quiet(),
	})
	if err != nil {
		panic(err)
	}
	err = elector.Run(context.Background(), func(ctx context.Context, term *singleton.Term) error {
		token, _ := fencing.FromContext(ctx)
		fmt.Println("the ledger takes this term's writes:", ledger.Check(ctx, token) == nil)
		older := token
		older.Epoch--
		fmt.Println("and no earlier one's:", ledger.Check(ctx, older) != nil)
		return nil
	})
	fmt.Println("done:", err)
	// Output:
	// the ledger takes this term's writes: true
	// and no earlier one's: true
	// done: <nil>
}
