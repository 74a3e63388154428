package singleton_test

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/apiserver"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

// funcGuard is a guard that is a function.
type funcGuard func() fencing.Guard

func (f funcGuard) Announce(ctx context.Context, t fencing.Token) error { return f().Announce(ctx, t) }
func (f funcGuard) Mark(ctx context.Context, scope string) (fencing.Token, error) {
	return f().Mark(ctx, scope)
}

func TestConfigErrorsNameFieldValueAndRule(t *testing.T) {
	t.Setenv("POD_NAMESPACE", "")
	c := apiserver.New(apiserver.Options{})
	defer c.Close()
	for name, test := range map[string]struct {
		config singleton.Config
		says   []string
	}{
		"no name":           {singleton.Config{Namespace: "shop"}, []string{`Name "" must not be empty`}},
		"bad name":          {singleton.Config{Name: "In_Voicer", Namespace: "shop"}, []string{`Name "In_Voicer" must name a Lease: a lowercase RFC 1123 subdomain`}},
		"no namespace":      {singleton.Config{Name: "x"}, []string{`Namespace "" must be set here or in $POD_NAMESPACE`}},
		"bad namespace":     {singleton.Config{Name: "x", Namespace: "a.b"}, []string{`Namespace "a.b" must name a namespace`}},
		"one second":        {singleton.Config{Name: "x", Namespace: "shop", Timing: lease.Timing{LeaseDuration: time.Second}}, []string{"LeaseDuration 1s must be at least 2s", "RenewDeadline 10s (the default) must be at most LeaseDuration/(1+MaxClockDrift) - 100ms"}},
		"forgot the unit":   {singleton.Config{Name: "x", Namespace: "shop", Timing: lease.Timing{LeaseDuration: 15}}, []string{"LeaseDuration 15ns must be at least 2s (a plain 15 means 15ns)"}},
		"fraction":          {singleton.Config{Name: "x", Namespace: "shop", Timing: lease.Timing{LeaseDuration: 15500 * time.Millisecond}}, []string{"LeaseDuration 15.5s must be whole seconds"}},
		"negative":          {singleton.Config{Name: "x", Namespace: "shop", Timing: lease.Timing{LeaseDuration: -1, RenewDeadline: -1, RetryPeriod: -1, MaxClockDrift: -1}, Replica: singleton.ReplicaConfig{HoldOff: -1, DrainLimit: -1, ProgressWithin: -1}, Fencing: singleton.FencingConfig{MaxRaise: -1, AnnouncePeriod: -1}}, []string{"LeaseDuration -1ns", "RenewDeadline -1ns", "RetryPeriod -1ns", "MaxClockDrift -1", "Replica.HoldOff -1ns must not be negative", "Replica.DrainLimit -1ns", "Replica.ProgressWithin -1ns must not be negative", "Fencing.MaxRaise -1 must not be negative", "Fencing.AnnouncePeriod -1ns must not be negative"}},
		"deadline too late": {singleton.Config{Name: "x", Namespace: "shop", Timing: lease.Timing{RenewDeadline: 14286 * time.Millisecond}}, []string{"RenewDeadline 14.286s must be at most LeaseDuration/(1+MaxClockDrift) - 100ms = 15s/1.05 - 100ms = 14.185714285s"}},
		"retry too slow":    {singleton.Config{Name: "x", Namespace: "shop", Timing: lease.Timing{RetryPeriod: 10 * time.Second}}, []string{"RetryPeriod 10s must be at most RenewDeadline/2 = 10s/2 = 5s"}},
		"impatient":         {singleton.Config{Name: "x", Namespace: "shop", Replica: singleton.ReplicaConfig{ProgressWithin: 4*time.Second - 1}}, []string{"Replica.ProgressWithin 3.999999999s must be 0 or at least twice RetryPeriod, 4s"}},
		"labels":            {singleton.Config{Name: "x", Namespace: "shop", Labels: map[string]string{"a b": "1", "team": "bill ing"}}, []string{"Labels \"a b\" must be a label's key", "Labels[team] \"bill ing\" must be a label's value"}},
		"drift":             {singleton.Config{Name: "x", Namespace: "shop", Timing: lease.Timing{MaxClockDrift: math.NaN()}}, []string{"MaxClockDrift NaN must be between 0 and 1"}},
		"nil guard":         {singleton.Config{Name: "x", Namespace: "shop", Guards: []fencing.Guard{nil}}, []string{"Guards[0] <nil> must not be nil"}},
		"nil in a guard": {singleton.Config{Name: "x", Namespace: "shop", Guards: []fencing.Guard{memory(t), (*fencing.Durable)(nil), funcGuard(nil)}},
			[]string{"Guards[1] <nil> must not be a nil *fencing.Durable", "Guards[2] <nil> must not be a nil singleton_test.funcGuard"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := singleton.New(c.Client("a"), test.config)
			var config *singleton.ConfigError
			require.ErrorAs(t, err, &config)
			var field *lease.FieldError
			require.ErrorAs(t, err, &field)
			require.True(t, strings.HasPrefix(err.Error(), "singleton: config: "))
			require.NotContains(t, err.Error(), "\n")
			for _, says := range test.says {
				require.ErrorContains(t, err, says)
			}
		})
	}
	_, err := singleton.New((*singleton.Client)(nil), singleton.Config{})
	require.ErrorContains(t, err, "client <nil> must not be a nil *singleton.Client")
	_, err = singleton.New(singleton.LeasesGetter[lease.Client](nil), singleton.Config{})
	for _, says := range []string{"client <nil> must not be nil", "Name", "Namespace"} {
		require.ErrorContains(t, err, says, "all violations at once")
	}
}

