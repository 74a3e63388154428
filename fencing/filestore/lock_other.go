//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package filestore

import "errors"

func (directory) tryLock() (unlock func(), err error) { return nil, errors.ErrUnsupported }
