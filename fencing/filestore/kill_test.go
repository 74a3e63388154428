//go:build unix

package filestore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/guardtest"
)

// This binary, started again with these set, is a process that uses the store, and may be killed.
const (
	envFolder = "FILESTORE_TEST_FOLDER" // of the store
	envPlay   = "FILESTORE_TEST_PLAY"   // one of plays
	envKill   = "FILESTORE_TEST_KILL"   // before which system call; 0: never
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(envFolder); dir != "" {
		if err := child(dir); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func child(dir string) error {
	folder, err := openFolder(dir)
	if err != nil {
		return err
	}
	kill, err := strconv.Atoi(os.Getenv(envKill))
	if err != nil {
		return err
	}
	if kill == 0 {
		kill = math.MaxInt
	}
	store := newStore(&mortal{folder: folder, left: kill})
	switch os.Getenv(envPlay) {
	case "one term":
		return terms(store, 1)
	case "terms":
		return terms(store, math.MaxInt)
	default:
		return swaps(store, 20)
	}
}

// terms begins one after the other, above the mark there is, with a write each, and says of each what it did.
func terms(store fencing.Store, n int) error {
	ctx := context.Background()
	g, err := fencing.NewDurable(store, fencing.MemoryConfig{})
	if err != nil {
		return err
	}
	mark, err := g.Mark(ctx, guardtest.Scope)
	if err != nil {
		return err
	}
	fmt.Println("seen", mark.Epoch)
	for i := range n {
		next := token(mark.Epoch + 1 + int64(i))
		_, leave, err := g.Enter(ctx, next)
		if err != nil {
			return err
		}
		fmt.Println("accepted", next.Epoch)
		leave()
	}
	return nil
}

// swaps competes with other processes for the mark, and says who followed whom.
func swaps(store fencing.Store, n int) error {
	ctx := context.Background()
	for n > 0 {
		mark, version, err := store.Load(ctx, guardtest.Scope)
		if err != nil {
			return err
		}
		next := guardtest.Token(mark.Epoch+1, os.Getpid())
		swapped, err := store.CompareAndSwap(ctx, version, next)
		if err != nil {
			return err
		}
		if swapped {
			n--
			fmt.Println("swapped", mark, next)
		}
	}
	return nil
}

// life is a child process that ran.
type life struct {
	said   []string
	killed bool
}

// live runs a child until it ends, or for as long as given after it said something.
func live(ctx context.Context, dir, play string, kill int, limit time.Duration) (life, error) {
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), envFolder+"="+dir, envPlay+"="+play, envKill+"="+strconv.Itoa(kill))
	out, err := cmd.StdoutPipe()
	if err != nil {
		return life{}, err
	}
	if err := cmd.Start(); err != nil {
		return life{}, err
	}
	var l life
	for lines := bufio.NewReader(out); ; {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil && strings.Contains(line, "error:") {
			err = fmt.Errorf("the child said %q", line)
		}
		if err != nil {
			return l, err
		}
		l.said = append(l.said, strings.TrimSpace(line))
		if limit > 0 && len(l.said) == 1 {
			defer time.AfterFunc(limit, func() { _ = cmd.Process.Kill() }).Stop()
		}
	}
	err = cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		status, ok := exit.Sys().(syscall.WaitStatus)
		l.killed = ok && status.Signaled() && status.Signal() == syscall.SIGKILL
	}
	if l.killed {
		err = nil
	}
	return l, err
}

// judge looks at the folder after a life: the mark is what was accepted last, or that and one, and readable; older
// tokens are refused, and the next term begins. It returns the mark.
func (l life) judge(t *testing.T, dir string, before int64) int64 {
	t.Helper()
	accepted := before
	for _, line := range l.said {
		what, number, _ := strings.Cut(line, " ")
		epoch, err := strconv.ParseInt(number, 10, 64)
		require.NoError(t, err)
		if what == "seen" {
			require.Equal(t, before, epoch)
		} else {
			accepted = epoch
		}
	}
	store, err := Open(dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	g := guardOver(t, store)
	mark, err := g.Mark(t.Context(), guardtest.Scope)
	require.NoError(t, err)
	require.GreaterOrEqual(t, mark.Epoch, accepted)
	require.LessOrEqual(t, mark.Epoch, accepted+1)
	if mark.Epoch > 1 {
		require.ErrorIs(t, g.Check(t.Context(), token(mark.Epoch-1)), fencing.ErrStale)
	}
	next := token(mark.Epoch + 1)
	require.NoError(t, g.Announce(t.Context(), next), "no lock and no leftover is in the way")
	return next.Epoch
}

func TestKilledAtEachStep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mark, steps := int64(0), 1
	for ; ; steps++ {
		require.NoError(t, os.WriteFile(filepath.Join(dir, tempName(fileName(guardtest.Scope))), []byte("of another crash"), 0o600))
		l, err := live(t.Context(), dir, "one term", steps, 0)
		require.NoError(t, err)
		mark = l.judge(t, dir, mark)
		if !l.killed {
			break
		}
	}
	require.Greater(t, steps, 15, "a swap has that many")
	t.Logf("killed at each of %d steps", steps-1)
}

func TestKilledAtAnyTime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mark, accepted := int64(0), 0
	for range 12 {
		l, err := live(t.Context(), dir, "terms", 0, 1+rand.N(40*time.Millisecond))
		require.NoError(t, err)
		require.True(t, l.killed)
		accepted += max(0, len(l.said)-1)
		mark = l.judge(t, dir, mark)
	}
	require.Positive(t, accepted, "none lived long enough")
	t.Logf("%d accepted by processes that were killed, mark %d", accepted, mark)
}

// Processes at once: each mark has one predecessor and each is followed once, whoever is killed meanwhile.
func TestProcessesSwapExactly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var all sync.WaitGroup
	lives, errs := make([]life, 4), make([]error, 4)
	for i := range lives {
		limit := time.Duration(0)
		if i == 0 {
			limit = 10 * time.Millisecond
		}
		all.Go(func() { lives[i], errs[i] = live(t.Context(), dir, "swaps", 0, limit) })
	}
	all.Wait()
	require.NoError(t, errors.Join(errs...))
	next := map[string]string{}
	for _, l := range lives {
		for _, line := range l.said {
			words := strings.Fields(line)
			require.Len(t, words, 3)
			require.NotContains(t, next, words[1], "followed twice")
			next[words[1]] = words[2]
		}
	}
	require.GreaterOrEqual(t, len(next), 3*20)
	mark, _, err := open(t, dir).Load(t.Context(), guardtest.Scope)
	require.NoError(t, err)
	require.LessOrEqual(t, int64(len(next)), mark.Epoch)
	require.LessOrEqual(t, mark.Epoch, int64(len(next))+1, "one swap may have had nobody to say so")
}
