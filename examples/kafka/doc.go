// Package kafka is a recipe, to be copied: records that only the current term can commit to Kafka.
//
// # What Kafka does by itself, and why that is not enough
//
// A producer with a transactional.id bumps a producer epoch when it initializes, and the brokers refuse the older one. With the
// Lease's scope as the transactional.id and an init at the start of each term, the predecessor is fenced. But
//
//   - Kafka's epoch follows the order of the inits, not of the terms. A stale active that wakes up and initializes late
//     fences its successor, and then writes as it likes.
//   - It is an int16. At its end the broker gives out another producer id and starts at 0, and brokers of 4.0 and later bump it
//     with every transaction (KIP-890): within minutes it is no order of anything. The token's epoch, 64 bits from the
//     Lease, stays the order of truth.
//
// # How
//
// The mark is the last committed record "mark" of a compacted topic with one partition, and only the one transactional.id
// writes there. A claim ([Writer.Announce], or the first use of a token) is: initialize and commit a record "claim"; read the topic up
// to it; compare; if the token is newer, commit it as the mark. Whoever initialized since makes that commit fail. So
// the mark cannot have moved between its reading and any later commit of this producer, and comparing and writing are one
// step, although no broker knows of tokens. A session of a producer ends with its first error, and begins with a claim: also one
// that was fenced by a stale producer's late init claims anew, reads that it is still the current one, and goes on, while the
// stale one has read the mark and stopped.
//
// The token travels in the header "fencing-token" of each record ([TokenOf]), and within a partition it only rises
// among committed records ([Order]).
//
// # What is fenced
//
// What read_committed consumers see, exactly: after Announce(n) returned nil, nothing of a lower token is committed, however long it
// was parked, and what an older term had left open is aborted.
//
// # What is not, and why
//
//   - Consumers with isolation.level read_uncommitted, which is Kafka's default: they see aborted records.
//   - Producers with another transactional.id, or none. Grant Write on the topics and on the TransactionalId to this service
//     alone; the check is made by its own code, in the writer and not in the broker.
//   - Availability against a stale active: its late init aborts one transaction of its successor, which is made anew by
//     calling work again. Before it claims, a producer looks at the mark, and mostly spares its successor that.
//   - What consumers do with a record: it was committed by the term that was current then.
//   - Brokers before 3.6, or with transaction.partition.verification.enable off: a produce request that was delayed past the abort may
//     become part of the successor's transaction (KIP-890). Best are brokers of 4.0, where each transaction has an epoch.
//   - Loss of the mark: unclean leader election, min.insync.replicas of 1, cleanup.policy other than compact, a mirrored
//     cluster. A topic that lost its beginning is an error, and not a topic without a mark.
//
// # Unknown outcomes
//
// A commit without a confirmation may have happened, also when the answer was "fenced": the client repeats a commit whose answer
// it lost, and by then a successor may have initialized. The result is [ErrUnknown], never a refusal.
//
// # A trap in the client
//
// franz-go 1.22.3 sends the first records of a topic before it has stored the topic's partitions, and learns at the end of a
// transaction what was written from those that it stored. A transaction that ends in the moment between seems empty to it: it
// returns nil for the commit, and aborts (brokers of 4.0 and later), or does not ask the broker at all (older ones, as read in its
// source). So each produce here waits until the client knows the partition.
//
// # What it was tested on
//
// kfake, in-process brokers by franz-go's author. It keeps producer epochs, fencing by init, aborts by init, and read_committed.
// Where it differs from Apache Kafka, as far as read in its source: it accepts the init of a fenced producer that names its old epoch
// (Kafka refuses that; a session compares the epoch before each commit, so both are safe); commits are visible at once
// (Kafka writes the markers later, which is why reading waits for what is undecided); a refused produce of a stale producer
// opens an empty transaction of the current one. It has no replicas. It has not been run on Apache Kafka.
package kafka
