package writegate_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	coordclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
	"github.com/hotseat-go/hotseat/singleton/writegate"
)

func leases(t *testing.T, config *rest.Config) coordclient.LeaseInterface {
	client, err := coordclient.NewForConfig(config)
	require.NoError(t, err)
	return client.Leases("shop")
}

func object(name string) *coordv1.Lease {
	return &coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
}

// A clientset writes while the term is valid, and reads at any time.
func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		objects := leases(t, l.gate().Wrap(l.cluster.RESTConfig("app")))

		_, err := objects.Create(t.Context(), object("bill"), metav1.CreateOptions{})
		requireRefused(t, err, writegate.ReasonStandby)
		require.NotErrorIs(t, err, singleton.ErrLost, "it never had a term")
		_, err = objects.List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)

		term := l.lead()
		bill, err := objects.Create(t.Context(), object("bill"), metav1.CreateOptions{})
		require.NoError(t, err)
		require.NotContains(t, bill.Annotations, "hotseat-go.github.io/fencing-token", "nobody asked for stamps")

		l.lose(term)
		_, err = objects.Update(t.Context(), bill, metav1.UpdateOptions{})
		requireRefused(t, err, writegate.ReasonStandby)
		err = objects.Delete(t.Context(), "bill", metav1.DeleteOptions{})
		requireRefused(t, err, writegate.ReasonStandby)
		_, err = objects.Get(t.Context(), "bill", metav1.GetOptions{})
		require.NoError(t, err)
	})
}

// While work that has lost its term has not returned, the term is still known.
func TestGateOfALostTerm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		objects := leases(t, l.gate().Wrap(l.cluster.RESTConfig("app")))
		written := make(chan error, 1)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			_ = l.elector.Run(ctx, func(ctx context.Context, _ *singleton.Term) error {
				<-ctx.Done()
				_, err := objects.Create(context.WithoutCancel(ctx), object("bill"), metav1.CreateOptions{})
				written <- err
				return nil
			})
		}()
		term, err := l.elector.WaitActive(ctx)
		require.NoError(t, err)
		synctest.Wait()
		l.lose(term)
		err = <-written
		requireRefused(t, err, writegate.ReasonLost)
		require.ErrorIs(t, err, singleton.ErrLost)
		cancel()
		synctest.Wait()
	})
}

// While work drains for a shutdown, the Lease is kept, and so the gate is open.
func TestGateWhileWorkDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		objects := leases(t, l.gate().Wrap(l.cluster.RESTConfig("app")))
		ctx, cancel := context.WithCancel(t.Context())
		written, over := make(chan error, 1), make(chan error, 1)
		go func() {
			over <- l.elector.Run(ctx, func(ctx context.Context, term *singleton.Term) error {
				term.Resign()
				<-ctx.Done()
				_, err := objects.Create(context.WithoutCancel(ctx), object("bill"), metav1.CreateOptions{})
				written <- err
				return err
			})
		}()
		require.NoError(t, <-written)
		cancel()
		require.NoError(t, <-over)
	})
}

// What was begun in an earlier term is not written in a later one, if the context says so.
func TestRequestOfAnEarlierTerm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		objects := leases(t, l.gate().Wrap(l.cluster.RESTConfig("app")))
		term := l.lead()
		earlier := context.WithoutCancel(l.work)
		_, err := objects.Create(earlier, object("first"), metav1.CreateOptions{})
		require.NoError(t, err)
		term.Resign()
		time.Sleep(time.Minute)
		synctest.Wait()
		later, err := l.elector.WaitActive(t.Context())
		require.NoError(t, err)
		require.NotEqual(t, term.Token().Term, later.Token().Term)

		_, err = objects.Create(earlier, object("second"), metav1.CreateOptions{})
		requireRefused(t, err, writegate.ReasonOver)
		require.ErrorIs(t, err, singleton.ErrLost)
		_, err = objects.Create(t.Context(), object("second"), metav1.CreateOptions{})
		require.NoError(t, err, "a context without a token is of the current term")
		other := fencing.NewContext(t.Context(), fencing.Token{Scope: "shop/other", Epoch: 1, Term: strings.Repeat("0", 32)})
		_, err = objects.Create(other, object("third"), metav1.CreateOptions{})
		require.NoError(t, err, "another elector's term says nothing about this one")
	})
}

// client-go tries again by itself after a 429. Each attempt is judged when it is made.
func TestRetriesAreJudged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		term := l.lead()
		server := &seen{answer: func(attempt int, r *http.Request) *http.Response {
			if attempt == 2 {
				l.lose(term)
			}
			return reply(r, http.StatusTooManyRequests, "Retry-After", "3")
		}}
		objects := leases(t, l.gate().Wrap(&rest.Config{Host: "http://api", Transport: server}))
		_, err := objects.Create(t.Context(), object("bill"), metav1.CreateOptions{})
		requireRefused(t, err, writegate.ReasonStandby)
		require.Equal(t, 2, server.count(), "attempts while the term was valid")
	})
}

// So is each redirect.
func TestRedirectsAreJudged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		term := l.lead()
		server := &seen{answer: func(attempt int, r *http.Request) *http.Response {
			if attempt == 2 {
				l.lose(term)
			}
			return reply(r, http.StatusTemporaryRedirect, "Location", "/api/v1/namespaces/shop/configmaps")
		}}
		client := &http.Client{Transport: l.gate().Transport(server)}
		_, err := client.Post("http://api/api/v1/namespaces/shop/configmaps", "application/json", strings.NewReader("{}"))
		requireRefused(t, err, writegate.ReasonStandby)
		require.Equal(t, 2, server.count())
		require.Equal(t, []string{"{}", "{}"}, server.bodies)
	})
}

