//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package filestore

import (
	"errors"
	"os"
	"syscall"
)

// tryLock locks the folder itself. A lock file could be deleted, and then there would be two locks.
func (d directory) tryLock() (locked, error) {
	f, err := d.Open(".")
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = errLocked
		}
		return nil, errors.Join(err, f.Close())
	}
	return lock{f}, nil
}

type lock struct{ *os.File }

func (l lock) sync() error { return l.Sync() }
func (l lock) unlock()     { _ = l.Close() }
