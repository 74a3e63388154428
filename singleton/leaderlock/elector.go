package leaderlock

import (
	"context"
	"fmt"
	"time"

	"k8s.io/client-go/tools/leaderelection"

	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

const (
	defaultDrainLimit = 5 * time.Minute  // singleton's
	defaultGraceful   = 30 * time.Second // controller-runtime's
)

// RunElector runs client-go's elector with this Lock. It replaces leaderelection.RunOrDie, and
// takes the same configuration, in which Lock may be nil. It differs in these points:
//   - It waits for OnStartedLeading, and releases the Lease only after that has returned.
//     OnStartedLeading must return soon after its context ends, with nothing left running. If it
//     returns before its context ends, the replica goes on leading, as with client-go.
//   - OnStoppedLeading is called after the Lease was released, so it may end the process. As with
//     client-go, it is called even if this replica has never led.
//   - OnNewLeader is called by hotseat as soon as another holder is seen on the Lease. Calls are
//     made one at a time, and each must return soon.
//   - What ended the leadership is returned: see [Lock.Run].
//
// A configuration that client-go refuses is returned as an error. Nothing has been started then,
// and OnStoppedLeading is not called.
func (l *Lock) RunElector(ctx context.Context, config leaderelection.LeaderElectionConfig) error {
	own := config.Callbacks
	finished := make(chan struct{}) // OnStartedLeading has returned
	if err := l.adapt(&config, finished); err != nil {
		return err
	}
	elector, err := leaderelection.NewLeaderElector(config)
	if err != nil {
		return fmt.Errorf("leaderlock: client-go's elector: %w", err)
	}
	if !l.used.CompareAndSwap(false, true) {
		return ErrUsed
	}
	if config.WatchDog != nil {
		config.WatchDog.SetLeaderElection(elector)
	}
	l.onHolder = func(h singleton.Holder) {
		if own.OnNewLeader != nil && h.Identity != "" {
			own.OnNewLeader(h.Identity)
		}
	}
	defer own.OnStoppedLeading()
	return l.run(ctx, func(ctx context.Context) error {
		elector.Run(ctx)
		if l.hasLed() { // then it has called OnStartedLeading, on a goroutine
			<-finished
		}
		return nil
	})
}

// adapt checks client-go's configuration, and puts this Lock and callbacks of its own into it.
func (l *Lock) adapt(config *leaderelection.LeaderElectionConfig, finished chan struct{}) error {
	if config.Lock != nil && config.Lock != l {
		return refuse("LeaderElectionConfig.Lock", config.Lock.Describe(), "must be this Lock, or nil")
	}
	if config.Coordinated {
		return refuse("LeaderElectionConfig.Coordinated", true, "must be false: hotseat elects")
	}
	config.Lock = l
	config.Callbacks.OnNewLeader = nil
	if config.Callbacks.OnStoppedLeading != nil { // client-go refuses a nil one
		config.Callbacks.OnStoppedLeading = func() {}
	}
	if started := config.Callbacks.OnStartedLeading; started != nil {
		config.Callbacks.OnStartedLeading = func(ctx context.Context) {
			defer unlessPanicking(func() { close(finished) })
			started(ctx)
		}
	}
	return nil
}

// tellHolder is the elector's OnHolder: the user's own, and what RunElector wants to know.
func (l *Lock) tellHolder(own func(singleton.Holder)) func(singleton.Holder) {
	return func(h singleton.Holder) {
		if own != nil {
			own(h)
		}
		if l.onHolder != nil {
			l.onHolder(h)
		}
	}
}

// CheckShutdown returns a [*lease.FieldError] if manager.Options.GracefulShutdownTimeout of
// controller-runtime does not suit the Lock. nil stands for controller-runtime's default, 30 s.
//   - It must not be 0: Start would return while controllers work, and the Lease would be released
//     while they still do.
//   - It must not exceed Config.Replica.DrainLimit, after which [singleton.Elector.Live] fails. A
//     negative timeout is accepted: the manager then waits for ever, and so does Run.
//
// It need not fit in the stop budget: see [Lock.Run] for what happens after a loss.
func (l *Lock) CheckShutdown(timeout *time.Duration) error {
	most := defaultGraceful
	if timeout != nil {
		most = *timeout
	}
	var rule string
	switch {
	case most == 0:
		rule = "must not be 0: the Lease would be released while controllers work"
	case most > l.drain:
		rule = fmt.Sprintf("must be at most Config.Replica.DrainLimit %v", l.drain)
	default:
		return nil
	}
	return fmt.Errorf("leaderlock: %w", &lease.FieldError{
		Field: "GracefulShutdownTimeout", Value: most, Rule: rule, Default: timeout == nil,
	})
}

func refuse(field string, value any, rule string) error {
	return fmt.Errorf("leaderlock: %w", &lease.FieldError{Field: field, Value: value, Rule: rule})
}
