package singleton_test

import (
	"context"
	"fmt"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// In a service the client comes from [singleton.DefaultClient].
func Example() {
	cluster := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
	defer cluster.Close()
	ledger, err := fencing.NewMemory(fencing.MemoryConfig{}) // where the data is
	if err != nil {
		panic(err)
	}
	elector, err := singleton.New(cluster.Client("a"), singleton.Config{
		Name:      "invoicer",
		Namespace: "shop",
		Guards:    []fencing.Guard{ledger},
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

// The cluster is new and the database is old. The database's guard remembers epochs that are
// greater than the cluster's, and would refuse every term. Floor asks the guard first.
func ExampleConfig_floor() {
	cluster := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
	defer cluster.Close()
	database, err := fencing.NewMemory(fencing.MemoryConfig{}) // in a service, the guard of what is written: a sqlfence.Guard
	if err != nil {
		panic(err)
	}
	old := fencing.Token{Scope: fencing.Scope("shop", "invoicer"), Epoch: 5_000_000, Term: "0123456789abcdef0123456789abcdef"}
	if err := database.Announce(context.Background(), old); err != nil {
		panic(err)
	}

	elector, err := singleton.New(cluster.Client("a"), singleton.Config{
		Name:      "invoicer",
		Namespace: "shop",
		Guards:    []fencing.Guard{database},
		Fencing: singleton.FencingConfig{Floor: func(ctx context.Context) (int64, error) {
			mark, err := database.Mark(ctx, fencing.Scope("shop", "invoicer"))
			return mark.Epoch, err
		}},
		Logger: quiet(),
	})
	if err != nil {
		panic(err)
	}
	err = elector.Run(context.Background(), func(_ context.Context, term *singleton.Term) error {
		fmt.Println("at work in epoch", term.Token().Epoch)
		return nil
	})
	fmt.Println("done:", err)
	// Output:
	// at work in epoch 5000001
	// done: <nil>
}
