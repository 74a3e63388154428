package main

import "slices"

// catalogue is every mutant, in the order of the files.
func catalogue() []mutant {
	return slices.Concat(ofTime(), ofTimings(), ofWrites(), ofStanding(), ofEpoch(), ofView(), ofTerm(), ofLoop(), ofStandby(), ofOthers(), ofTransport(),
		ofClaims(), ofSeat(), ofTests(), ofAnswers(), ofRefusals(), ofService(), ofGuards(), ofSQLFence())
}

// Names of files, so that they are written once.
const (
	fileLock        = "lease/lock.go"
	fileLockEnd     = "lease/raise_release.go"
	filePace        = "singleton/pace.go"
	fileClaim       = "lease/claim.go"
	fileChange      = "lease/change.go"
	fileRead        = "lease/read.go"
	fileAsk         = "lease/ask.go"
	fileWatch       = "lease/watch.go"
	fileStatus      = "singleton/status.go"
	fileSharedWatch = "singleton/sharedwatch.go"
	fileSeat        = "lease/seat.go"
	fileAcquire     = "singleton/acquire.go"
	fileSettle      = "singleton/settle.go"
	fileWrite       = "lease/write.go"
	fileEpoch       = "lease/epoch.go"
	fileDecide      = "lease/decide.go"
	fileView        = "lease/view.go"
	fileRecord      = "lease/record.go"
	fileAnnounce    = "singleton/announce.go"
	fileActive      = "singleton/active.go"
	fileFences      = "singleton/fences.go"
	fileTiming      = "lease/timing.go"
	fileKeeper      = "singleton/keeper.go"
	fileObserver    = "singleton/observer.go"
	fileReconnect   = "singleton/reconnect.go"
	fileStandby     = "singleton/standby.go"
	fileCrowd       = "singleton/crowd.go"
	fileTerm        = "singleton/term.go"
	fileWatchdog    = "singleton/watchdog.go"
	fileWork        = "singleton/work.go"
)

const (
	pkgLease     = "./lease"
	pkgSingleton = "./singleton"
)
