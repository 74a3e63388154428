package kubefence_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/kubefence"
	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/internal/guardtest"
)

// counter is an object that counts in an annotation.
type counter struct {
	t       *testing.T
	cluster *apiserver.Cluster
	link    *apiserver.Link
	objects *kubefence.Objects[*coordv1.Lease]
}

// count runs a test in virtual time, on a counter at 0 without a mark.
func count(t *testing.T, test func(t *testing.T, c counter)) {
	synctest.Test(t, func(t *testing.T) {
		c := counter{t: t, cluster: apiserver.New(apiserver.Options{})}
		t.Cleanup(c.cluster.Close)
		c.link = c.cluster.Link("a")
		var err error
		c.objects, err = kubefence.New(c.cluster.Client("a").Leases(namespace), kubefence.Config{Scope: guardtest.Scope})
		require.NoError(t, err)
		_, err = c.cluster.CreateLease(&coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "counter"}})
		require.NoError(t, err)
		test(t, c)
	})
}

func increment(l *coordv1.Lease) error {
	n, _ := strconv.Atoi(l.Annotations["count"])
	if l.Annotations == nil {
		l.Annotations = map[string]string{}
	}
	l.Annotations["count"] = strconv.Itoa(n + 1)
	return nil
}

func (c counter) increment(t fencing.Token) error {
	_, err := c.objects.Update(c.t.Context(), t, "counter", increment)
	return err
}

// holds checks the count, once all that is on its way has arrived.
func (c counter) holds(count string, mark fencing.Token) {
	c.t.Helper()
	time.Sleep(time.Hour)
	l := c.cluster.Lease(namespace, "counter")
	require.NotNil(c.t, l)
	require.Equal(c.t, count, l.Annotations["count"])
	got, err := kubefence.MarkOf(l)
	require.NoError(c.t, err)
	require.Equal(c.t, mark, got)
}

// mark is what a later term does. It asserts, because faults and timers call it.
func (c counter) mark(t fencing.Token) func() {
	return func() {
		assert.NoError(c.t, c.cluster.EditLease(namespace, "counter", func(l *coordv1.Lease) {
			if l.Annotations == nil {
				l.Annotations = map[string]string{}
			}
			l.Annotations[kubefence.Annotation] = t.String()
		}))
	}
}

func update(f apiserver.Fault) apiserver.Fault {
	f.Verbs, f.Count = []string{"update"}, 1
	return f
}

var one, two = guardtest.Token(1, 0), guardtest.Token(2, 0)

func TestWrite(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault apiserver.Fault
		want  error
		count string
	}{
		"nothing happens":              {count: "1"},
		"request lost":                 {fault: update(apiserver.Fault{LoseRequest: true}), count: "1"},
		"request never arrives":        {fault: update(apiserver.Fault{HangRequest: true}), count: "1"},
		"request arrives late":         {fault: update(apiserver.Fault{DelayBefore: time.Minute}), count: "1"},
		"not served":                   {fault: update(apiserver.Fault{Status: 503}), count: "1"},
		"answer lost":                  {fault: update(apiserver.Fault{LoseAnswer: true}), want: kubefence.ErrUnknown, count: "1"},
		"answer never arrives":         {fault: update(apiserver.Fault{HangAnswer: true}), want: kubefence.ErrUnknown, count: "1"},
		"answer arrives late":          {fault: update(apiserver.Fault{DelayAfter: time.Minute}), want: kubefence.ErrUnknown, count: "1"},
		"first read not served":        {fault: apiserver.Fault{Verbs: []string{"get"}, Count: 1, Status: 500}, want: fencing.ErrUnavailable},
		"lost, then nothing is served": {fault: apiserver.Fault{Skip: 1, LoseRequest: true}, want: kubefence.ErrUnknown},
		"partition":                    {fault: apiserver.Fault{LoseRequest: true}, want: fencing.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			count(t, func(t *testing.T, c counter) {
				remove := c.link.Inject(test.fault)
				err := c.increment(one)
				remove()
				if test.want == nil {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, test.want)
					require.Equal(t, errors.Is(test.want, fencing.ErrUnavailable), errors.Is(err, fencing.ErrUnavailable), "%v", err)
				}
				mark := fencing.Token{}
				if test.count != "" {
					mark = one
				}
				c.holds(test.count, mark)
			})
		})
	}
}

