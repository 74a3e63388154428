//go:build unix

package filestore

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/guardtest"
	"github.com/hotseat-go/hotseat/internal/whole"
)

func open(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func guardOver(t testing.TB, s fencing.Store) *fencing.Durable {
	t.Helper()
	g, err := fencing.NewDurable(s, fencing.MemoryConfig{Drain: time.Minute})
	require.NoError(t, err)
	return g
}

func token(epoch int64) fencing.Token { return guardtest.Token(epoch, 0) }

// register is the suite's, and knows its folder.
type register struct {
	guardtest.Subject
	path string // of the scope's mark
}

func TestGuard(t *testing.T) {
	t.Parallel()
	suite := guardtest.Suite{
		AnyScope: true,
		New: func(t testing.TB) guardtest.Subject {
			dir := t.TempDir()
			return &register{guardtest.NewRegister(guardOver(t, open(t, dir))), filepath.Join(dir, fileName(guardtest.Scope))}
		},
		Damage: func(t testing.TB, s guardtest.Subject, text string) {
			path := s.(*register).path
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			lines := strings.SplitN(string(data), "\n", 3)
			before, _, found := strings.Cut(lines[1], "@")
			require.True(t, found)
			_, term, _ := strings.Cut(lines[1], ".")
			damaged := sealed(magic + "\n" + before + "@" + text + "." + term + "\n")
			require.NoError(t, os.WriteFile(path, damaged, 0o600))
		},
	}
	t.Run("Conformance", suite.Conformance)
	t.Run("Linearizable", func(t *testing.T) { suite.Linearizable(t, guardtest.Load{Rounds: 3}) })
	t.Run("Hammer", func(t *testing.T) { suite.Hammer(t, whole.Lasts(time.Second, 300*time.Millisecond)) })
}

func TestOpenNeedsAFolder(t *testing.T) {
	dir := t.TempDir()
	_, err := Open(filepath.Join(dir, "missing"))
	require.ErrorIs(t, err, os.ErrNotExist)
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = Open(file)
	require.ErrorContains(t, err, "not a directory")
	_, err = Open("")
	require.Error(t, err)
}

func TestClosedStoreFails(t *testing.T) {
	s, err := Open(t.TempDir())
	require.NoError(t, err)
	require.NoError(t, s.Close())
	_, _, err = s.Load(t.Context(), guardtest.Scope)
	require.ErrorIs(t, err, os.ErrClosed)
	_, err = s.CompareAndSwap(t.Context(), "", token(1))
	require.ErrorIs(t, err, os.ErrClosed)
}

// The folder that was opened stays the folder: a new one in its place is another store.
func TestFolderThatIsReplaced(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "marks")
	require.NoError(t, os.Mkdir(dir, 0o700))
	g := guardOver(t, open(t, dir))
	require.NoError(t, g.Announce(t.Context(), token(5)))
	require.NoError(t, os.RemoveAll(dir))
	require.NoError(t, os.Mkdir(dir, 0o700))
	require.ErrorIs(t, g.Announce(t.Context(), token(6)), fencing.ErrUnavailable)
	require.ErrorIs(t, g.Check(t.Context(), token(5)), fencing.ErrUnavailable, "nothing is left that would outlive this process")
	require.ErrorIs(t, g.Check(t.Context(), token(4)), fencing.ErrStale)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}

func TestSwapIsByVersion(t *testing.T) {
	s := open(t, t.TempDir())
	load := func() (fencing.Token, string) {
		mark, version, err := s.Load(t.Context(), guardtest.Scope)
		require.NoError(t, err)
		return mark, version
	}
	swap := func(version string, next fencing.Token) bool {
		swapped, err := s.CompareAndSwap(t.Context(), version, next)
		require.NoError(t, err)
		return swapped
	}
	mark, none := load()
	require.Zero(t, mark)
	require.True(t, swap(none, token(3)))
	mark, third := load()
	require.Equal(t, token(3), mark)
	require.False(t, swap(none, token(4)))
	require.True(t, swap(third, token(4)))
	require.False(t, swap(third, token(5)))
	mark, _ = load()
	require.Equal(t, token(4), mark)

	_, err := s.CompareAndSwap(t.Context(), "", fencing.Token{})
	require.ErrorIs(t, err, fencing.ErrMissing)
}

