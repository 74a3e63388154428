// Package lease is hotseat's protocol on one coordination.k8s.io Lease: an
// immutable [Record] of it, the arithmetic of its time ([Timing]), the pure
// decision of a standby ([Decide] on a [View]), and the requests ([Lock]).
//
// It has no loop, no callback and no timer; package singleton does. Use that
// unless you are writing an elector.
//
// # Rules of a write
//
// Every write is a create, or an update with UID and resource version. What
// cannot be told (no answer, 5xx) proves nothing: the next List does. A record
// is ours while it names our identity and our term; a conflict is read again,
// and only a record that still is ours is written again.
//
// # What a change proves
//
// Only a release by the holder itself, or a takeover that carries a greater
// epoch, proves that the holder before is out. A holder edited or cleared by
// hand, a deleted Lease, a Lease shipped anew: under each of them a holder that
// is cut off may still be at work for as long as it was owed, so a standby waits
// that long from when it saw the change. (A release writes the annotation
// fencing-released in the same compare-and-swap; clearing the holder does not.)
package lease
