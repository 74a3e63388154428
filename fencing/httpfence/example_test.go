package httpfence_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/httpfence"
)

// A store behind a guard, and two replicas: the older one wakes up and writes beside its successor.
func Example() {
	// The server: one process in front of the data.
	guard, err := fencing.NewMemory(fencing.MemoryConfig{})
	if err != nil {
		panic(err)
	}
	guarded, err := httpfence.NewServer(httpfence.ServerConfig{Guard: guard, Scope: fencing.Scope("shop", "invoicer")})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/guard", guarded.Endpoint())
	mux.Handle("/invoices", guarded.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusCreated) // r.Context ends when a newer term arrives
	})))
	server := httptest.NewServer(mux)
	defer server.Close()

	// A replica: singleton.Config{Guards: []fencing.Guard{remote}}, and a client for the work.
	remote, err := httpfence.NewRemote(server.URL+"/guard", nil)
	if err != nil {
		panic(err)
	}
	transport, err := httpfence.NewTransport(httpfence.TransportConfig{Server: server.URL})
	if err != nil {
		panic(err)
	}
	client := &http.Client{Transport: transport}
	write := func(ctx context.Context) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/invoices", strings.NewReader("invoice 1"))
		if err != nil {
			panic(err)
		}
		answer, err := client.Do(r)
		if err != nil {
			return err
		}
		return answer.Body.Close()
	}

	// What the elector does at the start of a term: announce, then put the token into the work's context.
	begin := func(token fencing.Token) context.Context {
		if err := remote.Announce(context.Background(), token); err != nil {
			panic(err)
		}
		return fencing.NewContext(context.Background(), token)
	}
	first := begin(fencing.Token{Scope: fencing.Scope("shop", "invoicer"), Epoch: 41, Term: "0123456789abcdef0123456789abcdef"})
	fmt.Println(write(first))
	second := begin(fencing.Token{Scope: fencing.Scope("shop", "invoicer"), Epoch: 42, Term: "9f86d081884c7d659a2feaa0c55ad015"})
	fmt.Println(write(second))
	if stale, ok := errors.AsType[*fencing.StaleError](write(first)); ok {
		fmt.Println("refused: the mark is", stale.Mark.Epoch)
	}

	// Output:
	// <nil>
	// <nil>
	// refused: the mark is 42
}
