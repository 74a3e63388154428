// Package kafka is a recipe to copy: only the current term can commit records to Kafka.
//
// # What Kafka does by itself, and why that is not enough
//
// A producer with a transactional.id raises a producer epoch when it initializes, and the brokers
// refuse the older epoch. If the Lease's scope is the transactional.id, and each term begins with an
// init, the predecessor is fenced. But there are two problems:
//
//   - Kafka's epoch follows the order of the inits, not of the terms. A stale active that wakes up
//     and initializes late fences its successor. It can then write as it likes.
//   - Kafka's epoch is an int16. When it is used up, the broker gives out another producer id and
//     starts at 0. Brokers of 4.0 and later raise it with every transaction (KIP-890). So within
//     minutes it no longer shows any order. The token's epoch has 64 bits and comes from the Lease.
//     It keeps the order.
//
// # How
//
// The mark is the last committed record "mark" of a compacted topic with one partition. Only the one
// transactional.id writes there. A claim ([Writer.Announce], or the first use of a token) goes like
// this:
//
//  1. Initialize, and commit a record "claim".
//  2. Read the topic up to that record, and compare the token with the mark.
//  3. If the token is newer, commit it as the mark. If another producer has initialized since, this
//     commit fails.
//
// So the mark cannot have moved between its reading and any later commit of this producer. Comparing
// and writing are one step, although no broker knows of tokens.
//
// A producer's session ends with its first error. The next session begins with a claim. Suppose that
// a stale producer's late init has fenced the current one. The current one then claims again, reads
// that its token still is the mark, and goes on. The stale one has read the mark and stopped.
//
// The token travels in the header "fencing-token" of each record ([TokenOf]). Within a partition it
// only rises among committed records ([Order]).
//
// # What is fenced
//
// What read_committed consumers see is fenced exactly. After Announce(n) returned nil, nothing of a
// lower token is committed, however long it was delayed. What an older term had left open is aborted.
//
// # What is not, and why
//
//   - Consumers with isolation.level read_uncommitted, which is Kafka's default. They see aborted
//     records.
//   - Producers with another transactional.id, or none. Grant Write on the topics and on the
//     TransactionalId to this service alone. The writer makes the check, and not the broker.
//   - Availability in spite of a stale active. Its late init aborts one transaction of its
//     successor. That transaction is made again, by another call of work. A producer looks at the
//     mark before it claims, which usually avoids that.
//   - What consumers do with a record. It was committed by the term that was current then.
//   - Brokers before 3.6, or with transaction.partition.verification.enable off. A produce request
//     that was delayed past the abort may become part of the successor's transaction (KIP-890). Best
//     are brokers of 4.0, where each transaction has an epoch.
//   - Loss of the mark: by unclean leader election, min.insync.replicas of 1, a cleanup.policy other
//     than compact, or in a mirrored cluster. A topic that lost its beginning is an error. It is not
//     mistaken for a topic without a mark.
//
// # Unknown outcomes
//
// A commit without a confirmation may have happened, even if the answer was "fenced": the client
// repeats a commit whose answer it lost, and a successor may have initialized by then. The result is
// [ErrUnknown], never a refusal.
//
// # A trap in the client
//
// franz-go 1.22.3 sends the first records of a topic before it has stored the topic's partitions. At
// the end of a transaction, it learns from the stored partitions what was written. If a transaction
// ends in the moment between, the client considers it empty. It returns nil for the commit, and then
// aborts (brokers of 4.0 and later), or does not ask the broker at all (older ones, as read in its
// source). So each produce here waits until the client knows the partition.
//
// # What it was tested on
//
// It was tested on kfake, in-process brokers by franz-go's author. kfake has producer epochs, fencing
// by init, aborts by init, and read_committed. As far as read in its source, it differs from Apache
// Kafka in these points:
//
//   - It accepts the init of a fenced producer that names its old epoch. Kafka refuses that. A
//     session compares the epoch before each commit, so both are safe.
//   - Commits are visible at once. Kafka writes the markers later, which is why reading waits for
//     what is undecided.
//   - If a produce of a stale producer is refused, it opens an empty transaction of the current one.
//   - It has no replicas.
//
// The recipe has not been run on Apache Kafka.
package kafka
