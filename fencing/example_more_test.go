package fencing_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/filestore"
)

// A Durable guard remembers its mark after its process has ended.
func ExampleDurable() {
	dir, err := os.MkdirTemp("", "marks")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	open := func() *fencing.Durable {
		store, err := filestore.Open(dir)
		if err != nil {
			panic(err)
		}
		guard, err := fencing.NewDurable(store, fencing.MemoryConfig{})
		if err != nil {
			panic(err)
		}
		return guard
	}
	ctx, scope := context.Background(), fencing.Scope("shop", "invoicer")
	token := fencing.Token{Scope: scope, Epoch: 7, Term: "0123456789abcdef0123456789abcdef"}
	fmt.Println(open().Announce(ctx, token))

	after := open() // in the next process
	token.Epoch = 6
	fmt.Println(errors.Is(after.Check(ctx, token), fencing.ErrStale))
	// Output:
	// <nil>
	// true
}

// A migration writes without a token. A search of the code for AllowUnfenced finds it.
func ExampleAllowUnfenced() {
	guard, err := fencing.NewMemory(fencing.MemoryConfig{})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	fmt.Println(guard.Check(ctx, fencing.Token{}))
	ctx = fencing.AllowUnfenced(ctx, "migration 42")
	fmt.Println(guard.Check(ctx, fencing.Token{}))
	// Output:
	// fencing: no token
	// <nil>
}
