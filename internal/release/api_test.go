package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLastTag(t *testing.T) {
	tags := []string{"v0.9.0", "v0.10.0", "v0.11.0-rc.1", "v0.12.0", "nightly", "fencing/redisfence/v0.10.1"}
	root, nested := published{dir: "."}, published{dir: "fencing/redisfence"}
	require.Equal(t, "v0.10.0", lastTag(tags, root, "v0.11.0"))
	require.Equal(t, "v0.10.0", lastTag(tags, root, "v0.12.0"), "a check of what is tagged already")
	require.Equal(t, "fencing/redisfence/v0.10.1", lastTag(tags, nested, "v0.11.0"))
	require.Empty(t, lastTag(tags, root, "v0.1.0"))
}

func TestMayBreak(t *testing.T) {
	require.True(t, mayBreak("v0.1.3", "v0.2.0"))
	require.True(t, mayBreak("fencing/redisfence/v0.1.3", "fencing/redisfence/v0.2.0"))
	require.False(t, mayBreak("v0.1.3", "v0.1.4"))
	require.False(t, mayBreak("v1.1.0", "v1.2.0"))
	require.True(t, mayBreak("v0.9.0", "v1.0.0"))
}
