package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The map in internal/README.md has each folder below internal, and no other.
func TestMap(t *testing.T) {
	const internal = ".."
	text, err := os.ReadFile(filepath.Join(internal, "README.md"))
	require.NoError(t, err)
	mapped := mappedBy(string(text))
	require.NotEmpty(t, mapped, "the rows are not found any more")
	folders, err := foldersOf(internal)
	require.NoError(t, err)
	require.ElementsMatch(t, folders, mapped)
}

func TestRowsOfTheMap(t *testing.T) {
	require.Equal(t, []string{"a", "a/b"}, mappedBy("| folder | what | how |\n|---|---|---|\n| [a](a) | x | y |\n| [a/b](a/b) | x | y |\n"))
	for _, incomplete := range []string{"| [a](b) | x | y |", "| [a](a) |  | y |", "| [a](a) | x | |", "[a](a)"} {
		require.Empty(t, mappedBy(incomplete), incomplete)
	}
}

// mappedBy are the folders with a row that says what they are for and how to run them.
func mappedBy(text string) (folders []string) {
	row := regexp.MustCompile(`^\| \[([^]]+)\]\(([^)]+)\) \| *[^| ][^|]*\| *[^| ][^|]*\|$`)
	for line := range strings.Lines(text) {
		if m := row.FindStringSubmatch(strings.TrimSpace(line)); m != nil && m[1] == m[2] {
			folders = append(folders, m[1])
		}
	}
	return folders
}

// foldersOf are the folders below root with Go files, scripts or specifications.
func foldersOf(root string) (folders []string, err error) {
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !slices.Contains([]string{".go", ".sh", ".pml"}, filepath.Ext(path)) {
			return err
		}
		folder, err := filepath.Rel(root, filepath.Dir(path))
		if !slices.Contains(folders, folder) {
			folders = append(folders, filepath.ToSlash(folder))
		}
		return err
	})
	return folders, err
}
