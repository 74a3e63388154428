//go:build unix

package filestore

import (
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// disk is a folder on a disk that keeps what was synced, and of the rest whatever it likes.
type disk struct {
	mu     sync.Mutex
	names  map[string]*inode // as the system shows them
	kept   map[string]*inode // as a power failure leaves them
	undone []change          // to names since the folder was synced
	locked bool

	syncFails func() bool // of the folder; nil: never

	ignoresSync, ignoresFolderSync bool // bugs, to see that they show
}

type inode struct{ data, kept []byte }

// change of a folder: a name gets an inode, or loses it.
type change struct {
	name  string
	inode *inode // nil: removed
}

func newDisk() *disk { return &disk{names: map[string]*inode{}, kept: map[string]*inode{}} }

func (d *disk) do(c ...change) {
	for _, c := range c {
		c.apply(d.names)
	}
	d.undone = append(d.undone, c...)
}

func (c change) apply(names map[string]*inode) {
	if c.inode == nil {
		delete(names, c.name)
	} else {
		names[c.name] = c.inode
	}
}

func (d *disk) tryLock() (locked, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.locked {
		return nil, errLocked
	}
	d.locked = true
	return diskLock{d}, nil
}

type diskLock struct{ *disk }

func (l diskLock) unlock() { l.mu.Lock(); defer l.mu.Unlock(); l.locked = false }

func (d *disk) read(name string) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if i := d.names[name]; i != nil {
		return slices.Clone(i.data), nil
	}
	return nil, fs.ErrNotExist
}

func (d *disk) create(name string) (file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names[name] != nil {
		return nil, fs.ErrExist
	}
	i := &inode{}
	d.do(change{name, i})
	return &handle{d, i}, nil
}

func (d *disk) remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.do(change{name, nil})
	return nil
}

// rename is two changes, of which a power failure may leave one: file systems without a journal do that.
func (d *disk) rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names[from] == nil {
		return fs.ErrNotExist
	}
	d.do(change{to, d.names[from]}, change{from, nil})
	return nil
}

func (l diskLock) sync() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.syncFails != nil && l.syncFails() {
		l.undone = nil
		return syscall.EIO
	}
	if !l.ignoresFolderSync {
		for _, c := range l.undone {
			c.apply(l.kept)
		}
		l.undone = nil
	}
	return nil
}

// lose is a sync that failed: what it should have written is not tried again, the system shows it, and the disk has it not.
func (d *disk) lose() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.undone = nil
}

func (d *disk) close() error { return nil }

type handle struct {
	disk  *disk
	inode *inode
}

func (h *handle) Write(p []byte) (int, error) {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	h.inode.data = append(h.inode.data, p...)
	return len(p), nil
}

func (h *handle) Sync() error {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	if !h.disk.ignoresSync {
		h.inode.kept = slices.Clone(h.inode.data)
	}
	return nil
}

func (h *handle) Close() error { return nil }

// fail is a power failure: some of what was not synced is kept, in an order of the disk's.
func (d *disk) fail(rng *rand.Rand) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, i := range rng.Perm(len(d.undone)) {
		if rng.IntN(2) == 0 {
			d.undone[i].apply(d.kept)
		}
	}
	d.names, d.undone, d.locked = maps.Clone(d.kept), nil, false
	for _, i := range d.names {
		if unsynced := i.data[len(i.kept):]; len(unsynced) > 0 { // some of it, or as much of zeros
			i.kept = append(i.kept, unsynced[:rng.IntN(len(unsynced)+1)]...)
			if rng.IntN(2) == 0 {
				i.kept = append(i.kept, strings.Repeat("\x00", len(i.data)-len(i.kept))...)
			}
		}
		i.data = slices.Clone(i.kept)
	}
}

// failing is a folder where one call fails, or all do from one on.
type failing struct {
	folder
	at    string // name of the call that fails; empty: the n-th does
	n     int    // calls that do not
	all   bool   // and those after
	err   error
	calls int
}

var errDead = errors.New("the machine is off")

func (f *failing) call(name string) error {
	f.calls++
	if f.at == name || f.at == "" && (f.calls == f.n+1 || f.all && f.calls > f.n) {
		return f.err
	}
	return nil
}

func (f *failing) tryLock() (locked, error) {
	if err := f.call("lock"); err != nil {
		return nil, err
	}
	inner, err := f.folder.tryLock()
	return failingLock{inner, f}, err
}

type failingLock struct {
	locked
	folder *failing
}

func (l failingLock) sync() error {
	if err := l.folder.call("sync folder"); err != nil {
		if d, ok := l.folder.folder.(*disk); ok {
			d.lose()
		}
		return err
	}
	return l.locked.sync()
}

func (f *failing) read(name string) ([]byte, error) {
	if err := f.call("read"); err != nil {
		return nil, err
	}
	return f.folder.read(name)
}

func (f *failing) create(name string) (file, error) {
	if err := f.call("create"); err != nil {
		return nil, err
	}
	inner, err := f.folder.create(name)
	return &failingFile{inner, f}, err
}

func (f *failing) remove(name string) error {
	if err := f.call("remove"); err != nil {
		return err
	}
	return f.folder.remove(name)
}

func (f *failing) rename(from, to string) error {
	if err := f.call("rename"); err != nil {
		return err
	}
	return f.folder.rename(from, to)
}

type failingFile struct {
	file
	folder *failing
}

func (f *failingFile) Write(p []byte) (int, error) {
	if err := f.folder.call("write"); err != nil {
		n, _ := f.file.Write(p[:len(p)/2])
		return n, err
	}
	return f.file.Write(p)
}

func (f *failingFile) Sync() error {
	if err := f.folder.call("sync"); err != nil {
		return err
	}
	return f.file.Sync()
}

func (f *failingFile) Close() error { return errors.Join(f.folder.call("close"), f.file.Close()) }
