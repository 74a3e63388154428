// Package route gives the traffic of a Service to the active replica, and to no other. It writes
// either a label on the active replica's Pod or an EndpointSlice. All replicas stay ready.
//
//	client, err := singleton.DefaultClient()
//	...
//	router, err := route.ByLabel(client, route.LabelConfig{Pods: "app=invoicer"})
//	...
//	err = elector.Run(ctx, gate.Work(router.Work(work))) // gate is a serving.Gate
//
// Data planes learn of a change a moment later, and connections that are open stay open. So let
// each replica refuse requests that it must not answer, and close its old connections, with package
// singleton/serving. The guide compares the ways, and says which one works on which platform:
// internal/docs/guide/traffic.md in this repository.
//
// # By label
//
// The selector of an ordinary Service has the labels of all replicas, and the label of the active
// replica:
//
//	selector: {app: invoicer, hotseat-go.github.io/role: active}
//
// The replicas need the rights to list and patch Pods. The template of the Pods must not have the
// label of the active replica.
//
//  1. At a term's start, the active replica lists the Pods of all replicas. It marks each of them
//     with its token, in the annotation hotseat-go.github.io/role-term. The same write takes the
//     label away. It succeeds only if the Pod has not changed since the list. If a Pod has the mark
//     of a later term, the active replica goes no further ([ErrSuperseded]).
//  2. When every Pod has its mark, the active replica labels its own Pod, on condition that the
//     mark there is still its own.
//  3. At the term's end, the active replica removes the label, on the same condition. The same
//     write changes the mark, so that a late request of step 2 fails.
//
// So at most one Pod has the label at any resourceVersion, whatever the elector does, and however
// late a request arrives. Suppose that a request of an earlier term reaches a Pod after a later
// term has marked the Pod. The request fails. If it is a write of step 1, the Pod has changed since
// the list. If it is a write of step 2, the mark is no longer the earlier term's.
//
// # By EndpointSlice
//
// The Service has no selector. Its EndpointSlices are NAME-active-ipv4 and NAME-active-ipv6, with
// this replica's address, Pod and node. A slice has its mark in the annotation
// hotseat-go.github.io/term. During a term, a write succeeds only if the slice has not changed
// since it was read. At the term's end, it succeeds only if the mark is still the term's. One write
// replaces the address of one replica by that of another. If Pods have addresses of both families,
// both slices are emptied before one gets an address. All replicas must have addresses of the same
// families.
//
// The replicas need the rights to get and patch the two slices, to create slices unless they are
// shipped in a manifest, and to get the Service unless SliceConfig.Ports is set. OpenShift also
// asks for the right to create endpointslices/restricted.
//
// If a replica crashes, its address stays until the next active replica removes it. If all replicas
// are gone, the address stays, and may later be another Pod's.
//
// # What is not guaranteed
//
//   - Somebody else who writes the label, the marks or the slices can direct the traffic elsewhere.
//     The active replica checks for that every Options.Recheck, and takes the traffic back.
//   - If a replica's process crashes and starts again in the same Pod, its Pod keeps the label
//     until the next term begins.
package route
