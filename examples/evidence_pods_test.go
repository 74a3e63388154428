package examples

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/evidence"
)

// The guide shows this function to the letter; TestGoInTheDocsIsCompiled compares.

func withEvidence(client *singleton.Client, ledger fencing.Guard) (*singleton.Elector, error) {
	pods, err := evidence.NewPods(client, evidence.Config{})
	if err != nil {
		return nil, err
	}
	return singleton.New(client, singleton.Config{
		Name:     "invoicer",
		Guards:   []fencing.Guard{ledger},
		Evidence: pods,
		Timing: lease.Timing{
			LeaseDuration: 60 * time.Second,
			RenewDeadline: 45 * time.Second,
			RetryPeriod:   4 * time.Second,
		},
	})
}

func TestWithEvidence(t *testing.T) {
	guard, err := fencing.NewMemory(fencing.MemoryConfig{})
	require.NoError(t, err)
	client, err := singleton.NewClient(&rest.Config{Host: "https://192.0.2.1"})
	require.NoError(t, err)
	t.Setenv("POD_NAME", "")
	t.Setenv("POD_NAMESPACE", "")
	_, err = withEvidence(client, guard)
	require.ErrorIs(t, err, evidence.ErrNoPod, "this is no Pod")
	t.Setenv("POD_NAME", "invoicer-0")
	t.Setenv("POD_NAMESPACE", "shop")
	elector, err := withEvidence(client, guard)
	require.NoError(t, err)
	require.NotNil(t, elector)
}
