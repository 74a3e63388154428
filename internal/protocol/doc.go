// Package protocol is hotseat's protocol on one Lease: what a process without the Lease knows and
// does next ([Candidate], with its [View]), what its holder does ([Tenure]), and the requests
// ([Lock]). All but the last are values without I/O. The rules that they keep stand in the
// documentation of package lease, and are cited by their numbers.
//
// It has no loop, no callback and no timer; package singleton does.
package protocol
