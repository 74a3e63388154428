package examples

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// plugin looks for a verb of kubectl hotseat and for its flags in the source. The tests of
// examples/inspect, a module of its own, run the commands of inspect.md.
func plugin(t *testing.T, args []string) error {
	files, err := filepath.Glob("inspect/*.go")
	require.NoError(t, err)
	var source strings.Builder
	for _, file := range files {
		if !strings.HasSuffix(file, "_test.go") {
			source.WriteString(read(t, file))
		}
	}
	has := func(pattern string) bool { return regexp.MustCompile(pattern).MatchString(source.String()) }
	if len(args) == 0 || !has(`\bname: "`+regexp.QuoteMeta(args[0])+`"`) {
		return fmt.Errorf("kubectl hotseat has no such verb: %v", args)
	}
	for _, flag := range args[1:] {
		if name, ok := strings.CutPrefix(flag, "--"); ok && !has(`\bset\.\w+\(&[\w.]+, "`+regexp.QuoteMeta(name)+`"`) {
			return fmt.Errorf("kubectl hotseat %s knows no flag %s", args[0], flag)
		}
	}
	return nil
}

func TestPluginsThatAreWrong(t *testing.T) {
	require.NoError(t, plugin(t, []string{"status", "invoicer", "--look", "1s"}))
	require.Error(t, plugin(t, nil))
	require.Error(t, plugin(t, []string{"statis"}))
	require.Error(t, plugin(t, []string{"status", "--luck", "1s"}))
}
