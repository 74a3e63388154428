// Package evidence proves by a Pod's status that the process of a crashed holder is dead. A standby
// then takes over as soon as the kubelet has reported the death. It does not wait for the lease
// duration.
//
//	pods, err := evidence.NewPods(client, evidence.Config{}) // client from singleton.DefaultClient
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
// The holder publishes the id of the container that it runs in, and an instant at which it was
// alive. A container gets a new id at each restart. The holder's death is proven if its Pod shows
// the container as terminated, in state or lastState, and
//   - the id is the published one,
//   - the reason is not ContainerStatusUnknown, and
//   - the end is not before the published instant.
//
// Nothing else is proof. Each of these can be seen while the holder is alive and at work:
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
// A holder asks for its own Pod's status until the status shows its container as running, with a
// start time no earlier than that of the container's process 1. It then publishes one line, of at
// most 700 bytes:
//
//	pod/1 NAME UID CONTAINER SECONDS CONTAINER-ID
//
// SECONDS is the Unix time of the instant at which the holder was alive. It comes from the node's
// clock, as the times in the status do. A holder that read a stale status may publish the id of the
// container before its own. That container ended before SECONDS, so its end proves nothing.
//
// A holder publishes nothing until it knows its container, about three seconds after the
// container's start. If Identify fails with [ErrUnfit], the holder never publishes anything.
//
// # Requirements
//
//   - Linux, with /proc as container runtimes mount it. Identify fails elsewhere. Other replicas'
//     deaths can be proven on any system.
//   - Neither hostPID nor shareProcessNamespace: with these, processes may outlive their container.
//   - The replicas' Pods are in one namespace. The service account needs the rights to get and
//     watch Pods there.
//
// # Costs
//
// A standby has one watch, on the holder's Pod. All electors of a process that wait for the same
// holder share it. When the watch shows a death, the standby gets the Pod once. A process gets its
// own Pod once, or a few times, after its start. The active replica makes no further requests.
package evidence
