package frameworks

import (
	"io"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
	componentbase "k8s.io/component-base/config"
	"k8s.io/component-base/config/options"
	"k8s.io/component-base/config/v1alpha1"

	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/leaderflags"
)

// configOf binds the flags as a program of the Kubernetes project does, and parses the arguments.
func configOf(t *testing.T, args ...string) (singleton.Config, error) {
	var defaults v1alpha1.LeaderElectionConfiguration
	v1alpha1.RecommendedDefaultLeaderElectionConfiguration(&defaults)
	var election componentbase.LeaderElectionConfiguration
	require.NoError(t, v1alpha1.Convert_v1alpha1_LeaderElectionConfiguration_To_config_LeaderElectionConfiguration(
		&defaults, &election, nil))
	election.ResourceLock, election.ResourceName, election.ResourceNamespace = "leases", "invoicer", "shop"
	flags := pflag.NewFlagSet("invoicer", pflag.ContinueOnError)
	flags.SetOutput(io.Discard)
	options.BindLeaderElectionFlags(&election, flags)
	require.NoError(t, flags.Parse(args))
	config, err := leaderflags.Config(leaderflags.Values(election))
	return config, err
}

func TestFlagsOfComponentBase(t *testing.T) {
	config, err := configOf(t)
	require.NoError(t, err)
	require.Equal(t, singleton.Config{
		Name: "invoicer", Namespace: "shop", Timing: lease.Timing{}.WithDefaults(),
	}, config, "the defaults of the flags are those of hotseat")

	config, err = configOf(t,
		"--leader-elect-lease-duration=60s", "--leader-elect-renew-deadline=40s", "--leader-elect-retry-period=5s",
		"--leader-elect-resource-name=biller", "--leader-elect-resource-namespace=shop-2")
	require.NoError(t, err)
	require.Equal(t, singleton.Config{
		Name: "biller", Namespace: "shop-2",
		Timing: lease.Timing{
			LeaseDuration: 60 * time.Second, RenewDeadline: 40 * time.Second, RetryPeriod: 5 * time.Second,
		}.WithDefaults(),
	}, config)
}

func TestFlagsOfComponentBaseThatAreRefused(t *testing.T) {
	for flag, want := range map[string]string{
		"--leader-elect=false":                    "LeaderElect false must be true",
		"--leader-elect-lease-duration=0":         "LeaseDuration 0s must be at least 2s",
		"--leader-elect-renew-deadline=14900ms":   "RenewDeadline 14.9s must be at most",
		"--leader-elect-retry-period=9s":          "RetryPeriod 9s must be at most RenewDeadline/2",
		"--leader-elect-resource-lock=configmaps": `ResourceLock "configmaps" must be "leases"`,
		"--leader-elect-resource-name=":           `ResourceName "" must not be empty`,
	} {
		_, err := configOf(t, flag)
		require.ErrorContains(t, err, want, flag)
	}
}
