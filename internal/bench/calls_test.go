package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCallsDoNotAllocate(t *testing.T) {
	whileActive(t, func(calls []call) {
		for _, c := range calls {
			assert.True(t, c.ok(), c.name)
			assert.Zero(t, testing.AllocsPerRun(10_000, func() { c.ok() }), c.name)
		}
	})
}
