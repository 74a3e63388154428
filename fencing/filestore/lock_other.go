//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package filestore

import "errors"

func (directory) tryLock() (locked, error) { return nil, errors.ErrUnsupported }
