package objectstore_test

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const bucket = "shop"

// newServer returns the address, host:port, of an object store in this process with an empty bucket.
func newServer(t testing.TB) *httptest.Server {
	t.Helper()
	backend := s3mem.New()
	require.NoError(t, backend.CreateBucket(bucket))
	server := httptest.NewServer(gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server())
	t.Cleanup(server.Close)
	return server
}

// newClient returns a client with connections of its own.
func newClient(t testing.TB, url string, options ...func(*s3.Options)) *s3.Client {
	t.Helper()
	transport := awshttp.NewBuildableClient()
	return s3.New(s3.Options{
		BaseEndpoint: &url, UsePathStyle: true, Region: "us-east-1", Credentials: aws.AnonymousCredentials{}, HTTPClient: transport,
	}, options...)
}

func put(t testing.TB, c *s3.Client, key, body string, alter ...func(*s3.PutObjectInput)) (etag string, err error) {
	t.Helper()
	in := &s3.PutObjectInput{Bucket: aws.String(bucket), Key: &key, Body: strings.NewReader(body)}
	for _, f := range alter {
		f(in)
	}
	out, err := c.PutObject(t.Context(), in, func(o *s3.Options) { o.Retryer = aws.NopRetryer{} })
	if err != nil {
		return "", err
	}
	return aws.ToString(out.ETag), nil
}

func ifMatch(etag string) func(*s3.PutObjectInput) {
	return func(in *s3.PutObjectInput) { in.IfMatch = &etag }
}

func ifNone(in *s3.PutObjectInput) { in.IfNoneMatch = aws.String("*") }

// race lets n clients put on one condition at the same time. It returns how many were let in, and the ETag that won.
func race(t *testing.T, clients []*s3.Client, key, round string, condition func(*s3.PutObjectInput)) (won int, etag string) {
	t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	start := make(chan struct{})
	for i, c := range clients {
		all.Go(func() {
			<-start
			got, err := put(t, c, key, fmt.Sprint(round, "/", i), condition)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won, etag = won+1, got
				return
			}
			answer, ok := errors.AsType[*awshttp.ResponseError](err)
			assert.True(t, ok && answer.HTTPStatusCode() == 412, "%v", err)
		})
	}
	close(start)
	all.Wait()
	return won, etag
}

// What the recipe stands on, asked of the double: of writers with one condition one is let in, also at the same instant.
func TestDoubleComparesAndSwapsAtOnce(t *testing.T) {
	server := newServer(t)
	var clients []*s3.Client
	for range 8 {
		clients = append(clients, newClient(t, server.URL))
	}
	for round := range 15 {
		key := fmt.Sprint("fresh/", round)
		won, etag := race(t, clients, key, "first", ifNone)
		require.Equal(t, 1, won, "If-None-Match: *")
		stale := etag
		for n := range 3 {
			won, etag = race(t, clients, key, fmt.Sprint(n), ifMatch(etag))
			require.Equal(t, 1, won, "If-Match")
		}
		won, _ = race(t, clients, key, "stale", ifMatch(stale))
		require.Zero(t, won, "a stale If-Match")
	}
}

// The first trap of the package's documentation: an ETag knows nothing of metadata, so a mark that is kept there fences nobody.
func TestDoubleHasETagsOfContentOnly(t *testing.T) {
	c := newClient(t, newServer(t).URL)
	stamp := func(token string) func(*s3.PutObjectInput) {
		return func(in *s3.PutObjectInput) { in.Metadata = map[string]string{"fencing-token": token} }
	}
	read, err := put(t, c, "report", "same", stamp("41"))
	require.NoError(t, err)
	raised, err := put(t, c, "report", "same", stamp("42"), ifMatch(read))
	require.NoError(t, err)
	require.Equal(t, read, raised)
	_, err = put(t, c, "report", "stale", stamp("41"), ifMatch(read))
	require.NoError(t, err, "the stale write is let in, although the mark in the metadata is 42")
}