func TestNamespaceAndIdentityFromTheEnvironment(t *testing.T) {
	t.Setenv("POD_NAMESPACE", "shop")
	t.Setenv("POD_NAME", "invoicer-7d9f-x2x")
	c := apiserver.New(apiserver.Options{})
	defer c.Close()
	seen := map[string]bool{}
	for range 100 {
		e, err := singleton.New(c.Client("a"), singleton.Config{Name: "invoicer"})
		require.NoError(t, err)
		require.Regexp(t, `^invoicer-7d9f-x2x_[0-9a-f]{16}$`, e.Identity())
		require.Equal(t, "shop/invoicer", e.Scope())
		require.Equal(t, e.Scope(), fencing.Scope(singleton.DefaultNamespace(), "invoicer"))
		require.False(t, seen[e.Identity()])
		seen[e.Identity()] = true
	}
	t.Setenv("POD_NAME", "")
	e, err := singleton.New(c.Client("a"), singleton.Config{Name: "invoicer"})
	require.NoError(t, err)
	host, err := os.Hostname()
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(e.Identity(), host+"_"))
	e, err = singleton.New(c.Client("a"), singleton.Config{Name: "invoicer", Namespace: "other", Replica: singleton.ReplicaConfig{Identity: "me"}, Logger: quiet()})
	require.NoError(t, err)
	shipped := newLease()
	shipped.Namespace = "other"
	_, err = c.CreateLease(shipped)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	require.NoError(t, e.Run(ctx, func(context.Context, *singleton.Term) error { cancel(); return nil }))
	require.Nil(t, c.Lease("shop", "invoicer"))
}

func TestPermissionsThatNeverWereEndRun(t *testing.T) {
	for verb, verbs := range map[string][]string{"list": {"list"}, "patch": {"patch", "update"}} {
		t.Run(verb, func(t *testing.T) {
			inLab(t, func(l lab) {
				l.Forbid("a", verbs...)
				err := l.run(l.elector("a"), idle).wait(l)
				require.ErrorIs(l, err, lease.ErrForbidden)
				require.ErrorContains(l, err, "singleton: lease shop/invoicer: "+verb+" lease: forbidden")
			})
		})
	}
}

func TestWithoutWatchItPolls(t *testing.T) {
	inLab(t, func(l lab) {
		log := &lines{}
		l.Forbid("b", "watch")
		a := l.elector("a")
		b := l.elector("b", func(c *singleton.Config) { c.Logger = log.logger() })
		l.run(a, idle)
		l.run(b, idle)
		sleep(2 * time.Minute)
		require.InDelta(l, 55, l.CountRequests("b", "list"), 6, "each RetryPeriod, with jitter")
		require.Equal(l, 1, log.count("not allowed to watch"), "said once")
		require.True(l, b.Polls())
		require.EqualValues(l, 1, metric(l, b, "hotseat_polling"))
		require.False(l, a.Polls())
		require.Zero(l, metric(l, a, "hotseat_polling"))
		a.Resign()
		sleep(2400 * time.Millisecond)
		require.Equal(l, singleton.StateActive, b.Status().State)
		l.Allow("b", "watch")
		sleep(10 * second)
		require.False(l, b.Polls())
	})
}

func TestWithoutCreateItWaitsForTheLease(t *testing.T) {
	inLab(t, func(l lab) {
		log := &lines{}
		l.DeleteLease("shop", "invoicer")
		l.Forbid("a", "create")
		e := l.elector("a", func(c *singleton.Config) { c.Logger = log.logger() })
		l.run(e, idle)
		sleep(10 * time.Minute)
		require.Equal(l, singleton.StateStandby, e.Status().State)
		require.InDelta(l, 6, log.count("creating it is not allowed"), 2, "said at once, then now and then")
		require.LessOrEqual(l, l.CountRequests("a"), 700, "and not asked for all the time")
		require.ErrorContains(l, e.Ready(), "the Lease does not exist")
		require.True(l, e.Status().Missing)
		require.InDelta(l, 1, metric(l, e, "hotseat_lease_missing"), 0)
		require.Zero(l, metric(l, e, "hotseat_ready"))
		require.Positive(l, metric(l, e, "hotseat_acquire_failures_total", "reason", "forbidden"))
		_, err := l.CreateLease(newLease())
		require.NoError(l, err)
		sleep(15 * second) // it may have been held, unseen, before it was shipped anew
		synctest.Wait()
		require.EqualValues(l, 1, metric(l, e, "hotseat_ready"))
		require.Equal(l, singleton.StateActive, e.Status().State)
	})
}

