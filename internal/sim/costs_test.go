package sim_test

import "github.com/hotseat-go/hotseat/internal/sim"

// cost is a rule that costs time with exactly one at work, and how much it may, in points
// of the five minutes in which one fault strikes; a lease duration is 3.3 to 7.
type cost struct {
	most float64
	rule string
}

// costs are those rules by the fault that has them cost something: what client-go's
// elector does instead can be two at work.
func costs() map[sim.Kind]cost {
	const (
		another = "a record that names another holder ends the term at once, as that one may be at work, and is waited out from then; " +
			"client-go works on for RenewDeadline"
		gone = "a Lease that went back to before the term, or is another one, proves nothing of what came between: a lease duration " +
			"is waited out; client-go writes over what it reads"
		sent = "a term is over RenewDeadline after the sending of its last answered renewal; client-go counts from its answer, and a release " +
			"on the way there leaves its work running"
	)
	return map[sim.Kind]cost{
		sim.NoLease:      {6, "nothing tells a Lease that never was from one deleted under a holder: a lease duration is waited out (ship the Lease)"},
		sim.Foreign:      {4, another},
		sim.Overrun:      {2, another + " (in half of these schedules an intruder ends the term)"},
		sim.Restore:      {1.5, gone},
		sim.Bumped:       {1.5, gone},
		sim.StaleCache:   {1.5, gone},
		sim.Reship:       {1.5, gone},
		sim.Freeze:       {0.5, "a term is over RenewDeadline after the sending of its last answered renewal, frozen or not; client-go's goes on when it thaws"},
		sim.DelayRequest: {0.5, sent},
		sim.DelayAnswer:  {0.5, sent},
		sim.LoseAnswer:   {0.5, sent},
		sim.HangAnswer:   {0.5, sent},
	}
}
