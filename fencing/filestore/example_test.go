package filestore_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/filestore"
)

// A server in front of one resource is restarted. Its guard still knows the newest term.
func Example() {
	dir, err := os.MkdirTemp("", "marks") // in a service: a lasting folder beside the resource
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()

	serve := func(token fencing.Token) error {
		store, err := filestore.Open(dir)
		if err != nil {
			return err
		}
		defer func() { _ = store.Close() }()
		guard, err := fencing.NewDurable(store, fencing.MemoryConfig{})
		if err != nil {
			return err
		}
		_, leave, err := guard.Enter(context.Background(), token)
		if err != nil {
			return err
		}
		defer leave()
		return nil // write
	}
	older := fencing.Token{Scope: fencing.Scope("shop", "invoicer"), Epoch: 41, Term: "0123456789abcdef0123456789abcdef"}
	newer := fencing.Token{Scope: fencing.Scope("shop", "invoicer"), Epoch: 42, Term: "9f86d081884c7d659a2feaa0c55ad015"}
	fmt.Println(serve(newer))
	fmt.Println(errors.Is(serve(older), fencing.ErrStale))
	// Output:
	// <nil>
	// true
}
