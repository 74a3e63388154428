//go:build unix

package filestore

import (
	"os"
	"syscall"
)

// mortal is a folder whose process is killed before one of its calls, or in the middle of a write.
type mortal struct {
	folder
	left int
}

func (m *mortal) step() {
	if m.left--; m.left == 0 {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // until it arrives
	}
}

func (m *mortal) tryLock() (locked, error) {
	m.step()
	inner, err := m.folder.tryLock()
	m.step()
	return mortalLock{inner, m}, err
}

type mortalLock struct {
	locked
	folder *mortal
}

func (l mortalLock) sync() error { l.folder.step(); defer l.folder.step(); return l.locked.sync() }
func (l mortalLock) unlock()     { l.folder.step(); l.locked.unlock(); l.folder.step() }

func (m *mortal) read(name string) ([]byte, error) { m.step(); return m.folder.read(name) }

func (m *mortal) create(name string) (file, error) {
	m.step()
	f, err := m.folder.create(name)
	m.step()
	return &mortalFile{f, m}, err
}

func (m *mortal) remove(name string) error { m.step(); defer m.step(); return m.folder.remove(name) }
func (m *mortal) rename(from, to string) error {
	m.step()
	defer m.step()
	return m.folder.rename(from, to)
}

type mortalFile struct {
	file
	folder *mortal
}

func (f *mortalFile) Write(p []byte) (int, error) {
	f.folder.step()
	n, err := f.file.Write(p[:len(p)/2])
	if err != nil {
		return n, err
	}
	f.folder.step()
	more, err := f.file.Write(p[n:])
	f.folder.step()
	return n + more, err
}

func (f *mortalFile) Sync() error  { f.folder.step(); defer f.folder.step(); return f.file.Sync() }
func (f *mortalFile) Close() error { f.folder.step(); defer f.folder.step(); return f.file.Close() }
