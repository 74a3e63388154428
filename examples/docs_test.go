package examples

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/singleton"
)

// page is a Markdown file, taken apart.
type page struct {
	path   string // from the root
	lines  []string
	blocks []block
	prose  string // without blocks
}

// block is fenced code.
type block struct{ language, text string }

// root is the repository, as seen from here.
const root = ".."

func parsePage(t *testing.T, path string) page {
	t.Helper()
	p := page{path: path, lines: strings.Split(read(t, filepath.Join(root, path)), "\n")}
	var prose strings.Builder
	open, indent := false, ""
	for _, line := range p.lines {
		switch before, language, fence := strings.Cut(line, "```"); {
		case fence && strings.TrimSpace(before) == "" && !open:
			open, indent = true, before
			p.blocks = append(p.blocks, block{language: language})
		case fence && strings.TrimSpace(before) == "":
			open = false
		case open:
			p.blocks[len(p.blocks)-1].text += strings.TrimPrefix(line, indent) + "\n"
		default:
			prose.WriteString(line + "\n")
		}
	}
	require.False(t, open, "%s: code without an end", path)
	p.prose = prose.String()
	return p
}

// code returns what stands in backquotes in the prose.
func (p page) code() (spans []string) {
	for _, span := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(p.prose, -1) {
		spans = append(spans, strings.Join(strings.Fields(span[1]), " "))
	}
	return spans
}

// guidePages are README and the guide: all that is said in them is checked.
func guidePages(t *testing.T) (pages []page) {
	t.Helper()
	paths, err := filepath.Glob(guide + "*.md")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(paths), 8)
	for _, path := range append(paths, filepath.Join(root, "README.md")) {
		path, err := filepath.Rel(root, path)
		require.NoError(t, err)
		pages = append(pages, parsePage(t, path))
	}
	return pages
}

// walk calls f for each file of the repository with that ending.
func walk(t *testing.T, ending string, f func(path string)) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case !d.IsDir() && strings.HasSuffix(path, ending):
			f(path)
		}
		return nil
	}))
}

// Each link of each page in the repository leads somewhere: the file is there, and so is the heading.
func TestLinksResolve(t *testing.T) {
	links := 0
	walk(t, ".md", func(path string) {
		from, err := filepath.Rel(root, path)
		require.NoError(t, err)
		prose := regexp.MustCompile("`[^`\n]*`").ReplaceAllString(parsePage(t, from).prose, "`code`")
		for _, link := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(prose, -1) {
			if strings.HasPrefix(link[1], "https://") {
				continue
			}
			links++
			file, anchor, anchored := strings.Cut(link[1], "#")
			target := filepath.Join(filepath.Dir(from), file)
			if file == "" {
				target = from
			}
			if !filepath.IsLocal(target) {
				t.Errorf("%s links to %s, out of the repository", from, link[1])
				continue
			}
			if _, err := os.Stat(filepath.Join(root, target)); err != nil {
				t.Errorf("%s links to %s: %v", from, link[1], err)
			} else if anchored && !slices.Contains(parsePage(t, target).anchors(), anchor) {
				t.Errorf("%s links to %s: there is no such heading", from, link[1])
			}
		}
	})
	require.Greater(t, links, 100)
}

// anchors are those of the headings, as GitHub makes them.
func (p page) anchors() (anchors []string) {
	seen := map[string]int{}
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(p.prose, -1) {
		anchor := regexp.MustCompile(`[^\p{L}\p{N}\- _]`).ReplaceAllString(strings.ToLower(heading[1]), "")
		anchor = strings.ReplaceAll(anchor, " ", "-")
		if seen[anchor]++; seen[anchor] > 1 {
			continue // the number that GitHub appends is not to be relied on
		}
		anchors = append(anchors, anchor)
	}
	return anchors
}

// Pages that Go files name are there too.
func TestPagesNamedInGoExist(t *testing.T) {
	named := 0
	walk(t, ".go", func(path string) {
		for _, page := range regexp.MustCompile(`internal/docs/[\w/-]*\w\.md`).FindAllString(read(t, path), -1) {
			named++
			if _, err := os.Stat(filepath.Join(root, page)); err != nil {
				t.Errorf("%s names a page that is not there: %s", path, page)
			}
		}
	})
	require.Greater(t, named, 10)
}

// README is short, and no line of it or the guide is long, but in tables.
func TestWidth(t *testing.T) {
	for _, p := range guidePages(t) {
		most := 200
		if p.path == "README.md" {
			most = 160
		}
		if len(p.lines) > most {
			t.Errorf("%s has %d lines, should have at most %d", p.path, len(p.lines), most)
		}
		for i, line := range p.lines {
			width := utf8.RuneCountInString(strings.ReplaceAll(line, "\t", "    "))
			if width > 100 && !strings.HasPrefix(line, "|") {
				t.Errorf("%s:%d is %d wide, should be at most 100", p.path, i+1, width)
			}
		}
	}
}

