// Package redisfence fences writes to Redis: a [fencing.Guard] whose mark is a key beside the data, and writes that are checked in the same
// script that makes them.
//
//	EVALSHA  compare the token with the mark  -> *StaleError, *ConflictError: nothing happened
//	         the write
//	         the mark
//
// Redis runs one script at a time, so nothing comes between these. A write that was parked on its way, in a frozen process or in the network,
// is compared when it runs: after a newer token was announced ([Guard.Announce]) it does nothing.
//
//	client := redis.NewClient(&redis.Options{Addr: "redis:6379"})
//	ledger, err := redisfence.New(goredis.Eval(client), redisfence.Config{Scope: fencing.Scope("shop", "invoicer"), Key: "{invoicer}:mark"})
//	...
//	elector, err := singleton.New(kube, singleton.Config{Name: "invoicer", Guards: []fencing.Guard{ledger}})
//	...
//	err = ledger.HSet(ctx, token, "{invoicer}:paid", "4711", "yes") // in the work; token from fencing.FromContext
//
// The package needs an [Evaler] and imports no client of Redis; its subpackage goredis makes one of go-redis.
//
// # What it takes
//
// All keys behind one guard are in one slot: they have the hash tag of the mark. The user needs EVAL, EVALSHA, GET, SET, PERSIST and what
// the writes use, and should have INFO, on the primary; replicas are refused, also for reading the mark. Writers who do not go through the guard are not fenced.
// The mark has no time to live; one that somebody gives it is taken away by the next call.
//
// # As durable as the server
//
// The mark is one more key. What Redis forgets, the guard forgets: a token below the lost mark is then admitted until the present term is
// announced again, or writes. Redis alone never lowers it. That what was answered is never forgotten takes all of these:
//
//	appendonly yes
//	appendfsync always
//	no-appendfsync-on-rewrite no    # the default; yes suspends the line above while a child saves or rewrites
//	maxmemory-policy noeviction     # the default; or a volatile one, which leaves keys alone that have no time to live
//
// on a disk that outlives the Pod, and no failover to a replica. Then kill -9 at any moment loses nothing that was answered (the tests do that,
// amid writes and rewrites of the file); that a power cut does not either is the word of fsync and the disk. With less,
//
//   - appendfsync everysec, the default of the file, loses up to two seconds when the machine goes down, and when the process alone
//     does, what a sync that takes long held up; appendfsync no, what the kernel had not written on its own;
//   - without an append-only file a crash loses all since the last snapshot, or everything;
//   - a failover to a replica (Sentinel, Cluster, or by hand) loses what the primary had not sent yet, mark and data alike, whatever both write to
//     their disks: replication is asynchronous. min-replicas-to-write and WAIT make that rarer, and do not prevent it. A primary that was cut
//     off answers older terms until it is demoted, and then drops what they wrote;
//   - an allkeys policy with maxmemory may throw the mark out: the first announcement of each process is [fencing.ErrWiring] where the
//     server says that it has one, which it says to users who may INFO. A policy that is changed later is not seen;
//   - FLUSHDB, DEL of the mark, or a restored backup lose it in any case.
//
// The token itself comes from the Lease, so unlike with a counter in Redis no two terms ever get one epoch by any of these. Where losing acknowledged
// writes at a failover is not acceptable, neither is Redis for the data; put both into a database with sqlfence.
package redisfence
