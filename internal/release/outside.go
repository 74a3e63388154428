package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
)

// newOutside makes the folder of the program in testdata/outside, a module that
// requires nothing yet. Our go.sums are its own to begin with: nobody has to be
// asked for the hashes of modules that we use already.
func newOutside(root, dir string) error {
	text, err := os.ReadFile(filepath.Join(root, "internal/release/testdata/outside/main.go"))
	if err != nil {
		return err
	}
	if err := write(filepath.Join(dir, "main.go"), text); err != nil {
		return err
	}
	sums, err := allSums(root)
	if err != nil {
		return err
	}
	if err := write(filepath.Join(dir, "go.sum"), sums); err != nil {
		return err
	}
	return write(filepath.Join(dir, "go.mod"), []byte("module example.com/outside\n\ngo 1.26.0\n"))
}

func allSums(root string) ([]byte, error) {
	var all bytes.Buffer
	for _, pattern := range []string{"go.sum", "*/*/go.sum"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			all.Write(text)
		}
	}
	return all.Bytes(), nil
}

// outsideEnv has the go command take our modules from the proxy folder and unpack
// them into modcache, so that a version which does not exist reaches no cache of
// the machine. Other modules come from the machine's cache where they are there.
func outsideEnv(ctx context.Context, goTool, proxy, modcache string) ([]string, error) {
	said, err := command(ctx, ".", nil, goTool, "env", "GOMODCACHE", "GOPROXY")
	if err != nil {
		return nil, err
	}
	cache, after, _ := strings.Cut(said, "\n")
	proxies := "file://" + proxy + ",file://" + cache + "/cache/download," + after
	return []string{
		"GOPROXY=" + proxies, "GOPRIVATE=", "GONOPROXY=none", "GONOSUMDB=" + rootPath,
		"GOMODCACHE=" + modcache, "GOWORK=off",
		"GOFLAGS=-mod=mod -modcacherw -trimpath", // -trimpath: what is built once serves in any folder
	}, nil
}
