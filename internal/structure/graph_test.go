package structure

import (
	"fmt"
	"slices"
	"strings"
)

// graph is who imports whom. Packages of ours are named by their folder, as in ./fencing/httpfence,
// and their tests as in test:./fencing/httpfence.
type graph map[string]node

type node struct {
	imports  []string
	standard bool // of the standard library, whose own imports are nobody's concern
}

// broken returns a sentence for each package that breaks the rule.
func (r rule) broken(g graph) (sentences []string) {
	for _, from := range g.names() {
		if !g.matches(r.from, from) {
			continue
		}
		if path := g.path(from, r); path != nil {
			sentences = append(sentences, fmt.Sprintf("%s must not reach %s, because %s; but it does: %s",
				from, path[len(path)-1], r.why, strings.Join(path, " -> ")))
		}
	}
	return sentences
}

// unknown returns the packages of ours that the rule names and that are not there.
func (r rule) unknown(g graph) (words []string) {
	for word := range strings.FieldsSeq(r.from + " " + r.never) {
		word = strings.TrimPrefix(word, "!")
		ours := strings.HasPrefix(word, "./") || strings.HasPrefix(word, "test:")
		if ours && !slices.ContainsFunc(g.names(), func(name string) bool { return g.matches(word, name) }) {
			words = append(words, word)
		}
	}
	return words
}

func (g graph) names() []string {
	names := make([]string, 0, len(g))
	for name := range g {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// path is a shortest one from a package to one that it must not reach; nil if there is none.
func (g graph) path(from string, r rule) []string {
	paths, seen := [][]string{{from}}, map[string]bool{from: true}
	for len(paths) > 0 {
		path := paths[0]
		paths = paths[1:]
		for _, next := range g[path[len(path)-1]].imports {
			if seen[next] {
				continue
			}
			seen[next] = true
			longer := append(slices.Clone(path), next)
			if g.matches(r.never, next) {
				return longer
			}
			if !r.direct {
				paths = append(paths, longer)
			}
		}
	}
	return nil
}

// matches reports whether a package is one of a pattern's. A pattern is words: a package, one with
// all below it (./fencing/...), the standard library (std), or everything (...). One behind a !
// takes out. The last word that fits decides.
func (g graph) matches(pattern, name string) (match bool) {
	for word := range strings.FieldsSeq(pattern) {
		word, out := strings.CutPrefix(word, "!")
		below, open := strings.CutSuffix(word, "/...")
		switch {
		case word == "...", word == "std" && g[name].standard, word == name:
			match = !out
		case open && (name == below || strings.HasPrefix(name, below+"/")):
			match = !out
		}
	}
	return match
}
