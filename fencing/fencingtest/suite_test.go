package fencingtest

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
)

func TestToy(t *testing.T) {
	t.Parallel()
	Run(t, toys(none))
}

// What is left of a guard without more than Open, and without effects.
// briefly is how long a hammer takes that does not look for a bug.
const briefly = 200 * time.Millisecond

func TestLess(t *testing.T) {
	t.Run("only Open", func(t *testing.T) {
		t.Parallel()
		Run(t, Suite{Open: toys(none).Open, Hammer: briefly})
	})
	t.Run("Memory", func(t *testing.T) {
		t.Parallel()
		Run(t, Suite{AnyScope: true, Hammer: briefly, Open: func(t testing.TB) fencing.Guard {
			m, err := fencing.NewMemory(fencing.MemoryConfig{Drain: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			return m
		}})
	})
	t.Run("no more than a Guard", func(t *testing.T) {
		t.Parallel()
		Run(t, Suite{Hammer: briefly, Open: func(t testing.TB) fencing.Guard {
			return struct{ fencing.Guard }{toys(none).Open(t)}
		}})
	})
}

// Each bug is found by the tests that are there for it.
func TestBrokenGuardsFail(t *testing.T) {
	for b, tests := range map[bug]string{
		forgetsMark:       "MarkOutlivesTheGuard",
		resetsMark:        "DamagedMark",
		admitsStale:       "OlderIsRefused EffectsRaise Unfenced",
		lowersMark:        "OlderIsRefused EffectsRaise",
		refusesCurrent:    "AnnouncedIsAdmitted",
		failsOpen:         "BrokenStore",
		takesOtherScope:   "OtherScope",
		takesMalformed:    "MalformedToken",
		takesMissing:      "MissingToken",
		announcesUnfenced: "Unfenced",
		unfencesStale:     "Unfenced",
		comparesText:      "NumbersAreExact",
		comparesDoubles:   "NumbersAreExact",
		admitsRival:       "OneEpochTwoTerms",
		raisesNotByWrite:  "EffectsRaise",
		checksThenWrites:  "Parked",
		writesThenRefuses: "OlderIsRefused Hammer",
		losesWrites:       "Hammer",
		answersTooSoon:    "AnnouncedIsAdmitted Hammer",
		tellsNoMark:       "OlderIsRefused",
		blamesToken:       "DamagedMark",
		raisesInTwoSteps:  "RaisedTogether",
		raisesThenWrites:  "ParkedRaise",
	} {
		t.Run(string(b), func(t *testing.T) {
			t.Parallel()
			failed := map[string][]string{}
			for _, r := range rules() {
				if p := toys(b).play(t, r); len(p.findings) > 0 {
					failed[r.name] = p.findings
				}
			}
			for want := range strings.FieldsSeq(tests) {
				if len(failed[want]) == 0 {
					others := slices.Sorted(maps.Keys(failed))
					t.Errorf("%s passes with a guard that %s; these fail: %v", want, b, others)
				}
			}
			t.Logf("%v", failed)
		})
	}
}
