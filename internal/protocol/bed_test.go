package protocol_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/protocol"
	"github.com/hotseat-go/hotseat/lease"
)

const ns, name = "shop", "invoicer"

// bed is a cluster in a bubble with two candidates.
type bed struct {
	*testing.T
	c    *apiserver.Cluster
	a, b *protocol.Lock
}

func inBed(t *testing.T, o apiserver.Options, f func(b *bed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := apiserver.New(o)
		defer c.Close()
		b := &bed{T: t, c: c}
		b.a, b.b = b.lock("a"), b.lock("b")
		f(b)
	})
}

func (b *bed) options(id string) protocol.Options {
	return protocol.Options{Namespace: ns, Name: name, Identity: id, Timing: lease.Timing{}.WithDefaults()}
}

func (b *bed) lock(id string) *protocol.Lock {
	return protocol.NewLock(b.c.Client(id).Leases(ns), b.options(id))
}

// trip is one HTTP request: pass hands it to the server.
type trip func(r *http.Request, pass http.RoundTripper) (*http.Response, error)

func (t trip) through(pass http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) { return t(r, pass) })
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// lockThrough returns a's Lock behind a proxy.
func (b *bed) lockThrough(t trip) *protocol.Lock {
	config := b.c.RESTConfig("a")
	config.Wrap(t.through)
	client, err := kubernetes.NewForConfig(config)
	require.NoError(b, err)
	return protocol.NewLock(client.CoordinationV1().Leases(ns), b.options("a"))
}

func answer(r *http.Request, code int, body string) *http.Response {
	return &http.Response{
		StatusCode: code, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(body)), Request: r,
	}
}

// ship stores an unheld Lease.
func (b *bed) ship(edits ...func(*coordv1.Lease)) {
	l := &coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}}
	for _, edit := range edits {
		edit(l)
	}
	_, err := b.c.CreateLease(l)
	require.NoError(b, err)
}

// edit asserts, because faults and proxies call it, on goroutines of their own.
func (b *bed) edit(f func(*coordv1.Lease)) { assert.NoError(b, b.c.EditLease(ns, name, f)) }

func (b *bed) annotate(key, value string) {
	b.edit(func(l *coordv1.Lease) { metav1.SetMetaDataAnnotation(&l.ObjectMeta, key, value) })
}

func (b *bed) label(value string) {
	b.edit(func(l *coordv1.Lease) { metav1.SetMetaDataLabel(&l.ObjectMeta, "team", value) })
}

func (b *bed) list(l *protocol.Lock) protocol.Observation {
	b.Helper()
	o, err := l.List(b.Context())
	require.NoError(b, err)
	return o
}

// claim mints a term over what is there now.
func (b *bed) claim(l *protocol.Lock) (from protocol.Record, c protocol.Claim) {
	b.Helper()
	o := b.list(l)
	c, err := l.Claim(o, protocol.EpochInputs{})
	require.NoError(b, err)
	require.True(b, c.Sent.IsZero(), "nothing was written")
	return o.Record, c
}

func (b *bed) take(l *protocol.Lock) (protocol.Claim, error) {
	b.Helper()
	from, c := b.claim(l)
	return l.Take(b.Context(), from, c)
}

func (b *bed) acquire(l *protocol.Lock) protocol.Claim {
	b.Helper()
	claim, err := b.take(l)
	require.NoError(b, err)
	return claim
}

func (b *bed) stored() protocol.Record { return protocol.NewRecord(b.c.Lease(ns, name)) }

func (b *bed) epoch() int64 {
	b.Helper()
	epoch, err := b.stored().Epoch()
	require.NoError(b, err)
	return epoch
}

// holds requires that the stored Lease carries the term of c, and that c was
// acknowledged.
func (b *bed) holds(c protocol.Claim) {
	b.Helper()
	token, ok := b.stored().Token()
	require.True(b, ok)
	require.Equal(b, c.Token, token)
	require.False(b, c.Sent.IsZero())
}

// prove has v look at what was there before.
func (b *bed) prove(l *protocol.Lock, v *protocol.View) {
	b.Helper()
	r := v.Record()
	before, looked, err := l.Before(b.Context(), r)
	require.NoError(b, err)
	*v = v.Proved(r, before, looked)
}

// result of a request on a goroutine of its own.
type result struct {
	claim protocol.Claim
	err   error
}

func (b *bed) beside(request func(ctx context.Context) (protocol.Claim, error)) <-chan result {
	done := make(chan result, 1)
	ctx := context.WithoutCancel(b.Context())
	go func() {
		c, err := request(ctx)
		done <- result{c, err}
	}()
	synctest.Wait()
	return done
}

// writes are the faults' verbs.
var writes = []string{"update", "patch"}