// Go in the pages is part of a file that is compiled, to the letter.
func TestGoInTheDocsIsCompiled(t *testing.T) {
	var sources []string
	walk(t, ".go", func(path string) { sources = append(sources, "\n"+read(t, path)) })
	shown := 0
	for _, p := range guidePages(t) {
		for _, b := range p.blocks {
			switch b.language {
			case "go":
				shown++
				if !slices.ContainsFunc(sources, func(source string) bool { return strings.Contains(source, "\n"+b.text) }) {
					t.Errorf("%s shows Go that no file has:\n%s", p.path, b.text)
				}
			case "", "yaml": // TestCommandsInTheDocs, TestGuideShowsTheManifests
			case "mermaid": // TestStatesInTheDocs
			case "haproxy", "nginx": // as internal/traffic runs it
				file := map[string]string{"haproxy": "haproxy.cfg", "nginx": "nginx.conf"}[b.language]
				if b.text != read(t, filepath.Join(root, "internal/traffic/testdata", file)) {
					t.Errorf("%s does not show internal/traffic/testdata/%s", p.path, file)
				}
			default:
				t.Errorf("%s shows %s, which no test checks", p.path, b.language)
			}
		}
	}
	require.GreaterOrEqual(t, shown, 8)
}

// What the pages call Config.Fencing.Floor, fencing.NewMemory or Ready() exists.
func TestNamesInTheDocs(t *testing.T) {
	names := 0
	for _, p := range guidePages(t) {
		for _, span := range p.code() {
			for _, path := range regexp.MustCompile(`(?:^|[^.\w])Config((?:\.[A-Z]\w*)+)`).FindAllStringSubmatch(span, -1) {
				names++
				if !hasField(reflect.TypeFor[singleton.Config](), strings.Split(path[1][1:], ".")) {
					t.Errorf("%s names Config%s, which does not exist", p.path, path[1])
				}
			}
			for _, name := range regexp.MustCompile(`(?:^|[^./\w])([a-z]+)\.([A-Z]\w*)`).FindAllStringSubmatch(span, -1) {
				if known, folder := declared(t, name[1]); folder != "" {
					names++
					if !known[name[2]] {
						t.Errorf("%s names %s.%s, which %s does not declare", p.path, name[1], name[2], folder)
					}
				}
			}
			if call := regexp.MustCompile(`^([A-Z]\w*)\(\)`).FindStringSubmatch(span); call != nil {
				names++
				_, elector := reflect.TypeFor[*singleton.Elector]().MethodByName(call[1])
				_, term := reflect.TypeFor[*singleton.Term]().MethodByName(call[1])
				if !elector && !term {
					t.Errorf("%s names %s, which neither an elector nor a term has", p.path, call[1])
				}
			}
			for _, field := range regexp.MustCompile(`(Status\(\)|Hooks)\.([A-Z]\w*)`).FindAllStringSubmatch(span, -1) {
				names++
				of := map[string]reflect.Type{"Status()": reflect.TypeFor[singleton.Status](), "Hooks": reflect.TypeFor[singleton.Hooks]()}
				if !hasField(of[field[1]], []string{field[2]}) {
					t.Errorf("%s names %s, which does not exist", p.path, field[0])
				}
			}
		}
	}
	require.Greater(t, names, 40)
}

func hasField(of reflect.Type, path []string) bool {
	for _, name := range path {
		if of.Kind() != reflect.Struct {
			return false
		}
		field, ok := of.FieldByName(name)
		if !ok || !field.IsExported() {
			return false
		}
		of = field.Type
	}
	return true
}

// declared returns what a public package declares, and its folder: empty if there is none of that
// name. An elector's methods are those of package elector.
func declared(t *testing.T, name string) (names map[string]bool, folder string) {
	names = map[string]bool{}
	if name == "elector" {
		for method := range reflect.TypeFor[*singleton.Elector]().Methods() {
			names[method.Name] = true
		}
		return names, "*singleton.Elector"
	}
	for _, candidate := range []string{"", "fencing/", "singleton/"} {
		if _, err := os.Stat(filepath.Join(root, candidate+name, "doc.go")); err == nil {
			folder = candidate + name
		}
	}
	if folder == "" {
		return nil, ""
	}
	files, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
	require.NoError(t, err)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, d := range parsed.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				names[d.Name.Name] = names[d.Name.Name] || d.Recv == nil
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						names[spec.Name.Name] = true
					case *ast.ValueSpec:
						for _, n := range spec.Names {
							names[n.Name] = true
						}
					}
				}
			}
		}
	}
	return names, folder
}

// Tests that the pages cite exist.
func TestTestsInTheDocsExist(t *testing.T) {
	have := map[string]bool{}
	walk(t, "_test.go", func(path string) {
		for _, f := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(read(t, path), -1) {
			have[f[1]] = true
		}
	})
	pages, cited := guidePages(t), 0
	for _, path := range []string{"CONTRIBUTING.md", "internal/docs/guards.md"} {
		pages = append(pages, parsePage(t, path))
	}
	for _, p := range pages {
		for _, span := range p.code() {
			if name := regexp.MustCompile(`^Test[A-Z]\w*`).FindString(span); name != "" && name != "TestThatFindsIt" {
				cited++
				if !have[name] {
					t.Errorf("%s cites %s, which does not exist", p.path, name)
				}
			}
		}
	}
	require.Greater(t, cited, 50)
}

// The guide lists each package that a user imports.
func TestGuideListsThePackages(t *testing.T) {
	index := read(t, guide+"README.md")
	walk(t, "doc.go", func(path string) {
		folder, err := filepath.Rel(root, filepath.Dir(path))
		require.NoError(t, err)
		if strings.HasPrefix(folder, "internal") || strings.HasPrefix(folder, "examples") {
			return
		}
		if !strings.Contains(index, "[`"+folder+"`](../../../"+folder+"/doc.go)") {
			t.Errorf("%sREADME.md does not list %s", guide, folder)
		}
	})
}
