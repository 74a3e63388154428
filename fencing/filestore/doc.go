// Package filestore keeps the marks of a [fencing.Durable] guard in files, for a resource on the same disk or host:
//
//	store, err := filestore.Open("/var/lib/ledger/marks")
//	...
//	guard, err := fencing.NewDurable(store, fencing.MemoryConfig{})
//
// # What it promises
//
// A mark that was stored is there after kill -9, and after a power failure if the disk keeps what it said it wrote: the
// new mark is written beside the old one, synced, renamed over it, and the folder is synced, before anything is
// admitted. A mark that this process did not write and sync itself is written anew before the guard admits by it: a failed
// sync is told once, to whoever had the folder open, and the next one succeeds without a trace of what was lost.
//
// Processes that share the folder swap exactly: a lock on the folder (flock) lets in one at a time. It goes with its process.
// Readers need no lock.
//
// A file that is cut off, damaged, of another scope or not ours is an error, of which the guard makes
// [fencing.ErrUnavailable], until somebody puts it right by hand. It is never written over.
//
// # What it does not
//
//   - A file that is gone is a scope never seen: whoever deletes or restores files here lowers marks. The folder is not
//     created: put it below the mount point, and an unmounted disk is an error, not an empty store.
//   - Network file systems lock and sync as they see fit. Use local ones.
//   - A system call that hangs in the kernel does not look at a context.
//   - Systems without flock (Windows among them) get [errors.ErrUnsupported] for each swap: [fencing.ErrWiring], like a folder
//     that the process may not write.
//
// # Files
//
// One per scope, named after its SHA-256, three lines each. Temporary ones end in .tmp.
//
//	hotseat fencing mark 1
//	shop/invoicer@42.9f86d081884c7d659a2feaa0c55ad015
//	sha256 <of the lines above>
package filestore
