package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// tree is what packages declare, by package.Function or package.Type.Method.
type tree struct{ functions, tests map[string]bool }

func declared(root string, packages ...string) (tree, error) {
	t := tree{map[string]bool{}, map[string]bool{}}
	for _, pkg := range packages {
		files, err := filepath.Glob(filepath.Join(root, pkg, "*.go"))
		if err != nil {
			return t, err
		}
		for _, file := range files {
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
			if err != nil {
				return t, err
			}
			for _, d := range parsed.Decls {
				f, ok := d.(*ast.FuncDecl)
				if !ok {
					continue
				}
				if strings.HasSuffix(file, "_test.go") {
					t.tests[filepath.Base(pkg)+"."+f.Name.Name] = true
				} else {
					t.functions[filepath.Base(pkg)+"."+receiver(f)+f.Name.Name] = true
				}
			}
		}
	}
	return t, nil
}

// receiver is the type that f is a method of, and a dot.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	typ := f.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if name, ok := typ.(*ast.Ident); ok {
		return name.Name + "."
	}
	return ""
}

// eachText calls f with each Go file and document of the repository, and with the linter's
// settings.
func eachText(root string, f func(path, text string)) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if path != root && strings.HasPrefix(name, ".") { // .git, .cache
				return fs.SkipDir
			}
			return nil
		}
		if name != ".golangci.yml" && filepath.Ext(name) != ".go" && filepath.Ext(name) != ".md" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err == nil {
			f(path, string(text))
		}
		return err
	})
}
