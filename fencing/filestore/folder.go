package filestore

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// folder is what a store needs from the system. Each method is about one system call. A test can
// fail or end the process at any of them, and lose what was not synced.
type folder interface {
	tryLock() (locked, error) // errLocked: another process has it
	read(name string) ([]byte, error)
	create(name string) (file, error) // fs.ErrExist: the file exists
	remove(name string) error
	rename(from, to string) error
	close() error
}

// locked is a folder's lock, and also syncs the folder. It is opened before anything is changed
// under the lock: if something could not be written, the system reports that only to those who had
// the folder open then, and once to each.
type locked interface {
	sync() error
	unlock()
}

type file interface {
	io.Writer
	Sync() error
	Close() error
}

var errLocked = errors.New("locked by another process")

// directory is a folder of a file system. It is held open, so it stays the folder that was opened.
type directory struct{ *os.Root }

func openFolder(dir string) (folder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return directory{root}, nil
}

func (d directory) close() error                 { return d.Close() }
func (d directory) remove(name string) error     { return d.Remove(name) }
func (d directory) rename(from, to string) error { return d.Rename(from, to) }

func (d directory) create(name string) (file, error) {
	return d.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

func (d directory) read(name string) ([]byte, error) {
	info, err := d.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // opening a pipe would wait for a writer
		return nil, fmt.Errorf("%w: it is not a file but %v", errForeign, info.Mode())
	}
	f, err := d.Open(name)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSize))
	return data, errors.Join(err, f.Close())
}
