package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// needs says what is left to do for the release.
func (c *check) needs() error {
	changelog, err := os.ReadFile(filepath.Join(c.root, "CHANGELOG.md"))
	if err != nil {
		return err
	}
	required := map[string]string{} // by module: the version of the root that it requires
	for _, m := range c.modules {
		gomod, err := os.ReadFile(filepath.Join(c.root, m.dir, "go.mod"))
		if err != nil {
			return err
		}
		if required[m.path], err = requiresOurs(gomod); err != nil {
			return err
		}
	}
	fmt.Fprintf(c.out, "release-check: every check passed. %s needs:\n", c.version)
	for i, step := range steps(c.modules, required, string(changelog), c.version) {
		fmt.Fprintf(c.out, "%3d. %s\n", i+1, step)
	}
	return nil
}

// steps are what a release still takes, in their order.
func steps(modules []published, required map[string]string, changelog, version string) []string {
	var list []string
	heading := "## [" + strings.TrimPrefix(version, "v") + "]"
	if !strings.Contains(changelog, heading) {
		list = append(list, "in CHANGELOG.md, a heading \""+heading+" - <date>\" below \"Unreleased\"")
	}
	for _, m := range modules {
		if v := required[m.path]; v != "" && v != version {
			list = append(list, fmt.Sprintf("in %s: go mod edit -require=%s@%s (its replace may stay: it reaches no user)",
				m.dir, rootPath, version))
		}
	}
	if len(list) > 0 {
		list = append(list, "a commit of that, and this check once more on it")
	}
	tags := make([]string, 0, len(modules))
	for _, m := range modules {
		tags = append(tags, m.tag(version))
	}
	list = append(list, "the tags, all on that commit: "+strings.Join(tags, " "))
	return append(list, "one push of them together: git push --atomic origin "+strings.Join(tags, " "))
}
