// Package filestore keeps the marks of a [fencing.Durable] guard in files, for a resource on the
// same disk or host:
//
//	store, err := filestore.Open("/var/lib/ledger/marks")
//	...
//	guard, err := fencing.NewDurable(store, fencing.MemoryConfig{})
//
// # What it promises
//
// A stored mark is still there after kill -9. It is also there after a power failure, if the disk
// keeps what it reported as written. Before anything is admitted, the new mark is written beside
// the old one, synced, renamed over the old one, and the folder is synced.
//
// If this process did not write and sync a mark itself, it writes the mark anew before the guard
// relies on it. The system reports a failed sync only once, to those who had the folder open. The
// next sync succeeds, without a trace of what was lost.
//
// Several processes may share the folder. A lock on the folder (flock) lets only one of them swap
// at a time. The lock ends with its process. Readers need no lock.
//
// A file that is cut off, damaged, of another scope or not a mark is an error, which the guard
// reports as [fencing.ErrUnavailable] until somebody repairs the file by hand. The file is never
// written over.
//
// # What it does not promise
//
//   - A missing file means a scope that was never seen. So whoever deletes or restores files here
//     lowers marks.
//   - The folder is not created. Put it below the mount point: an unmounted disk is then an error,
//     not an empty store.
//   - Network file systems may lock and sync in other ways. Use a local one.
//   - A system call that hangs in the kernel does not end with a context.
//   - On systems without flock, such as Windows, each swap fails with [errors.ErrUnsupported]. The
//     guard reports that as [fencing.ErrWiring]. It does the same for a folder that is not
//     writable.
//
// # Files
//
// There is one file per scope. Its name is the SHA-256 of the scope. It has three lines. Names of
// temporary files end in .tmp.
//
//	hotseat fencing mark 1
//	shop/invoicer@42.9f86d081884c7d659a2feaa0c55ad015
//	sha256 <of the lines above>
package filestore
