// Package trial puts replicas on trial: each a process of its own, behind a
// proxy of its own to the API server, all writing to one fenced ledger. From
// what they reported and what the ledger holds, [Audit] says whether one at a
// time was at work.
//
// A replica is the test binary executing itself: its TestMain calls [IsReplica]
// first.
package trial
