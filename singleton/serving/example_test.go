package serving_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/serving"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// serve is a service that answers on the active only.
func serve(elector *singleton.Elector, invoices http.Handler) (*serving.Gate, *http.Server) {
	gate := serving.NewGate(elector)
	mux := http.NewServeMux()
	mux.Handle("/active", elector.RoleHandler())           // for load balancers
	mux.Handle("/invoices/", gate.RequireActive(invoices)) // on the active only
	return gate, &http.Server{Handler: mux, ConnState: gate.ConnState}
}

func Example() {
	cluster := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
	defer cluster.Close()
	elector, err := singleton.New(cluster.Client("a"), singleton.Config{ // in a service: singleton.DefaultClient
		Namespace: "shop", Name: "invoicer", Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		panic(err)
	}
	gate, server := serve(elector, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := fencing.FromContext(r.Context()) // for a guard
		fmt.Fprint(w, "invoices of ", token.Scope)
	}))
	front := httptest.NewServer(server.Handler) // in a service: server.ListenAndServe
	defer front.Close()
	get := func() {
		answer, err := http.Get(front.URL + "/invoices/")
		if err != nil {
			panic(err)
		}
		defer answer.Body.Close()
		body, _ := io.ReadAll(answer.Body)
		if answer.StatusCode != http.StatusOK {
			body = []byte("again after " + answer.Header.Get("Retry-After") + " s")
		}
		fmt.Println(answer.StatusCode, string(body))
	}
	get()
	err = elector.Run(context.Background(), gate.Work(func(context.Context, *singleton.Term) error {
		get()
		return nil
	}))
	fmt.Println(err)
	// Output:
	// 503 again after 1 s
	// 200 invoices of shop/invoicer
	// <nil>
}

// A request of any protocol.
func ExampleGate_Enter() {
	cluster := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
	defer cluster.Close()
	elector, err := singleton.New(cluster.Client("a"), singleton.Config{
		Namespace: "shop", Name: "invoicer", Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		panic(err)
	}
	gate := serving.NewGate(elector)
	answer := func(ctx context.Context) (string, error) {
		entry, err := gate.Enter(ctx)
		if err != nil {
			return "", err
		}
		defer entry.Leave()
		balance := "42" // read with entry.Context()
		return balance, entry.Err()
	}
	fmt.Println(answer(context.Background()))
	// Output: serving: this replica is not active (stopped), nobody holds the Lease
}
