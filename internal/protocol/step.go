package protocol

import "time"

// Write is what a [Step] has sent.
type Write int

const (
	Nothing    Write = iota
	WriteTake        // [Lock.Take]
	WriteAgain       // [Lock.Ensure]
	WriteRenew       // [Lock.Renew]
)

// Step is what the term's owner has to do now.
type Step struct {
	Send Write // with the tenure's claim as it is now
	ID   int   // of that write: its [Answer] has it
	End  []int // writes whose answers are of no use any more

	Lost      *LostError    // the term is over, by what was seen
	Failed    error         // a write's failure; it ends an acquire
	NoAnswer  error         // a write of an acquire was not answered: it goes on
	Silent    time.Duration // for how long nobody has answered renewals
	Prolonged bool          // an answer acknowledged the term
	Announce  bool          // guards are to be told of the token again
	Rewatch   bool          // the watch is not to be relied on
}

// Answer to a write.
type Answer struct {
	ID    int
	Claim Claim
	Err   error
	Took  time.Duration
}
