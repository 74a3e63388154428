// Package kubefence fences writes to Kubernetes objects: of one kind by [Objects], told of each new term by [Guard], and
// in the API server itself by [Policy].
//
//	active n                       object (mark)                   active n+1
//	   | read            --------->  n, version 7
//	   | ... frozen ...              n+1, version 8  <------------  stamp, of version 7 |
//	   | write, of version 7 ----->  refused: conflict
//	   | read, compare   --------->  *StaleError
//
// # The mark
//
// Each object keeps the token of its latest fenced write in an annotation, [Annotation]. A write reads the object, compares the
// token there with its own, stamps its own, and names the resourceVersion it read. The API server stores it only if nobody
// wrote since. So check and effect are one step: between them no later term can have written, and what is parked on its way comes to
// nothing once one has.
//
// Its own replicas are all that a mark is about. Others may write the object as ever, controllers and kubectl too, if they keep the
// annotation; a write of theirs in between only costs another try.
//
// # Announcements
//
// A mark on an object fences that object, from the successor's first write to it on. Objects that the successor has not written yet
// are still open to the old term. To close them all before the work starts, name them to the guard that is announced to:
//
//	invoices := ... // kubefence.New(client.CoreV1().ConfigMaps("shop"), kubefence.Config{Scope: fencing.Scope("shop", "invoicer")})
//	guard, err := kubefence.NewGuard(invoices.Object("invoicer-mark"), invoices.Object("open"), invoices.Object("paid"))
//	...
//	elector, err := singleton.New(client, singleton.Config{Name: "invoicer", Guards: []fencing.Guard{guard}})
//
// [Guard.Announce] then stamps the mark and every object named, before the work of a term starts, and after it none of them takes a stale
// write. It costs two requests for each object and announcement, a read and a write of just that version, also where the mark is
// raised already: only the write proves that what was read is what is stored. With the mark alone (NewGuard(mark)) a stale term is refused where it
// asks ([Guard.Check]) and on what the successor has written. Checking and then writing narrows the gap for other objects and does not
// close it; neither does [Policy.Announced]. Objects of several kinds may be named together.
//
// # What is not guaranteed
//
//   - Creating. Where no object is, there is no mark: a parked create of an old term lands if the name is free then. Create objects
//     beforehand, with a manifest, and only update them; or write the term's name into the object's.
//   - Deleting takes the mark along. What is deleted and created again may be written by an old term until the new one stamped it.
//     Keep the object and empty it, or let [Policy.Deleters] say who deletes.
//   - Writers outside of this package, unless a [Policy] holds them to it. It cannot see the term of a writer who states none.
//   - etcd restored from a backup has the marks of then, until the present term is announced anew.
//
// # Permissions
//
// get and update on the objects; patch for [Objects.Apply], create and delete for those. [Guard] needs get and update, on the objects it
// names: RBAC's resourceNames are enough. Without them, or without the objects, it is [fencing.ErrWiring], and ends an elector's Run. The mark is best a ConfigMap of its own, shipped in the manifests. Never take the
// Lease itself: its holder writes it all the time.
//
// "kubectl rollout undo" gives a Deployment the annotations back that it had then, an old mark among them. A Policy refuses that; without
// one, announce again.
package kubefence
