package leaderflags_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/leaderflags"
	"github.com/hotseat-go/hotseat/singleton/singletontest"
)

// values are the defaults of the flags, with the name that a program gives.
func values() leaderflags.Values {
	return leaderflags.Values{
		LeaderElect:   true,
		LeaseDuration: metav1.Duration{Duration: 15 * time.Second},
		RenewDeadline: metav1.Duration{Duration: 10 * time.Second},
		RetryPeriod:   metav1.Duration{Duration: 2 * time.Second},
		ResourceLock:  "leases", ResourceName: "invoicer", ResourceNamespace: "shop",
	}
}

func TestEachFlagIsTakenOver(t *testing.T) {
	v := values()
	v.LeaseDuration.Duration, v.RenewDeadline.Duration, v.RetryPeriod.Duration = 60*time.Second, 40*time.Second, 5*time.Second
	config, err := leaderflags.Config(v)
	require.NoError(t, err)
	require.Equal(t, singleton.Config{
		Name: "invoicer", Namespace: "shop",
		Timing: lease.Timing{
			LeaseDuration: 60 * time.Second, RenewDeadline: 40 * time.Second, RetryPeriod: 5 * time.Second,
			MaxClockDrift: lease.DefaultMaxClockDrift,
		},
	}, config)
	cluster := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
	defer cluster.Close()
	elector, err := singleton.New(cluster.Client("a"), config)
	require.NoError(t, err)
	require.Equal(t, "shop/invoicer", elector.Scope())
}

// The timings that the package's documentation calls fit.
func TestTimingsThatFit(t *testing.T) {
	for _, s := range [][3]time.Duration{{15, 10, 2}, {60, 40, 5}, {137, 107, 26}} {
		v := values()
		v.LeaseDuration.Duration, v.RenewDeadline.Duration, v.RetryPeriod.Duration = s[0]*time.Second, s[1]*time.Second, s[2]*time.Second
		_, err := leaderflags.Config(v)
		require.NoError(t, err, s)
	}
}

func TestBadValuesAreRefused(t *testing.T) {
	for _, c := range []struct {
		change      func(*leaderflags.Values)
		field, says string
	}{
		{func(v *leaderflags.Values) { v.LeaderElect = false }, "LeaderElect", "LeaderElect false must be true (--leader-elect)"},
		{func(v *leaderflags.Values) { v.ResourceLock = "endpointsleases" }, "ResourceLock", `ResourceLock "endpointsleases" must be "leases"`},
		{func(v *leaderflags.Values) { v.ResourceLock = "" }, "ResourceLock", `ResourceLock "" must be "leases"`},
		{func(v *leaderflags.Values) { v.ResourceName = "" }, "ResourceName", `ResourceName "" must not be empty`},
		{func(v *leaderflags.Values) { v.LeaseDuration.Duration = 0 }, "LeaseDuration", "LeaseDuration 0s must be at least 2s"},
		{func(v *leaderflags.Values) { v.LeaseDuration.Duration = 15500 * time.Millisecond }, "LeaseDuration", "LeaseDuration 15.5s must be whole seconds"},
		{func(v *leaderflags.Values) { v.RenewDeadline.Duration = 0 }, "RenewDeadline", "RenewDeadline 0s must be positive"},
		{func(v *leaderflags.Values) { v.RenewDeadline.Duration = 14500 * time.Millisecond }, "RenewDeadline", "RenewDeadline 14.5s must be at most LeaseDuration/(1+MaxClockDrift)"},
		{func(v *leaderflags.Values) { v.RetryPeriod.Duration = 0 }, "RetryPeriod", "RetryPeriod 0s must be at least 100ms"},
		{func(v *leaderflags.Values) { v.RetryPeriod.Duration = 6 * time.Second }, "RetryPeriod", "RetryPeriod 6s must be at most RenewDeadline/2"},
	} {
		v := values()
		c.change(&v)
		config, err := leaderflags.Config(v)
		require.ErrorContains(t, err, "leaderflags: ")
		require.ErrorContains(t, err, c.says)
		require.Zero(t, config)
		field, found := errors.AsType[*lease.FieldError](err)
		require.True(t, found)
		require.Equal(t, c.field, field.Field)
	}
}

// One error names all.
func TestEveryBadValueIsNamed(t *testing.T) {
	_, err := leaderflags.Config(leaderflags.Values{})
	for _, field := range []string{"LeaderElect", "LeaseDuration", "RenewDeadline", "RetryPeriod", "ResourceLock", "ResourceName"} {
		require.ErrorContains(t, err, field)
	}
}

// An empty namespace is hotseat's default: the Pod's own.
func TestNoNamespaceIsThePods(t *testing.T) {
	t.Setenv("POD_NAMESPACE", "shop")
	v := values()
	v.ResourceNamespace = ""
	config, err := leaderflags.Config(v)
	require.NoError(t, err)
	cluster := singletontest.New(singletontest.Options{Namespace: "shop", Lease: "invoicer"})
	defer cluster.Close()
	elector, err := singleton.New(cluster.Client("a"), config)
	require.NoError(t, err)
	require.Equal(t, "shop/invoicer", elector.Scope())
}

// A program's flags, as component-base has bound them, say how hotseat elects.
func ExampleConfig() {
	election := values() // in a program: leaderflags.Values(options.LeaderElection)
	config, err := leaderflags.Config(election)
	fmt.Println(config.Name, config.Timing.LeaseDuration, err)

	election.RenewDeadline.Duration = 15 * time.Second
	_, err = leaderflags.Config(election)
	fmt.Println(err)
	// Output:
	// invoicer 15s <nil>
	// leaderflags: RenewDeadline 15s must be at most LeaseDuration/(1+MaxClockDrift) - 100ms = 15s/1.05 - 100ms = 14.185714285s: work needs time to stop
}
