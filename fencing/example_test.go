package fencing_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hotseat-go/hotseat/fencing"
)

// ledger is a resource that only the current term may write to.
type ledger struct {
	guard *fencing.Memory
	lines []string
}

func (l *ledger) append(ctx context.Context, line string) error {
	token, _ := fencing.FromContext(ctx) // without one it is the zero Token, which the guard refuses
	ctx, leave, err := l.guard.Enter(ctx, token)
	if err != nil {
		return err
	}
	defer leave()
	if err := ctx.Err(); err != nil { // slow work asks again before each effect
		return context.Cause(ctx)
	}
	l.lines = append(l.lines, line)
	return nil
}

// A replica that was frozen past the end of its term wakes up and writes. Its successor's token was
// announced meanwhile, so the resource refuses the write.
func Example() {
	guard, err := fencing.NewMemory(fencing.MemoryConfig{})
	if err != nil {
		panic(err)
	}
	book := &ledger{guard: guard}

	// The elector does this at the start of each term: it announces the token, then puts it into the
	// work's context.
	begin := func(token fencing.Token) context.Context {
		if err := guard.Announce(context.Background(), token); err != nil {
			panic(err)
		}
		return fencing.NewContext(context.Background(), token)
	}

	first := begin(fencing.Token{Scope: fencing.Scope("shop", "invoicer"), Epoch: 41, Term: "0123456789abcdef0123456789abcdef"})
	fmt.Println("first:", book.append(first, "invoice 1"))

	second := begin(fencing.Token{Scope: fencing.Scope("shop", "invoicer"), Epoch: 42, Term: "9f86d081884c7d659a2feaa0c55ad015"})
	err = book.append(first, "invoice 1, once more")
	if stale, ok := errors.AsType[*fencing.StaleError](err); ok {
		fmt.Println("first: refused, the mark is", stale.Mark.Epoch)
	}
	fmt.Println("second:", book.append(second, "invoice 2"))
	fmt.Println("nobody:", book.append(context.Background(), "invoice 3"))
	fmt.Println(book.lines)

	// Output:
	// first: <nil>
	// first: refused, the mark is 42
	// second: <nil>
	// nobody: fencing: no token
	// [invoice 1 invoice 2]
}

// Work in flight is ended by a newer token, and the newer token waits until it has left.
func ExampleMemory_Enter() {
	guard, err := fencing.NewMemory(fencing.MemoryConfig{})
	if err != nil {
		panic(err)
	}
	older := fencing.Token{Scope: fencing.Scope("shop", "invoicer"), Epoch: 41, Term: "0123456789abcdef0123456789abcdef"}
	newer := fencing.Token{Scope: fencing.Scope("shop", "invoicer"), Epoch: 42, Term: "9f86d081884c7d659a2feaa0c55ad015"}

	ctx, leave, err := guard.Enter(context.Background(), older)
	if err != nil {
		panic(err)
	}
	admitted := make(chan error)
	go func() { admitted <- guard.Announce(context.Background(), newer) }()

	<-ctx.Done() // a delayed request wakes up here
	fmt.Println("older: stale", errors.Is(context.Cause(ctx), fencing.ErrStale))
	fmt.Println("older: canceled", errors.Is(context.Cause(ctx), context.Canceled))
	leave()
	fmt.Println("newer:", <-admitted)

	// Output:
	// older: stale true
	// older: canceled true
	// newer: <nil>
}

func ExampleParseToken() {
	token, err := fencing.ParseToken("shop/invoicer@42.9f86d081884c7d659a2feaa0c55ad015")
	fmt.Println(token.Scope, token.Epoch, err)

	_, err = fencing.ParseToken("shop/invoicer@042.9f86d081884c7d659a2feaa0c55ad015")
	fmt.Println(errors.Is(err, fencing.ErrMalformed))

	// Output:
	// shop/invoicer 42 <nil>
	// true
}

func ExampleToken_MarshalText() {
	data, err := json.Marshal(map[string]fencing.Token{
		"token": {Scope: fencing.Scope("shop", "invoicer"), Epoch: 9007199254740993, Term: "9f86d081884c7d659a2feaa0c55ad015"},
	})
	fmt.Println(string(data), err)

	// Output:
	// {"token":"shop/invoicer@9007199254740993.9f86d081884c7d659a2feaa0c55ad015"} <nil>
}
