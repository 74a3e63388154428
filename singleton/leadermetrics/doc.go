// Package leadermetrics exports metrics of an elector to Prometheus, under the names of client-go's
// metrics, so that dashboards and alerts go on working:
//
//	aliases, err := leadermetrics.New(elector, leadermetrics.Config{})
//	...
//	registry.MustRegister(elector, aliases)
//
//	leader_election_master_status{name}   gauge, as hotseat_active
//	leader_election_slowpath_total{name}  counter, the sum of hotseat_renew_failures_total
//
// You have to register them yourself. Use the hotseat_* metrics in new dashboards and alerts.
//
// # What they mean
//
// master_status is 1 while this replica's term is valid, else 0. client-go's is 1 from the acquire
// until a renewal has failed for RenewDeadline. The differences:
//   - When the elector is told to stop, hotseat's is 0 once work has returned and the Lease is
//     released. client-go's stays 1 for as long as the process lives, unless the stop comes while a
//     renewal is under way.
//   - After a freeze, hotseat's is 0 at the next scrape. client-go's is 1 until its elector
//     notices.
//   - The sum over all replicas is never above 1 if each is scraped at the same moment. Scrapes
//     take time, so the sum can be 2 for one scrape interval.
//
// slowpath_total counts renewals that were not acknowledged at the first attempt, for whatever
// reason. client-go's counts renewals for which its elector first had to read the Lease anew, which
// it does after the same failures. A conflict counts once in both. During an outage of the API
// server, client-go's stands still, because the read fails too. This one grows.
//
// # Beside those of client-go
//
// component-base and controller-runtime register metrics of the same names, for client-go's elector
// in the same process. A collector of this package can be registered beside them, whichever comes
// first:
//   - A scrape shows its values beside theirs, as long as the label "name" has different values. If
//     the values are the same, the scrape fails: "collected before with the same name and label
//     values". Set Config.Name.
//   - A scrape also fails if the help texts differ ("has help ... but should have"). Those of
//     component-base begin with "[ALPHA] ". Set Config.Alpha in its registry (legacyregistry).
//
// To make that possible, a collector describes no metrics when it is registered. So the registry
// does not notice then that two collectors of this package have the same value of the label "name".
// The scrape does.
package leadermetrics
