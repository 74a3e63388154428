// Package evidence proves by a Pod's status that the process of a crashed holder is dead. A standby
// then takes over as soon as the kubelet has reported the death. It does not wait for the lease
// duration.
//
//	pods, err := evidence.NewPods(client, evidence.Config{}) // client: of singleton.DefaultClient
//	...
//	elector, err := singleton.New(client, singleton.Config{
//		Name:     "invoicer",
//		Guards:   []fencing.Guard{ledger}, // or Fencing.Settle
//		Evidence: pods,
//		Timing:   lease.Timing{LeaseDuration: time.Minute},
//	})
//
// The guide has a page on when to use it, and with which rights: internal/docs/guide/evidence.md.
//
// # What is proof
//
// The holder publishes which container it runs in, by the id that the container runtime gave to
// this life of it. The proof of its death is one thing only: its Pod shows the container as
// terminated, in state or lastState, with that very id, with a reason other than
// ContainerStatusUnknown, and with an end that is not before an instant at which the holder was
// alive.
//
// Nothing else is proof. Each of these has been seen beside a holder that was alive and at work, or
// may be:
//   - another container in the Pod, a newer one, or none; a higher restartCount;
//   - a container that is waiting; the reason ContainerStatusUnknown;
//   - Ready=False, a deletionTimestamp, DisruptionTarget; a node that is not ready;
//   - a Pod that does not exist, or has another UID.
//
// Without a proof everybody waits for the lease duration, as if there were no evidence. This is so
// after a power loss, in a partition, and while a kubelet is frozen.
//
// # What a holder publishes
//
// It asks for its own Pod's status until that shows its container as running, started not before
// process 1 of the container. It then publishes one line, of at most 700 bytes:
//
//	pod/1 NAME UID CONTAINER SECONDS CONTAINER-ID
//
// SECONDS is the Unix time of the instant at which it was alive. This and the times in the status
// are of one clock, the node's. A holder that read a stale status may publish the id of the
// container before its own. That one's end is before SECONDS, so it proves nothing.
//
// Until it knows its container, and for ever if [ErrUnfit] says so, it publishes nothing. It takes
// about three seconds from the start of the container.
//
// # Requirements
//
//   - Linux, with /proc as container runtimes mount it. Identify fails elsewhere. Other replicas'
//     deaths can be proven on any system.
//   - Neither hostPID nor shareProcessNamespace: with these, processes may outlive their container.
//   - The replicas' Pods are in one namespace. In it the service account may get and watch Pods.
//
// # Costs
//
// A standby has one watch, on the holder's Pod. All electors of a process that wait for the same
// holder share it. When the watch shows a death, the standby gets the Pod once. A process gets its
// own Pod once, or a few times, after its start. An active makes no further requests.
package evidence