// An answer that comes after the term's end is the answer to what was written: it is not hidden.
func TestAnswerAfterTheTerm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		term := l.lead()
		server := &seen{answer: func(_ int, r *http.Request) *http.Response {
			l.lose(term)
			return reply(r, http.StatusOK)
		}}
		objects := leases(t, l.gate().Wrap(&rest.Config{Host: "http://api", Transport: server}))
		_, err := objects.Create(t.Context(), object("bill"), metav1.CreateOptions{})
		require.NoError(t, err)
	})
}

// The elector's own client may have the gate: it is not locked out by the term that it has to begin.
func TestElectorBehindItsOwnGate(t *testing.T) {
	for name, o := range map[string]singletontest.Options{
		"Lease is there": {}, "Lease has to be created": {WithoutLease: true},
	} {
		for _, contentType := range []string{"", "application/json"} {
			t.Run(name+" "+contentType, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					o.Namespace, o.Lease = "shop", "invoicer"
					l := &lab{T: t, cluster: singletontest.New(o)}
					t.Cleanup(l.cluster.Close)
					terms := &late{}
					config := l.cluster.RESTConfig("a")
					config.ContentType = contentType
					gate := l.gate(func(c *writegate.Config) { c.Terms = terms })
					l.elector = l.electorOf(singleton.NewClient(gate.Wrap(config)))
					terms.Elector = l.elector
					l.lead()
					l.stop()
					require.Empty(t, *l.cluster.Lease().Spec.HolderIdentity, "released")

					_, err := leases(t, gate.Wrap(config)).Create(t.Context(), object("invoicer-2"), metav1.CreateOptions{})
					requireRefused(t, err, writegate.ReasonStandby)
				})
			})
		}
	}
}

// late is an elector that is made after its gate.
type late struct{ *singleton.Elector }

func (*late) Scope() string { return "shop/invoicer" }

func TestConfig(t *testing.T) {
	l := newLab(t)
	_, err := writegate.New(writegate.Config{})
	require.ErrorContains(t, err, "Config.Terms is nil, must be an elector")
	_, err = writegate.New(writegate.Config{Terms: (*singleton.Elector)(nil)})
	require.ErrorContains(t, err, "Config.Terms is nil, must be an elector")
	_, err = writegate.New(writegate.Config{Terms: badScope{}})
	require.ErrorIs(t, err, fencing.ErrMalformed)
	for _, resource := range []string{"", "pods/status", "*"} {
		_, err = writegate.New(writegate.Config{Terms: l.elector, Stamp: []schema.GroupResource{{Resource: resource}}})
		require.ErrorContains(t, err, "Config.Stamp[0] is ")
		require.ErrorContains(t, err, "must be the plural name of a resource")
	}

	config := &rest.Config{Host: "https://api"}
	gated := l.gate().Wrap(config)
	require.Nil(t, config.WrapTransport, "Wrap returns a copy")
	transport, err := rest.TransportFor(gated)
	require.NoError(t, err)
	_, err = utilnet.DialerFor(transport)
	require.NoError(t, err, "client-go finds what is behind the gate")
	utilnet.CloseIdleConnectionsFor(transport)
}

type badScope struct{}

func (badScope) Status() singleton.Status { return singleton.Status{} }
func (badScope) Scope() string            { return "" }

// The gate is next to the transport, wherever it was put: wrappers that repeat requests go through
// it each time.
func TestGateIsInnermost(t *testing.T) {
	l := newLab(t)
	server := &seen{}
	config := &rest.Config{Host: "http://api", Transport: server}
	outer := 0
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			outer++
			return next.RoundTrip(r)
		})
	})
	_, err := leases(t, l.gate().Wrap(config)).Create(t.Context(), object("bill"), metav1.CreateOptions{})
	requireRefused(t, err, writegate.ReasonStandby)
	require.Equal(t, 1, outer)
	require.Zero(t, server.count())
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func requireRefused(t *testing.T, err error, reason writegate.Reason) {
	t.Helper()
	require.ErrorIs(t, err, writegate.ErrNotActive)
	require.NotErrorIs(t, err, writegate.ErrUnstampable)
	require.NotErrorIs(t, err, context.Canceled, "which callers swallow")
	refused, ok := errors.AsType[*writegate.Error](err)
	require.True(t, ok)
	require.Equal(t, reason, refused.Reason)
	require.NotEmpty(t, refused.Method)
	require.Contains(t, refused.Path, "/namespaces/shop/")
	for name, is := range map[string]func(error) bool{
		"NotFound": apierrors.IsNotFound, "Conflict": apierrors.IsConflict, "AlreadyExists": apierrors.IsAlreadyExists,
		"Forbidden": apierrors.IsForbidden, "Unauthorized": apierrors.IsUnauthorized, "Timeout": apierrors.IsTimeout,
		"ServerTimeout": apierrors.IsServerTimeout, "TooManyRequests": apierrors.IsTooManyRequests,
		"InternalError": apierrors.IsInternalError, "ServiceUnavailable": apierrors.IsServiceUnavailable,
		"a reset": utilnet.IsConnectionReset, "a refused connection": utilnet.IsConnectionRefused,
		"an EOF": utilnet.IsProbableEOF, "a timeout": utilnet.IsTimeout,
	} {
		require.False(t, is(err), "it is not %s", name)
	}
	require.Equal(t, metav1.StatusReasonUnknown, apierrors.ReasonForError(err))
	_, retries := apierrors.SuggestsClientDelay(err)
	require.False(t, retries)
}
