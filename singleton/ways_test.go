package singleton_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// sharedToo are the tests whose scripts are also played with shared watches: each kind of fault
// of links, requests, watches and records once, and each way a term ends.
var sharedToo = []string{
	"TestAcquireAnsweredLate",
	"TestAnnotationsRemovedAreWrittenAgain",
	"TestAnotherHolderSeenInTheRecord",
	"TestCrashFailoverWithinALease",
	"TestFaultyRequestsShorterThanTheDeadlineDisturbNothing",
	"TestHandEditsWhileTheActiveIsCutOff",
	"TestHealingPartitionNeverClearsTheSuccessor",
	"TestLastRenewalAnsweredLateThenAPILost",
	"TestLateCreateStartsNoTerm",
	"TestLeaseClearedAgainAndAgain",
	"TestLeaseDeletedUnderLiveLeader",
	"TestLengthenedDurationDoesNotStick",
	"TestLostAnswersOfAcquire",
	"TestOwnIdentityIsWaitedOutLikeAnyOther",
	"TestPartitionOfEverybody",
	"TestPartitionOfTheActive",
	"TestPartitionRightAfterPromptRenewal",
	"TestReleasedAfterTheWorkReturned",
	"TestShortenedDurationIsNotBelievedOnFirstSight",
	"TestSilentWatchIsNoticedBeforeTheLeaseRunsOut",
	"TestWatchesEnding",
}

// playsShared reports whether t's script is played with shared watches too; with
// HOTSEAT_SHARED=all each is.
func playsShared(t *testing.T) bool {
	name, _, _ := strings.Cut(t.Name(), "/")
	return slices.Contains(sharedToo, name) || os.Getenv("HOTSEAT_SHARED") == "all"
}

// A test that was renamed would leave the list without a word.
func TestSharedTooNamesTests(t *testing.T) {
	files, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	onStages := map[string]bool{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, decl := range parsed.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil {
				ast.Inspect(f, func(n ast.Node) bool {
					if name, ok := n.(*ast.Ident); ok && (name.Name == "onStage" || name.Name == "onRestoredStage") {
						onStages[f.Name.Name] = true
					}
					return true
				})
			}
		}
	}
	for _, name := range sharedToo {
		require.True(t, onStages[name], "%s plays no script", name)
	}
	require.True(t, slices.IsSorted(sharedToo))
}

// The ways to play a world: with a watch of each replica's own or a shared one; with work that
// returns at once or drains, to the end of its stop budget, which is 4.2 s.
const (
	own = iota
	sharedDrains
	shared
	ownDrains
	ways
)

func inWay(t *testing.T, way int, f func(w *world)) {
	t.Helper()
	inWorldWith(t, func(w *world) {
		w.shared = way == shared || way == sharedDrains
		if way == ownDrains || way == sharedDrains {
			w.drain = 4 * second
		}
	}, f)
}

func everyWay(t *testing.T, f func(w *world)) {
	t.Helper()
	for way, name := range []string{own: "own", sharedDrains: "shared, drains", shared: "shared", ownDrains: "own, drains"} {
		t.Run(name, func(t *testing.T) { inWay(t, way, f) })
	}
}

// someWay plays f in one of those ways, or in all of them with HOTSEAT_SHARED=all. The cases of a
// table take turns: the nth one's way is n.
func someWay(t *testing.T, n int, f func(w *world)) {
	t.Helper()
	if os.Getenv("HOTSEAT_SHARED") == "all" {
		everyWay(t, f)
		return
	}
	inWay(t, n%ways, f)
}
