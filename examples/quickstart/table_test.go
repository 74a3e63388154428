package main

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func boardOf(events ...event) *board {
	b := newBoard(2 * time.Second)
	for _, e := range events {
		b.apply(e)
	}
	return b
}

func TestTableShowsTheReplicas(t *testing.T) {
	b := boardOf(
		event{At: at(1), Kind: kindAct, Text: "Act 1"},
		event{At: at(1), Kind: kindStarted, Replica: "b", PID: 8},
		event{At: at(1), Kind: kindStarted, Replica: "a", PID: 7},
		event{At: at(2), Kind: kindStatus, Replica: "a", PID: 7, State: "active", Token: tokenOf(3), Valid: 2 * time.Second},
		event{At: at(2), Kind: kindAcquired, Replica: "a", PID: 7, Token: tokenOf(3)},
		event{At: at(2), Kind: kindWritten, Replica: "a", PID: 7, N: 1},
		event{At: at(2), Kind: kindRefused, Replica: "a", PID: 7, N: 2},
	)
	require.Equal(t, []string{
		"",
		"Act 1",
		"  REPLICA     PID  STATE           TOKEN  VALID FOR        ACCEPTED  REFUSED",
		"  a             7  active              3  1.0s #####-----         1        1",
		"  b             8  starting            -  -                       0        0",
		"  ledger: 1 records, highest token 3   time: 2s   Ctrl-C stops everything",
	}, b.lines(at(3), false))
}

func TestTableCountsDownWhileFrozen(t *testing.T) {
	b := boardOf(
		event{At: at(1), Kind: kindStarted, Replica: "a", PID: 7},
		event{At: at(1), Kind: kindStatus, Replica: "a", PID: 7, State: "active", Token: tokenOf(3), Valid: 2 * time.Second},
		event{At: at(1), Kind: kindFault, Fault: faultFreeze, Replica: "a", PID: 7},
	)
	require.Contains(t, b.lines(at(2), false)[3], "FROZEN              3  1.0s #####-----")
	require.Contains(t, b.lines(at(9), false)[3], "FROZEN              3  0.0s ----------")
	b.apply(event{At: at(9), Kind: kindThaw, Replica: "a", PID: 7})
	require.Contains(t, b.lines(at(9), false)[3], "active")
}

func TestTableIgnoresLateWordsOfAReplacedProcess(t *testing.T) {
	b := boardOf(
		event{At: at(1), Kind: kindStarted, Replica: "a", PID: 7},
		event{At: at(1), Kind: kindWritten, Replica: "a", PID: 7},
		event{At: at(2), Kind: kindExited, Replica: "a", PID: 7},
	)
	require.Contains(t, b.lines(at(2), false)[3], "gone")
	b.apply(event{At: at(3), Kind: kindStarted, Replica: "a", PID: 9})
	b.apply(event{At: at(4), Kind: kindStatus, Replica: "a", PID: 7, State: "active"})
	require.Contains(t, b.lines(at(4), false)[3], "9  starting            -  -                       1        0")
}

func TestTableFitsEightyColumns(t *testing.T) {
	b := boardOf(
		event{At: at(1), Kind: kindStarted, Replica: "a", PID: 4194304},
		event{At: at(1), Kind: kindStatus, Replica: "a", PID: 4194304, State: "acquiring", Token: tokenOf(99_999_999_999), Valid: 2 * time.Second},
	)
	for _, line := range b.lines(at(1), false) {
		require.Less(t, utf8.RuneCountInString(line), 80, line)
	}
}

func TestCutCountsColumnsNotColours(t *testing.T) {
	require.Equal(t, "abcdef", cut("abcdef", 0))
	require.Equal(t, "abcdef", cut("abcdef", 6))
	require.Equal(t, "abc", cut("abcdef", 3))
	painted := painter(true).bold("abcdef")
	require.Equal(t, painted, cut(painted, 6))
	require.Equal(t, painter(true).bold("abc"), cut(painted, 3))
	require.Equal(t, "äöü", cut("äöüß", 3))
}

func TestPainterWithoutColour(t *testing.T) {
	require.Equal(t, "x", painter(false).green("x"))
	require.Empty(t, painter(true).green(""))
	require.True(t, strings.HasPrefix(painter(true).green("x"), "\x1b["))
}
