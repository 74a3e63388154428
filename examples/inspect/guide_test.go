package main

import (
	"context"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The commands of the guide's page do what it says.
func TestGuide(t *testing.T) {
	page, err := os.ReadFile("../../internal/docs/guide/inspect.md")
	require.NoError(t, err)
	commands := 0
	for _, command := range regexp.MustCompile(`(?m)^kubectl hotseat (.*)$`).FindAllStringSubmatch(string(page), -1) {
		commands++
		t.Run(command[1], func(t *testing.T) {
			b := newBed(t)
			b.active(0)
			b.start("b", 0)
			b.pod("a", true)
			b.pod("b", true)
			waitForCandidates(t, b, "b")
			args := strings.Fields(strings.ReplaceAll(command[1], "<pod>", "b"))
			if args[0] == "watch" { // it ends with its context only
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				require.Equal(t, exitFine, b.runTo(ctx, io.Discard, io.Discard, args...))
				return
			}
			b.exits(exitFine, args...)
		})
	}
	require.GreaterOrEqual(t, commands, 4)
}
