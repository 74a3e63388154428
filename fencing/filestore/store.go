package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
)

// Store is a [fencing.Store] over a folder. Its methods are safe for concurrent use, also by
// several processes.
type Store struct {
	dir    string
	folder folder
	turn   chan struct{} // one goroutine of this process at a time asks for the folder's lock
}

var _ fencing.Store = (*Store)(nil)

// Open returns a store over an existing folder. Use the folder for nothing else. An empty folder
// has no marks. Only the process's user can read and write the store's files (mode 0600). Open
// fails if the folder cannot be opened. Close the store after use.
func Open(dir string) (*Store, error) {
	folder, err := openFolder(dir)
	if err != nil {
		return nil, fmt.Errorf("filestore: %w", err)
	}
	s := newStore(folder)
	s.dir = dir
	return s, nil
}

func newStore(f folder) *Store {
	return &Store{folder: f, turn: make(chan struct{}, 1)}
}

// Close closes the folder. Later calls fail.
func (s *Store) Close() error { return s.folder.close() }

// Load reads the mark of a scope. A power failure may still undo that mark. See [fencing.Store].
func (s *Store) Load(
	ctx context.Context, scope string,
) (mark fencing.Token, version string, err error) {
	if err := ctx.Err(); err != nil {
		return fencing.Token{}, "", context.Cause(ctx)
	}
	mark, err = s.read(scope)
	if err != nil {
		return fencing.Token{}, "", s.failed(err)
	}
	return mark, versionOf(mark), nil
}

// CompareAndSwap writes next and syncs it, unless the version is another one. It does so even if
// next is the mark already, because another sync does not make up for a failed one. It waits for
// its turn among goroutines and processes, until ctx ends. See [fencing.Store].
func (s *Store) CompareAndSwap(
	ctx context.Context, version string, next fencing.Token,
) (swapped bool, err error) {
	if err := next.Validate(); err != nil {
		return false, err
	}
	swapped, err = s.swap(ctx, version, next)
	return swapped, s.failed(err)
}

func (s *Store) swap(
	ctx context.Context, version string, next fencing.Token,
) (swapped bool, err error) {
	folder, unlock, err := s.lock(ctx)
	if err != nil {
		return false, err
	}
	defer unlock()
	mark, err := s.read(next.Scope)
	if err != nil || versionOf(mark) != version {
		return false, err
	}
	if err := s.write(next); err != nil {
		return false, fmt.Errorf("writing %v: %w", next, err)
	}
	if err := folder.sync(); err != nil {
		return false, fmt.Errorf("syncing the folder after writing %v: %w", next, err)
	}
	return true, nil
}

// failed says in which folder err was. It turns errors that will not pass into ErrWiring: missing
// rights to the folder, a system without flock.
func (s *Store) failed(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrPermission), errors.Is(err, errors.ErrUnsupported):
		return fmt.Errorf("%w: filestore: in %q: %w", fencing.ErrWiring, s.dir, err)
	}
	return fmt.Errorf("filestore: in %q: %w", s.dir, err)
}

// versionOf returns a mark's text. Marks only rise, so no version comes twice.
func versionOf(mark fencing.Token) string {
	if mark.IsZero() {
		return ""
	}
	return mark.String()
}

func (s *Store) read(scope string) (fencing.Token, error) {
	data, err := s.folder.read(fileName(scope))
	if errors.Is(err, fs.ErrNotExist) {
		return fencing.Token{}, nil
	}
	if err == nil {
		var mark fencing.Token
		if mark, err = decode(data, scope); err == nil {
			return mark, nil
		}
	}
	return fencing.Token{}, fmt.Errorf("mark of %s in %s: %w", scope, fileName(scope), err)
}

// write puts a mark in place of the old one. The mark is visible from the rename on. It lasts only
// once the folder is synced.
func (s *Store) write(mark fencing.Token) error {
	name := fileName(mark.Scope)
	temp := tempName(name)
	f, err := s.folder.create(temp)
	// A crashed process left the file. It must not be truncated: after a failed rename it may be
	// the mark itself.
	if errors.Is(err, fs.ErrExist) {
		if err := s.folder.remove(temp); err != nil {
			return err
		}
		f, err = s.folder.create(temp)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(encode(mark))
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return s.folder.rename(temp, name)
}

// lock waits for the folder's lock. A process holds it for a few system calls only, but that
// process may be frozen.
func (s *Store) lock(ctx context.Context) (_ locked, unlock func(), _ error) {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, fmt.Errorf("waiting for the folder's lock: %w", context.Cause(ctx))
	}
	for pause := time.Millisecond; ; pause = min(2*pause, 20*time.Millisecond) {
		folder, err := s.folder.tryLock()
		if err == nil {
			return folder, func() { folder.unlock(); <-s.turn }, nil
		}
		if errors.Is(err, errLocked) {
			select {
			case <-time.After(pause):
				continue
			case <-ctx.Done():
				err = context.Cause(ctx)
			}
		}
		<-s.turn
		return nil, nil, fmt.Errorf("waiting for the folder's lock: %w", err)
	}
}
