package singleton_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/hotseat-go/hotseat/singleton"
)

// world is a lab that notes by itself who is at work when: what work says when it
// begins and when it has returned, and nothing that an elector says.
type world struct {
	lab
	shared bool          // replicas watch by a SharedWatch
	drain  time.Duration // of all work, after its context ended
	wraps  map[string]func(http.RoundTripper) http.RoundTripper

	began time.Time

	mu       sync.Mutex
	working  map[string]time.Time // since when
	terms    []string             // who began, in order
	overlaps []string
	returned map[string]error // a Run that ended by itself
	spent    [3]time.Duration // with nobody at work, with one, with more
	last     time.Time
	closing  bool
}

// inWorld plays f, and requires afterwards that no two were at work at once and
// that no Run ended by itself.
func inWorld(t *testing.T, f func(w *world)) {
	t.Helper()
	inWorldWith(t, func(*world) {}, f)
}

func inWorldWith(t *testing.T, set func(w *world), f func(w *world)) {
	t.Helper()
	if !spared(t) {
		playWorld(t, set, f)
	}
}

func playWorld(t *testing.T, set func(w *world), f func(w *world)) {
	t.Helper()
	inLab(t, func(l lab) {
		now := time.Now()
		w := &world{lab: l, began: now, last: now, working: map[string]time.Time{}, returned: map[string]error{}, wraps: map[string]func(http.RoundTripper) http.RoundTripper{}}
		set(w)
		f(w)
		w.mu.Lock()
		defer w.mu.Unlock()
		require.Empty(l, w.overlaps, "two at work")
		require.Empty(l, w.returned, "Run returned")
	})
}

// start runs a replica until the test ends; its name is its link's.
func (w *world) start(who string, change ...func(*singleton.Config)) *singleton.Elector {
	e, _ := w.replica(who, true, change...)
	return e
}

// observe runs one that is not eligible yet.
func (w *world) observe(who string, change ...func(*singleton.Config)) *singleton.Elector {
	e, _ := w.replica(who, false, change...)
	return e
}

func (w *world) replica(who string, eligible bool, change ...func(*singleton.Config)) (*singleton.Elector, *running) {
	client := w.client(who)
	config := singleton.Config{Name: "invoicer", Namespace: "shop", Replica: singleton.ReplicaConfig{Identity: who}, Logger: quiet().With("me", who)}
	if w.shared {
		config.Replica.SharedWatch = singleton.NewSharedWatch(client, "shop", config.Logger)
	}
	for _, change := range change {
		change(&config)
	}
	e, err := singleton.New(client, config)
	require.NoError(w, err)
	e.SetEligible(eligible)
	r := &running{done: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	go func() {
		defer close(r.done)
		r.err = e.Run(ctx, func(ctx context.Context, _ *singleton.Term) error {
			w.enter(who)
			defer w.leave(who)
			<-ctx.Done()
			time.Sleep(w.drains())
			return nil
		})
		if ctx.Err() == nil {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.returned[who] = r.err
		}
	}()
	w.Cleanup(func() {
		w.mu.Lock()
		w.closing = true
		w.mu.Unlock()
		w.Link(who).Heal()
		cancel()
		<-r.done
	})
	synctest.Wait()
	return e, r
}

func (w *world) client(who string) coordclient.LeasesGetter {
	wrap := w.wraps[who]
	if wrap == nil {
		return w.Client(who)
	}
	return w.clientThrough(who, wrap)
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// clientGo runs client-go's elector, again and again, until the test ends or stop
// is called.
func (w *world) clientGo(who string, release bool) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	config := leaderelection.LeaderElectionConfig{
		Lock: &resourcelock.LeaseLock{
			LeaseMeta: metav1.ObjectMeta{Namespace: "shop", Name: "invoicer"}, Client: w.Client(who),
			LockConfig: resourcelock.ResourceLockConfig{Identity: who},
		},
		LeaseDuration: 15 * second, RenewDeadline: 10 * second, RetryPeriod: 2 * second, ReleaseOnCancel: release,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) { w.enter(who) },
			OnStoppedLeading: func() { w.leave(who) },
		},
	}
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			leaderelection.RunOrDie(ctx, config)
		}
	}()
	w.Cleanup(func() { w.Link(who).Heal(); cancel(); <-done })
	synctest.Wait()
	return func() { cancel(); <-done; synctest.Wait() }
}

func (w *world) enter(who string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.account()
	for other, since := range w.working {
		w.overlaps = append(w.overlaps, fmt.Sprintf("%s begins at %v beside %s, at work since %v", who, w.at(), other, since.Sub(w.began)))
	}
	w.working[who] = time.Now()
	w.terms = append(w.terms, who)
}

func (w *world) leave(who string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.account()
	delete(w.working, who)
}

// drains returns how long work takes to return; in the end it does so at once.
func (w *world) drains() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closing {
		return 0
	}
	return w.drain
}

// account is called with mu held.
func (w *world) account() {
	now := time.Now()
	w.spent[min(len(w.working), 2)] += now.Sub(w.last)
	w.last = now
}

func (w *world) at() time.Duration { return time.Since(w.began) }

// times returns for how long nobody, one and more were at work since the last call.
func (w *world) times() (nobody, one, more time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.account()
	spent := w.spent
	w.spent = [3]time.Duration{}
	return spent[0], spent[1], spent[2]
}

// on reports whether who is at work.
func (w *world) on(who string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, on := w.working[who]
	return on
}

// who is at work; empty: nobody.
func (w *world) who() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	for who := range w.working {
		return who
	}
	return ""
}

func (w *world) started() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string{}, w.terms...)
}

// nobodyFor waits until somebody is at work and returns for how long nobody was,
// at most.
func (w *world) nobodyFor(most time.Duration) time.Duration {
	began := time.Now()
	for w.who() == "" && time.Since(began) < most {
		sleep(10 * time.Millisecond)
	}
	return time.Since(began)
}

// forget what has overlapped so far: where that much is granted.
func (w *world) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.overlaps = nil
}

// putBack replaces the stored Lease, as kubectl replace does.
func (w *world) putBack(body *coordv1.Lease) {
	w.edit(func(x *coordv1.Lease) {
		body := body.DeepCopy()
		x.Labels, x.Annotations, x.Spec = body.Labels, body.Annotations, body.Spec
	})
}

// shipAnew deletes the stored Lease and creates it again, as kubectl replace
// --force does. Meanwhile a replica may have created it.
func (w *world) shipAnew(body *coordv1.Lease, between ...time.Duration) {
	w.DeleteLease("shop", "invoicer")
	for _, pause := range between {
		sleep(pause)
	}
	anew := newLease()
	anew.Labels, anew.Annotations, anew.Spec = body.Labels, body.Annotations, *body.Spec.DeepCopy()
	if _, err := w.CreateLease(anew); !apierrors.IsAlreadyExists(err) {
		require.NoError(w, err)
	}
	synctest.Wait()
}
