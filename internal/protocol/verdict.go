package protocol

// Verdict is what a failed attempt shows.
type Verdict int

const (
	Outage       Verdict = iota // the API server, or the way to it
	Faster                      // another write came first; the watch is about to tell whose
	Contested                   // that happened too often in a row
	Unanswered                  // writes arrive, and no answer does
	Exhausted                   // a number has to be lowered by hand
	Denied                      // creating the Lease is not allowed
	Refused                     // only a person can fix it; it may flicker
	FirstRefused                // the first of these in a row
	Hopeless                    // no retry will mend it: Run ends
)

// fewConflicts in a row only mean that others were faster.
const fewConflicts = 5
