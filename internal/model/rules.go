package main

// rules are wrong rules, to see that the model can fail.
type rules uint32

const (
	countFromAnswer  rules = 1 << iota // validity counts from the answer
	countFromLast                      // an acknowledgement counts for the write that was sent last
	reviveOver                         // a late answer revives a term that is over
	unheldIsFree                       // no holder means nobody is at work
	missingIsFree                      // a missing Lease too
	blindRelease                       // a release compares nothing but the UID
	releaseByContent                   // a release compares no version
	releaseFirst                       // released before work has returned
	lateAcquire                        // an acquire acknowledged late is started on
	patientAcquire                     // an acquire is tried for longer than RenewDeadline
	lateRelease                        // a release is tried for longer than the term is valid
	noAnnounce                         // work starts without telling the guard
	countingEpoch                      // the epoch counts on from the annotation alone
	blindRewrite                       // after a conflict it writes again, whosever record it is
	noWatchdog                         // validity ends when somebody looks
	heldCreate                         // a missing Lease is created held, in one write
	gapIsNone                          // what is seen across a gap counts as seen right after
	wordIsProof                        // a record that says that nobody is at work is believed
	uidIsNothing                       // another UID is the same Lease
	seatAcrossGap                      // a seat is taken back whatever was not shown
	clockStands                        // renewTime does not move
	versionOnly                        // a swap compares the UID and the version
	deathIsProof                       // a dead holder is succeeded, whoever came after it
)

func (m *model) wrong(r rules) bool { return m.rules&r != 0 }

// holes are what internal/docs/guide/guarantees.md says is not covered. The model excuses them, unless they
// are to be seen.
type holes uint8

const (
	newcomers  holes = 1 << iota // a process that starts after the Lease was shipped anew or restored
	behind                       // one that was not shown yet what a restore wiped out
	onTheirWay                   // a write that was sent before a restore and lands after it
)

func (m *model) shown(h holes) bool { return m.holes&h != 0 }
