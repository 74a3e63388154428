//go:build unix

package fromsource

import (
	"context"
	"os"
	"syscall"
	"time"
)

// Lock waits for the file's lock, which the kernel drops with its owner.
func Lock(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err {
		case nil:
			return func() { _ = f.Close() }, nil
		case syscall.EWOULDBLOCK, syscall.EINTR:
		default:
			_ = f.Close()
			return nil, err
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, context.Cause(ctx)
		case <-time.After(200 * time.Millisecond):
		}
	}
}