// A Role that is mended is noticed within two RetryPeriods.
func TestCreateAllowedLater(t *testing.T) {
	inLab(t, func(l lab) {
		l.DeleteLease("shop", "invoicer")
		l.Forbid("a", "create")
		l.run(l.elector("a"), idle)
		sleep(time.Minute)
		l.Allow("a", "create")
		sleep(4 * second)
		require.True(l, l.record().Vacant())
	})
}

func TestMissingLeaseIsCreatedVacantAndTakenAfterALease(t *testing.T) {
	inLab(t, func(l lab) {
		l.DeleteLease("shop", "invoicer")
		e := l.elector("a")
		l.run(e, idle)
		sleep(100 * time.Millisecond)
		require.True(l, l.record().Vacant())
		sleep(14800 * time.Millisecond)
		require.True(l, l.record().Vacant(), "somebody may be at work under the Lease that was there")
		sleep(300 * time.Millisecond)
		require.Equal(l, singleton.StateActive, e.Status().State)
	})
}

func TestUnknownNamespace(t *testing.T) {
	inLab(t, func(l lab) {
		l.AddNamespace("shop")
		e := l.elector("a", func(c *singleton.Config) { c.Namespace = "shoop" })
		err := l.run(e, idle).wait(l)
		require.ErrorIs(l, err, lease.ErrNoNamespace)
		require.ErrorContains(l, err, `lease shoop/invoicer`)
		require.ErrorContains(l, err, `namespaces "shoop" not found`)
	})
}

// What worked before and is forbidden now is an outage, not a configuration.
func TestPermissionsTakenAwayAreWaitedFor(t *testing.T) {
	inLab(t, func(l lab) {
		e := l.elector("a")
		r := l.run(e, idle)
		l.Forbid("a", "list", "watch", "update", "patch")
		l.Link("a").EndWatches()
		sleep(time.Minute)
		require.Equal(l, singleton.StateStandby, e.Status().State)
		require.Positive(l, metric(l, e, "hotseat_renew_failures_total", "reason", "forbidden"))
		l.Allow("a", "list", "watch", "update", "patch")
		sleep(3 * second)
		require.Equal(l, singleton.StateActive, e.Status().State)
		r.stop()
		require.NoError(l, r.wait(l))
	})
}

func TestDefaultClient(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	t.Setenv("KUBECONFIG", "")
	_, err := singleton.DefaultClient()
	require.ErrorContains(t, err, "singleton: not in a cluster ($KUBERNETES_SERVICE_HOST is not set), and $KUBECONFIG is not set")
	t.Setenv("KUBERNETES_SERVICE_HOST", "192.0.2.1")
	t.Setenv("KUBERNETES_SERVICE_PORT", "443")
	_, err = singleton.DefaultClient()
	require.ErrorContains(t, err, "singleton: in a cluster, but without a usable service account")
	t.Setenv("KUBERNETES_SERVICE_HOST", "")

	c := apiserver.New(apiserver.Options{})
	defer c.Close()
	config, err := c.LoopbackConfig("a")
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "config")
	require.NoError(t, os.WriteFile(file, []byte(`apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "`+config.Host+`"}}]
users: [{name: a, user: {token: a}}]
contexts: [{name: x, context: {cluster: c, user: a}}]
current-context: x
`), 0o600))
	t.Setenv("KUBECONFIG", file)
	client, err := singleton.DefaultClient()
	require.NoError(t, err)
	e, err := singleton.New(client, singleton.Config{Name: "invoicer", Namespace: "shop", Logger: quiet()})
	require.NoError(t, err)
	_, err = c.CreateLease(newLease())
	require.NoError(t, err)
	done := errors.New("done")
	require.ErrorIs(t, e.Run(t.Context(), func(context.Context, *singleton.Term) error { return done }), done)
	require.Positive(t, c.CountRequests("", "update", "patch"))

	t.Setenv("KUBECONFIG", file+"-missing")
	_, err = singleton.DefaultClient()
	require.ErrorContains(t, err, "config-missing: no such file")
	require.NoError(t, os.WriteFile(file, []byte("apiVersion: v1\nkind: Config\n"), 0o600))
	t.Setenv("KUBECONFIG", file)
	_, err = singleton.DefaultClient()
	require.ErrorContains(t, err, "singleton: $KUBECONFIG: ")
}
