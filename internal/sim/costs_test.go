package sim_test

import "github.com/hotseat-go/hotseat/internal/sim"

// costs are the rules that cost time with exactly one at work, by the fault that has
// them cost it: what client-go's elector does instead can be two at work.
func costs() map[sim.Kind]string {
	const (
		another = "a record that names another holder ends the term at once, as that one may be at work, and is waited out from then; " +
			"client-go works on for RenewDeadline"
		gone = "a Lease that went back to before the term, or is another one, proves nothing of what came between: a lease duration " +
			"is waited out; client-go writes over what it reads"
		sent = "a term is over RenewDeadline after the sending of its last answered renewal; client-go counts from its answer, and a release " +
			"on the way there leaves its work running"
	)
	return map[sim.Kind]string{
		sim.NoLease:      "nothing tells a Lease that never was from one deleted under a holder: a lease duration is waited out (ship the Lease)",
		sim.Foreign:      another,
		sim.Overrun:      another + " (in half of these schedules an intruder ends the term)",
		sim.Restore:      gone,
		sim.Bumped:       gone,
		sim.StaleCache:   gone,
		sim.Reship:       gone,
		sim.Freeze:       "a term is over RenewDeadline after the sending of its last answered renewal, frozen or not; client-go's goes on when it thaws",
		sim.DelayRequest: sent,
		sim.DelayAnswer:  sent,
		sim.LoseAnswer:   sent,
		sim.HangAnswer:   sent,
	}
}
