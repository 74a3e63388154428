package leaderflags

import (
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

// Values are the fields of component-base's config.LeaderElectionConfiguration, in its order: Go
// converts one into the other.
type Values struct {
	LeaderElect       bool
	LeaseDuration     metav1.Duration
	RenewDeadline     metav1.Duration
	RetryPeriod       metav1.Duration
	ResourceLock      string
	ResourceName      string
	ResourceNamespace string
}

// leases is the one kind of resource that client-go still elects on, and hotseat does.
const leases = "leases"

// Config returns the Config that the flags ask for: its Name, Namespace and Timing. The rest is the
// program's to set.
//
// It refuses what [lease.Timing.Validate] refuses. It also refuses what component-base's own
// validation refuses, but the namespace may be empty. The error joins a [*lease.FieldError] for
// each broken rule. Field is the name in LeaderElectionConfiguration.
func Config(from Values) (singleton.Config, error) {
	var errs []error
	refuse := func(field string, value any, rule string) {
		errs = append(errs, &lease.FieldError{Field: field, Value: value, Rule: rule})
	}
	if !from.LeaderElect {
		refuse("LeaderElect", false, "must be true (--leader-elect):"+
			" hotseat does not run work without an election, so ask this before and call work yourself")
	}
	timing := lease.Timing{
		LeaseDuration: from.LeaseDuration.Duration,
		RenewDeadline: from.RenewDeadline.Duration,
		RetryPeriod:   from.RetryPeriod.Duration,
		MaxClockDrift: lease.DefaultMaxClockDrift,
	}
	if err := timing.Validate(); err != nil { // as it is: zero is no default in a flag
		errs = append(errs, err)
	}
	if from.ResourceLock != leases {
		refuse("ResourceLock", from.ResourceLock, fmt.Sprintf(
			"must be %q (--leader-elect-resource-lock): hotseat elects on Leases only", leases))
	}
	if from.ResourceName == "" {
		refuse("ResourceName", "", "must not be empty (--leader-elect-resource-name):"+
			" it names the Lease that all replicas share")
	}
	if len(errs) > 0 {
		return singleton.Config{}, fmt.Errorf("leaderflags: %w", errors.Join(errs...))
	}
	return singleton.Config{
		Name: from.ResourceName, Namespace: from.ResourceNamespace, Timing: timing,
	}, nil
}
