package objectstore_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/examples/objectstore"
	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/guardtest"
)

// Two replicas, each with a store of its own. In a service the elector announces the tokens
// (singleton.Config{Guards: []fencing.Guard{store}}), and the work takes its token from the context.
func Example() {
	backend := s3mem.New()
	if err := backend.CreateBucket("shop"); err != nil {
		panic(err)
	}
	server := httptest.NewServer(gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server())
	defer server.Close()
	replica := func() *objectstore.Store {
		client := s3.New(s3.Options{
			BaseEndpoint: &server.URL, UsePathStyle: true, Region: "us-east-1", Credentials: aws.AnonymousCredentials{},
		})
		store, err := objectstore.New(client, "shop", "invoicer/", fencing.Scope("shop", "invoicer"))
		if err != nil {
			panic(err)
		}
		return store
	}
	ctx := context.Background()
	first := fencing.Token{Scope: fencing.Scope("shop", "invoicer"), Epoch: 41, Term: "0123456789abcdef0123456789abcdef"}
	second := fencing.Token{Scope: fencing.Scope("shop", "invoicer"), Epoch: 42, Term: "9f86d081884c7d659a2feaa0c55ad015"}

	a, b := replica(), replica()
	fmt.Println("a:", a.Announce(ctx, first), a.Put(ctx, first, "report", []byte("by a")))
	fmt.Println("b:", b.Announce(ctx, second))
	fmt.Println("a, stale:", errors.Is(a.Put(ctx, first, "report", []byte("late, by a")), fencing.ErrStale))
	report, err := b.Get(ctx, "report")
	fmt.Println(string(report), err)

	// Output:
	// a: <nil> <nil>
	// b: <nil>
	// a, stale: true
	// by a <nil>
}

func TestNewRefuses(t *testing.T) {
	_, err := objectstore.New(nil, "", "", fencing.Scope("shop", "invoicer"))
	require.ErrorContains(t, err, "bucket")
	_, err = objectstore.New(nil, "shop", "", "two words")
	require.ErrorIs(t, err, fencing.ErrMalformed)
}

// What a stale term uploads is in the bucket, and nowhere in the manifest.
func TestStaleUploadIsNotFound(t *testing.T) {
	client := newClient(t, newServer(t).URL)
	store, err := objectstore.New(client, bucket, "", guardtest.Scope)
	require.NoError(t, err)
	require.NoError(t, store.Put(t.Context(), guardtest.Token(2, 0), "report", []byte("current")))
	require.ErrorIs(t, store.Put(t.Context(), guardtest.Token(1, 0), "report", []byte("stale")), fencing.ErrStale)
	list, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(bucket), Prefix: aws.String("data/")})
	require.NoError(t, err)
	require.Len(t, list.Contents, 2)
	got, err := store.Get(t.Context(), "report")
	require.NoError(t, err)
	require.Equal(t, "current", string(got))
	_, err = store.Get(t.Context(), "other")
	require.ErrorIs(t, err, objectstore.ErrNotFound)
}