// A later term's mark set at any moment wins, and what the old term sent then has no effect.
func TestLaterTermInBetween(t *testing.T) {
	t.Parallel()
	for name, play := range map[string]func(c counter) error{
		"before": func(c counter) error {
			c.mark(two)()
			return c.increment(one)
		},
		"after the comparison": func(c counter) error {
			_, err := c.objects.Update(c.t.Context(), one, "counter", func(l *coordv1.Lease) error {
				c.mark(two)()
				return increment(l)
			})
			return err
		},
		"while the write is late": func(c counter) error {
			c.link.Inject(update(apiserver.Fault{DelayBefore: 5 * time.Second}))
			time.AfterFunc(time.Second, c.mark(two))
			return c.increment(one)
		},
		"before a delete": func(c counter) error {
			c.mark(two)()
			return c.objects.Delete(c.t.Context(), one, "counter", metav1.DeleteOptions{})
		},
		"while a delete is late": func(c counter) error {
			c.link.Inject(apiserver.Fault{Verbs: []string{"delete"}, Count: 1, DelayBefore: 5 * time.Second})
			time.AfterFunc(time.Second, c.mark(two))
			return c.objects.Delete(c.t.Context(), one, "counter", metav1.DeleteOptions{})
		},
		"between stamp and effect": func(c counter) error {
			return c.objects.Stamped(c.t.Context(), one, "counter", func(ctx context.Context, l *coordv1.Lease) error {
				c.mark(two)()
				require.NoError(c.t, increment(l))
				_, err := c.cluster.Client("a").Leases(namespace).Update(ctx, l, metav1.UpdateOptions{})
				return err
			})
		},
		"create": func(c counter) error {
			c.mark(two)()
			_, err := c.objects.Create(c.t.Context(), one, &coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "counter"}})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			count(t, func(t *testing.T, c counter) {
				err := play(c)
				var stale *fencing.StaleError
				require.ErrorAs(t, err, &stale)
				require.Equal(t, fencing.StaleError{Presented: one, Mark: two}, *stale)
				c.holds("", two)
			})
		})
	}
}

// When the answer is lost and a later term wrote since, the write may have been before it: not a refusal.
func TestLaterTermAfterALostAnswer(t *testing.T) {
	t.Parallel()
	count(t, func(t *testing.T, c counter) {
		c.link.Inject(update(apiserver.Fault{LoseAnswer: true, Then: c.mark(two)}))
		err := c.increment(one)
		require.ErrorIs(t, err, kubefence.ErrUnknown)
		require.NotErrorIs(t, err, fencing.ErrStale)
		c.holds("1", two)
	})
}

func TestWritersWithOneTokenLoseNothing(t *testing.T) {
	t.Parallel()
	count(t, func(t *testing.T, c counter) {
		done := make(chan error)
		for range 5 {
			go func() { done <- c.increment(one) }()
		}
		for range 5 {
			require.NoError(t, <-done)
		}
		c.holds("5", one)
	})
}

func TestConflictsAreBounded(t *testing.T) {
	t.Parallel()
	count(t, func(t *testing.T, c counter) {
		calls := 0
		_, err := c.objects.Update(t.Context(), one, "counter", func(l *coordv1.Lease) error {
			calls++
			require.NoError(t, c.cluster.EditLease(namespace, "counter", func(l *coordv1.Lease) {
				l.Labels = map[string]string{"edit": strconv.Itoa(calls)}
			}))
			return increment(l)
		})
		require.ErrorIs(t, err, fencing.ErrUnavailable)
		require.True(t, apierrors.IsConflict(err), "it says why: %v", err)
		require.Equal(t, 10, calls)
		c.holds("", fencing.Token{})
	})
}

func TestEndOfContext(t *testing.T) {
	t.Parallel()
	count(t, func(t *testing.T, c counter) {
		c.link.BlackHole()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := c.objects.Update(ctx, one, "counter", increment)
		require.ErrorIs(t, err, fencing.ErrUnavailable)
		c.link.Heal()
		c.link.Inject(update(apiserver.Fault{HangRequest: true}))
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = c.objects.Update(ctx, one, "counter", increment)
		require.ErrorIs(t, err, kubefence.ErrUnknown)
		c.holds("", fencing.Token{})
	})
}

func TestRefusalsOfTheServerAndErrorsOfTheCaller(t *testing.T) {
	t.Parallel()
	count(t, func(t *testing.T, c counter) {
		_, err := c.objects.Update(t.Context(), one, "missing", increment)
		require.True(t, apierrors.IsNotFound(err), "%v", err)
		require.NotErrorIs(t, err, fencing.ErrUnavailable)

		c.link.Inject(update(apiserver.Fault{Status: 403}))
		err = c.increment(one)
		require.True(t, apierrors.IsForbidden(err), "%v", err)
		require.NotErrorIs(t, err, kubefence.ErrUnknown)

		mine := errors.New("mine")
		_, err = c.objects.Update(t.Context(), one, "counter", func(*coordv1.Lease) error { return mine })
		require.Equal(t, mine, err)
		c.holds("", fencing.Token{})

		// Also after a request that may yet arrive: then the caller's error is not all there is to say.
		c.link.Inject(update(apiserver.Fault{HangRequest: true}))
		calls := 0
		_, err = c.objects.Update(t.Context(), one, "counter", func(l *coordv1.Lease) error {
			if calls++; calls == 2 {
				return mine
			}
			return increment(l)
		})
		require.ErrorIs(t, err, kubefence.ErrUnknown)
	})
}
