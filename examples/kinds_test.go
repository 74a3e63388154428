package examples

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/serving"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// The guide shows parts of this file to the letter.

// runUntilTheEnd runs an elector until the test ends.
func runUntilTheEnd(t *testing.T, elector *singleton.Elector, work singleton.Work) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- elector.Run(ctx, work) }()
	t.Cleanup(func() { stop(); require.NoError(t, <-done) })
	synctest.Wait()
}

// invoices is a replica of a server: it answers while it is active.
func invoices(t *testing.T, cluster *singletontest.Cluster, name string) http.Handler {
	elector, err := singleton.New(cluster.Client(name), singleton.Config{
		Namespace: "shop", Name: "invoicer",
	})
	require.NoError(t, err)
	gate := serving.NewGate(elector)
	runUntilTheEnd(t, elector, gate.Work(work))
	return gate.RequireActive(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := fencing.FromContext(r.Context())
		fmt.Fprintln(w, token.Epoch)
	}))
}

func ask(server http.Handler) int {
	answer := httptest.NewRecorder()
	server.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/invoices/", http.NoBody))
	return answer.Code
}

func TestOneReplicaAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
		t.Cleanup(cluster.Close)
		a, b := invoices(t, cluster, "a"), invoices(t, cluster, "b")
		require.Equal(t, http.StatusOK, ask(a))
		require.Equal(t, http.StatusServiceUnavailable, ask(b))

		cluster.Link("a").BlackHole()
		for range 600 { // a minute
			time.Sleep(100 * time.Millisecond)
			require.False(t, ask(a) == http.StatusOK && ask(b) == http.StatusOK)
		}
		require.Equal(t, http.StatusServiceUnavailable, ask(a))
		require.Equal(t, http.StatusOK, ask(b))
	})
}

// orderQueue stands for a broker's. An order stays in it until it is done.
type orderQueue struct {
	mu     sync.Mutex
	orders []string
}

func (q *orderQueue) first() (order string, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.orders) == 0 {
		return "", false
	}
	return q.orders[0], true
}

func (q *orderQueue) done() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.orders = q.orders[1:]
}

func (l *ledger) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lines)
}

// consume is the service's work: it writes a line for each order.
func consume(orders *orderQueue, ledger *ledger) singleton.Work {
	return func(ctx context.Context, term *singleton.Term) error {
		for ctx.Err() == nil {
			time.Sleep(time.Second) // what an order takes
			order, ok := orders.first()
			if !ok || ctx.Err() != nil {
				continue
			}
			if err := ledger.append(ctx, term.Token(), order); err == nil {
				orders.done()
			}
		}
		return nil
	}
}

func TestConsumerWritesEachOrderOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
		t.Cleanup(cluster.Close)
		guard, err := fencing.NewMemory(fencing.MemoryConfig{})
		require.NoError(t, err)
		orders, ledger := &orderQueue{}, &ledger{guard: guard}
		for i := range 100 {
			orders.orders = append(orders.orders, fmt.Sprint(i))
		}
		want := append([]string{}, orders.orders...)
		for _, name := range []string{"a", "b"} {
			elector, err := singleton.New(cluster.Client(name), singleton.Config{
				Namespace: "shop", Name: "invoicer", Guards: []fencing.Guard{guard},
			})
			require.NoError(t, err)
			runUntilTheEnd(t, elector, consume(orders, ledger))
		}
		time.Sleep(20 * time.Second)
		cluster.Link("a").BlackHole() // in the middle of its work
		time.Sleep(2 * time.Minute)
		require.Equal(t, want, ledger.all())
	})
}

// greet stands for a reconciler. Without a token it writes nothing.
func greet(ctx context.Context) (epoch int64, err error) {
	token, ok := fencing.FromContext(ctx)
	if !ok {
		return 0, fencing.ErrMissing
	}
	return token.Epoch, nil
}

func TestReconcilerFindsTheToken(t *testing.T) {
	ctx := fencing.NewContext(t.Context(), fencing.Token{
		Scope: fencing.Scope("shop", "invoicer"), Epoch: 1, Term: strings.Repeat("0a", 16),
	})
	epoch, err := greet(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 1, epoch)
	_, err = greet(t.Context())
	require.ErrorIs(t, err, fencing.ErrMissing)
}
