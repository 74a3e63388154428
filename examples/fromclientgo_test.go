package examples

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// runElected calls run in one replica at a time. It returns nil after ctx has ended; an error that
// wraps a *singleton.EndError after a loss; or what run returned.
func runElected(
	ctx context.Context, config *rest.Config, mux *http.ServeMux,
	election singleton.Config, run func(context.Context) error,
) error {
	client, err := singleton.NewClient(config) // of its own, without a rate limiter
	if err != nil {
		return err
	}
	election.OneTerm = true                            // run cannot start a second time
	election.Hooks.OnOverrun = singleton.ExitOnOverrun // if run goes on after a loss
	elector, err := singleton.New(client, election)
	if err != nil {
		return err
	}
	mux.HandleFunc("/readyz", probe(elector.Ready))                 // probe answers 503 to an error
	mux.HandleFunc("/healthz/leader-election", probe(elector.Live)) // the path of csi-lib-utils
	return elector.Run(ctx, func(ctx context.Context, _ *singleton.Term) error {
		return run(ctx)
	})
}

// probe serves a check.
func probe(check func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if err := check(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	}
}

// elected is a program with runElected.
type elected struct {
	mux     *http.ServeMux
	stop    context.CancelFunc
	working chan struct{}
	done    chan error
}

func startElected(t *testing.T, cluster *singletontest.Cluster) elected {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	p := elected{http.NewServeMux(), stop, make(chan struct{}), make(chan error, 1)}
	go func() {
		defer close(p.done)
		p.done <- runElected(ctx, cluster.RESTConfig("a"), p.mux, singleton.Config{
			Name: "invoicer", Namespace: "shop",
		}, func(ctx context.Context) error {
			close(p.working)
			<-ctx.Done()
			time.Sleep(time.Second) // it drains
			return nil
		})
	}()
	t.Cleanup(func() {
		stop()
		for range p.done { // until it has returned
		}
	})
	return p
}

func (p elected) probed(path string) (status int, text string) {
	answer := httptest.NewRecorder()
	p.mux.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, http.NoBody))
	body, _ := io.ReadAll(answer.Body)
	return answer.Code, string(body)
}

// SIGTERM: the work has ended when the Lease is released, and that is no error.
func TestElectedStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
		t.Cleanup(cluster.Close)
		p := startElected(t, cluster)
		<-p.working
		time.Sleep(time.Second)
		for _, path := range []string{"/readyz", "/healthz/leader-election"} {
			status, _ := p.probed(path)
			require.Equal(t, http.StatusOK, status, path)
		}
		p.stop()
		time.Sleep(time.Second / 2)
		require.NotEmpty(t, *cluster.Lease().Spec.HolderIdentity, "it drains")
		require.NoError(t, <-p.done)
		require.Empty(t, *cluster.Lease().Spec.HolderIdentity)
		status, text := p.probed("/readyz")
		require.Equal(t, http.StatusServiceUnavailable, status)
		require.Equal(t, "singleton: stopped\n", text)
	})
}

// A loss ends the program, with an error that says why.
func TestElectedLoses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
		t.Cleanup(cluster.Close)
		p := startElected(t, cluster)
		<-p.working
		cluster.Link("a").BlackHole()
		err := <-p.done
		var end *singleton.EndError
		require.ErrorAs(t, err, &end)
		require.Equal(t, singleton.ReasonExpired, end.Reason)
	})
}
