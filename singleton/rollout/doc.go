// Package rollout keeps leadership off Pods that are about to end, so that a rolling update moves
// it once. Each part is an option, and needs its own RBAC rights.
//
//	client, err := singleton.DefaultClient()
//	...
//	follower, err := rollout.New(client, rollout.Config{
//		Terminating: true, Revision: true, DeletionCost: true,
//	})
//	...
//	go follower.Run(ctx, elector) // until ctx ends
//	err = elector.Run(ctx, work)
//
// # Parts
//
//   - Terminating: once this replica's Pod has a deletionTimestamp, this replica is not eligible.
//     That matters if a preStop hook delays SIGTERM.
//   - Revision: while this replica's ReplicaSet has an older revision than the Deployment, this
//     replica is courteous: a replica of the newest revision goes first.
//   - Node: while this replica's node is cordoned, as it is during a drain, this replica is
//     courteous.
//   - DeletionCost: while this replica is active, its Pod carries
//     controller.kubernetes.io/pod-deletion-cost, so that a ReplicaSet that is scaled down removes
//     its other Pods first. With maxSurge 0 only this part avoids a second move. Without it, the
//     active replica's Pod may be removed before there is a Pod of the new revision.
//   - HandOver, with Revision: an active replica of an older revision resigns once all other Pods
//     of the Deployment are of the newest revision and available. That is for rollouts that keep
//     the old Pod for a long time.
//
// Courtesy does not leave the service without an active replica: if no other replica has taken the
// Lease within Config.Courtesy, a courteous one does. A part changes nothing if it lacks a right,
// or if its object does not exist. It logs the reason once. While the API server is out of reach,
// the Follower goes by what it saw last.
//
// # Rights
//
// In the Role of the replicas, a line for each option:
//
//	rules:
//	- {apiGroups: [""], resources: [pods], verbs: [watch]}         # Terminating, Revision, Node
//	- {apiGroups: [apps], resources: [replicasets], verbs: [get]}   # Revision
//	- {apiGroups: [apps], resources: [deployments], verbs: [watch]} # Revision
//	- {apiGroups: [""], resources: [pods], verbs: [get, patch]}    # DeletionCost
//
// Node needs a ClusterRole, because a node has no namespace:
//
//	rules:
//	- {apiGroups: [""], resources: [nodes], verbs: [watch]}
//
// The rule for Deployments may name yours in resourceNames. A Role cannot name Pods that do not
// exist yet. So with patch on Pods, a replica may change any Pod of its namespace.
//
// # Cost
//
// One watch of this replica's Pod, one of the Deployment (Revision) and one of the node (Node),
// each opened anew after five to eight minutes. DeletionCost makes two patches for each term.
package rollout
