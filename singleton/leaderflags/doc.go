// Package leaderflags makes a [singleton.Config] from the leader election flags of the Kubernetes
// project's own programs: component-base's LeaderElectionConfiguration.
//
//	options.BindLeaderElectionFlags(&election, flags) // component-base
//	...
//	config, err := leaderflags.Config(leaderflags.Values(election))
//
// [Values] has the same fields as LeaderElectionConfiguration, so that Go converts one into the
// other, and component-base is no requirement of this module. If a version of component-base has
// other fields, the conversion does not compile.
//
// # Flags
//
//	--leader-elect                     none: hotseat always elects. False is an error; check it first
//	--leader-elect-lease-duration      Config.Timing.LeaseDuration
//	--leader-elect-renew-deadline      Config.Timing.RenewDeadline
//	--leader-elect-retry-period        Config.Timing.RetryPeriod
//	--leader-elect-resource-lock       none: a Lease is what there is. Must be "leases"
//	--leader-elect-resource-name       Config.Name
//	--leader-elect-resource-namespace  Config.Namespace; if empty, its default
//
// No flag says what becomes of the other fields of the Config. A program that ends its process when
// it loses the Lease sets Config.OneTerm.
//
// # Timings that are refused
//
// client-go takes any RenewDeadline below LeaseDuration. hotseat also wants time for work to stop,
// and whole seconds in LeaseDuration: see [lease.Timing]. The defaults of the flags (15 s, 10 s, 2
// s) fit. So do 60 s, 40 s, 5 s, and so do 137 s, 107 s, 26 s, which OpenShift recommends.
package leaderflags
