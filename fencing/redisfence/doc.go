// Package redisfence fences writes to Redis. Its [fencing.Guard] keeps the mark in a key beside the
// data. The script that makes a write also checks it.
//
//	EVALSHA  compare the token with the mark  -> *StaleError, *ConflictError: nothing happened
//	         the write
//	         the mark
//
// Redis runs one script at a time, so nothing comes between these steps. A write that was delayed,
// in a frozen process or in the network, is compared when it runs. After a newer token was
// announced ([Guard.Announce]), it does nothing.
//
//	client := redis.NewClient(&redis.Options{Addr: "redis:6379"})
//	ledger, err := redisfence.New(goredis.Eval(client), redisfence.Config{
//		Scope: fencing.Scope("shop", "invoicer"), Key: "{invoicer}:mark",
//	})
//	...
//	elector, err := singleton.New(kube, singleton.Config{
//		Name: "invoicer", Guards: []fencing.Guard{ledger},
//	})
//	...
//	// in the work; token from fencing.FromContext
//	err = ledger.HSet(ctx, token, "{invoicer}:paid", "4711", "yes")
//
// The package needs an [Evaler], and imports no Redis client. Its subpackage goredis makes an
// Evaler from go-redis.
//
// # Requirements
//
// All keys behind one guard are in one slot: they have the hash tag of the mark.
//
// On the primary, the Redis user needs EVAL, EVALSHA, GET, SET, PERSIST and the commands of the
// writes. It should have INFO too. A replica will not do, even for reading the mark: each script of
// the guard makes a write, which a replica refuses.
//
// Writers that do not use the guard are not fenced. The mark has no time to live. If somebody gives
// it one, the next call removes it.
//
// # As durable as the server
//
// The mark is one more key. If Redis forgets the mark, the guard forgets it. A token below the lost
// mark is then admitted until the current term is announced again, or writes. Redis never lowers a
// mark by itself. To never forget an acknowledged write, you need all of these settings:
//
//	appendonly yes
//	appendfsync always
//	no-appendfsync-on-rewrite no  # the default; yes suspends appendfsync during saves and rewrites
//	maxmemory-policy noeviction   # the default; volatile-* policies keep keys without a time to live
//
// You also need a disk that outlives the Pod, and there must be no failover to a replica. Then kill
// -9 at any moment loses nothing that was acknowledged. (The tests do that in the middle of writes,
// and while the server rewrites the append-only file.) A power cut loses nothing either, if fsync
// and the disk keep their promises.
//
// With less, the mark may be lost:
//
//   - With appendfsync everysec, which is the default when the append-only file is on, up to two
//     seconds are lost if the machine goes down. If only the process goes down, the writes held up
//     by a slow sync are lost.
//   - With appendfsync no, what the kernel had not yet written is lost.
//   - Without an append-only file, a crash loses everything since the last snapshot, or simply
//     everything if there is no snapshot.
//   - A failover to a replica (Sentinel, Cluster, or by hand) loses what the primary had not sent
//     yet, mark and data alike, whatever the two servers write to their disks: replication is
//     asynchronous. min-replicas-to-write and WAIT make that rarer, but do not prevent it. A
//     primary that was cut off admits older terms until it is demoted, and then drops what they
//     wrote.
//   - An allkeys policy with maxmemory may evict the mark. If the user may use INFO and the server
//     reports such a policy, the first announcement of each process fails with [fencing.ErrWiring].
//     A later change of the policy is not noticed.
//   - FLUSHDB, DEL of the mark, or a restored backup lose the mark in any case.
//
// The token itself comes from the Lease. So losing the mark cannot give two terms the same epoch,
// as losing a counter in Redis could. If it is not acceptable to lose acknowledged writes at a
// failover, do not keep the data in Redis. Put both data and mark into a database with sqlfence.
package redisfence