// Whatever is in a mark's place and is not that mark stays there and is refused, by a new process and by the old one.
func TestForeignAndDamagedFiles(t *testing.T) {
	good := encode(token(5))
	other := token(5)
	other.Scope = "shop/mailer"
	cases := map[string]func(t *testing.T, path string){
		"directory": func(t *testing.T, path string) { require.NoError(t, os.Mkdir(path, 0o700)) },
		"pipe":      func(t *testing.T, path string) { require.NoError(t, syscall.Mkfifo(path, 0o600)) },
		"symbolic link": func(t *testing.T, path string) {
			require.NoError(t, os.WriteFile(path+".copy", good, 0o600))
			require.NoError(t, os.Symlink(filepath.Base(path)+".copy", path))
		},
	}
	content := map[string][]byte{
		"empty": nil, "zeros": make([]byte, len(good)), "huge": bytes.Repeat([]byte("x"), 1<<20),
		"of another scope": encode(other), "two marks": append(bytes.Clone(good), good...), "line after": append(bytes.Clone(good), '\n'),
		"carriage returns": bytes.ReplaceAll(good, []byte("\n"), []byte("\r\n")),
		"no token":         sealed(magic + "\nnone\n"),
		"leading zero":     sealed(magic + "\n" + strings.Replace(token(5).String(), "@5", "@05", 1) + "\n"),
		"next format":      sealed("hotseat fencing mark 2\n" + token(5).String() + "\n"),
		"cut off":          good[:len(good)/2],
		"wrong sum":        []byte(strings.Replace(string(good), "@5.", "@4.", 1)),
	}
	for name, data := range content {
		cases[name] = func(t *testing.T, path string) { require.NoError(t, os.WriteFile(path, data, 0o600)) }
	}
	for name, put := range cases {
		dir := t.TempDir()
		path := filepath.Join(dir, fileName(guardtest.Scope))
		running := guardOver(t, open(t, dir))
		require.NoError(t, running.Announce(t.Context(), token(5)))
		require.NoError(t, os.Remove(path))
		put(t, path)
		before, err := os.Lstat(path)
		require.NoError(t, err)
		for _, g := range []*fencing.Durable{running, guardOver(t, open(t, dir))} {
			for _, tok := range []fencing.Token{token(5), token(6)} {
				require.ErrorIs(t, g.Announce(t.Context(), tok), fencing.ErrUnavailable, name)
				require.ErrorIs(t, g.Check(t.Context(), tok), fencing.ErrUnavailable, name)
			}
			_, err = g.Mark(t.Context(), guardtest.Scope)
			require.ErrorIs(t, err, fencing.ErrUnavailable, name)
			require.ErrorIs(t, err, errForeign, name)
		}
		after, err := os.Lstat(path)
		require.NoError(t, err)
		require.True(t, os.SameFile(before, after), name)
		require.Equal(t, before.ModTime(), after.ModTime(), name)
		require.Equal(t, before.Size(), after.Size(), name)
	}
}

func TestMarksOfManyScopes(t *testing.T) {
	dir := t.TempDir()
	g := guardOver(t, open(t, dir))
	scopes := []string{"a/b", "A/B", "a/B", "..", ".", "con", strings.Repeat("n", 63) + "/" + strings.Repeat("l", 253)}
	for i, scope := range scopes {
		tok := token(int64(i + 1))
		tok.Scope = scope
		require.NoError(t, g.Announce(t.Context(), tok))
	}
	again := guardOver(t, open(t, dir))
	for i, scope := range scopes {
		mark, err := again.Mark(t.Context(), scope)
		require.NoError(t, err)
		require.EqualValues(t, i+1, mark.Epoch)
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, len(scopes), "nothing else is left")
}

// A process that is frozen in the middle of a swap keeps others from swapping, not from reading, and their contexts end.
func TestLockIsWaitedFor(t *testing.T) {
	dir := t.TempDir()
	here, there := open(t, dir), open(t, dir)
	_, unlock, err := there.lock(t.Context())
	require.NoError(t, err)
	for name, s := range map[string]*Store{"another process": here, "this process": there} {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		swapped, err := s.CompareAndSwap(ctx, "", token(1))
		require.ErrorIs(t, err, context.DeadlineExceeded, name)
		require.False(t, swapped)
		_, _, err = s.Load(t.Context(), guardtest.Scope)
		require.NoError(t, err, name)
	}
	done := make(chan error, 1)
	go func() {
		_, err := here.CompareAndSwap(t.Context(), "", token(1))
		done <- err
	}()
	unlock()
	require.NoError(t, <-done)
}

func TestLockGivesUpAtOnceWhereThereIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(&failing{folder: newDisk(), at: "lock", err: syscall.ENOLCK})
		for range 2 {
			_, err := s.CompareAndSwap(t.Context(), "", token(1))
			require.ErrorIs(t, err, syscall.ENOLCK)
		}
	})
}

// What nobody may do, or the system cannot, is no fault that passes; others are.
func TestWhatIsWiring(t *testing.T) {
	for err, wiring := range map[error]bool{
		syscall.EACCES: true, syscall.EPERM: true, errors.ErrUnsupported: true,
		syscall.EIO: false, syscall.ENOSPC: false, syscall.EROFS: false, // as a file system becomes when its disk fails
	} {
		for _, call := range []string{"lock", "read", "create", "sync folder"} {
			g := guardOver(t, newStore(&failing{folder: newDisk(), at: call, err: err}))
			got := g.Announce(t.Context(), token(1))
			require.ErrorIs(t, got, err)
			require.Equal(t, wiring, errors.Is(got, fencing.ErrWiring), "%s: %v", call, got)
			require.Equal(t, !wiring, errors.Is(got, fencing.ErrUnavailable), "%s: %v", call, got)
		}
	}
}

// The leftover of a process that crashed is no obstacle, whatever it is.
func TestLeftoverIsReplaced(t *testing.T) {
	dir := t.TempDir()
	g := guardOver(t, open(t, dir))
	temp := filepath.Join(dir, tempName(fileName(guardtest.Scope)))
	require.NoError(t, os.WriteFile(temp, bytes.Repeat([]byte("x"), 5000), 0o600))
	require.NoError(t, g.Announce(t.Context(), token(1)))
	require.NoError(t, os.Link(filepath.Join(dir, fileName(guardtest.Scope)), temp))
	require.NoError(t, g.Announce(t.Context(), token(2)))
	mark, err := guardOver(t, open(t, dir)).Mark(t.Context(), guardtest.Scope)
	require.NoError(t, err)
	require.Equal(t, token(2), mark)
}
