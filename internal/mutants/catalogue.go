package main

import "slices"

// catalogue is every mutant, in the order of the files.
func catalogue() []mutant {
	return slices.Concat(ofTime(), ofTimings(), ofWrites(), ofStanding(), ofEpoch(), ofView(), ofTerm(), ofLoop(), ofStandby(), ofOthers(), ofTransport(),
		ofClaims(), ofSeat(), ofTests(), ofAnswers(), ofRefusals(), ofService(), ofGuards(), ofSQLFence())
}

// Names of files, so that they are written once.
const (
	fileLock      = "lease/lock.go"
	fileCandidate = "lease/candidate.go"
	fileManners   = "lease/manners.go"
	fileTenure    = "lease/tenure.go"
	filePulse     = "lease/pulse.go"
	fileRetry     = "internal/retry/retry.go"
	fileLoop      = "singleton/loop.go"
	fileReign     = "singleton/reign.go"
	fileHolding   = "singleton/holding.go"
	fileLockEnd   = "lease/raise_release.go"
	fileClaim     = "lease/claim.go"
	fileChange    = "lease/change.go"
	fileRead      = "lease/read.go"
	fileAsk       = "lease/ask.go"
	fileWatch     = "lease/watch.go"
	fileStatus    = "singleton/status.go"
	fileSeat      = "lease/seat.go"
	fileAcquire   = "singleton/acquire.go"
	fileWrite     = "lease/write.go"
	fileEpoch     = "lease/epoch.go"
	fileDecide    = "lease/decide.go"
	fileView      = "lease/view.go"
	fileRecord    = "lease/record.go"
	fileAnnounce  = "singleton/announce.go"
	fileFences    = "singleton/fences.go"
	fileTiming    = "lease/timing.go"
	fileSource    = "internal/lookout/source.go"
	fileQueue     = "internal/lookout/queue.go"
	fileReconnect = "singleton/reconnect.go"
	fileStandby   = "singleton/standby.go"
	fileTerm      = "singleton/term.go"
	fileWatchdog  = "singleton/watchdog.go"
	fileWork      = "singleton/work.go"
)

const (
	pkgLease     = "./lease"
	pkgSingleton = "./singleton"
	pkgLookout   = "./internal/lookout"
)
