package main

// state is the whole world at one instant. It is comparable: two equal states
// have the same future.
type state struct {
	now uint8
	bad violation

	record   uint16 // what the API server stores
	version  uint8  // of the store
	nextUID  uint8
	nextTerm uint8
	backup   uint16 // what a restore brings back
	backedUp uint8  // and the store's version at it; 0: no backup

	mark     tok // the guard's high-water mark
	started  [4]tok
	nStarted uint8

	highest  uint8 // epoch of any term that was ever committed
	wentBack bool  // restored without a bump: numbers may repeat

	left budget
	proc [2]proc
}

// budget is what may still happen to the world.
type budget struct {
	Deletes, Ships, Clears, Bumped, Unbumped, Crashes, Pauses, Resigns uint8
}

type tok struct{ epoch, term uint8 }

// claim is lease.Claim.
type claim struct {
	tok
	record uint16
	sent   uint8
}

type phase uint8

const (
	standby   phase = iota
	confirm         // a List is under way
	acquiring       // the acquiring write is
	adopting        // its answer was lost: a List tells
	adopted         // it happened: a renewal proves a time
	term            // holding, until work has returned
	releasing       // and then
)

type workState uint8

const (
	untold  workState = iota // no fence knows the token yet
	told                     // the guard knows it
	running                  // work runs
	done                     // work has returned, or will never start
)

// proc is one candidate.
type proc struct {
	down, paused, greedy bool // greedy: this process sends the first acquire
	incarnation          uint8
	phase                phase
	view                 uint16
	fresh                bool

	claim         claim
	work          workState
	ctxOver       bool  // the work's context has ended
	over          bool  // validity has, for good
	lostAt        uint8 // when
	deleted       bool  // because the Lease was deleted
	vanishedUntil uint8 // then: our old term's end + 1
	vanishedUID   uint8

	request request
	ghost   ghost
	event   event

	acquires, renewals, creates uint8 // writes left
}

type reqKind uint8

const (
	nothing reqKind = iota
	list
	write
)

type request struct {
	kind    reqKind
	sent    uint8
	reread  bool   // a List after a conflict
	lost    bool   // it will never be acted on
	acquire bool   // a write that begins a term
	vacant  bool   // a write of a vacant Lease
	release bool   // a write that ends one
	body    uint16 // of a write; its UID and version are what it compares with
	answer  uint8  // 0: the server has not acted yet
	record  uint16 // the answer's
	version uint8  // the answer's, of the store
}

const (
	ok       = 1
	conflict = 2
)

// ghost is a write whose client has given up; it may still land.
type ghost struct {
	body             uint16
	present, acquire bool
}

// event is a watch event on its way.
type event struct {
	present bool
	record  uint16
	version uint8
}

type violation uint8

const (
	none violation = iota
	overlap
	epochOrder
	overwrote
	admittedTwo
	startedLate
	guardBack
)

func (v violation) String() string {
	return [...]string{
		"none",
		"two candidates' work ran at the same time",
		"a term began with an epoch no greater than one before it",
		"a renewal or release was written over a record of another term",
		"the guard admits two terms whose work has started",
		"work started on an acquire acknowledged later than sent + R",
		"the guard's mark went back",
	}[v]
}

// ask is a List: it is answered by what is stored when it is sent, and heard
// whenever.
func (s *state) ask() request {
	return request{kind: list, sent: s.now, answer: ok, record: s.record, version: s.version}
}

// fresh: nobody has written yet. Time need not pass before that.
func (s *state) fresh() bool { return s.nextTerm == 1 && s.version == 1 && s.record != 0 }
