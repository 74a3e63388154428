// Package kubefence fences writes to Kubernetes objects. The type [Objects] writes objects of one
// kind. The elector announces each term to a [Guard]. [Policy] makes the API server itself check
// tokens.
//
//	active n                       object (mark)                   active n+1
//	   | read            --------->  n, version 7
//	   | ... frozen ...              n+1, version 8  <------------  stamp, if version 7 |
//	   | write, if version 7 ----->  refused: conflict
//	   | read, compare   --------->  *StaleError
//
// # The mark
//
// Each object keeps the token of its latest fenced write in an annotation, [Annotation]. A write
// reads the object, compares the token there with its own, stamps the object with its own token,
// and names the resourceVersion that it read. The API server stores the write only if nobody wrote
// since. So check and effect are one step: no later term can have written between them. A write
// that is still in flight is rejected once a later term has written.
//
// The mark concerns only the replicas of one Lease. Other writers, such as controllers and kubectl,
// may write the object as always, if they keep the annotation. Such a write in between only costs
// another try.
//
// # Announcements
//
// A mark fences its object only once the successor has written that object. Objects that the
// successor has not written yet are still open to the old term. To close all of them before the
// work starts, name them to the guard:
//
//	config := kubefence.Config{Scope: fencing.Scope("shop", "invoicer")}
//	invoices, err := kubefence.New(clientset.CoreV1().ConfigMaps("shop"), config)
//	...
//	guard, err := kubefence.NewGuard(invoices.Object("invoicer-mark"), // the mark
//		invoices.Object("open"), invoices.Object("paid"))
//	...
//	elector, err := singleton.New(client, singleton.Config{
//		Name: "invoicer", Guards: []fencing.Guard{guard},
//	})
//
// [Guard.Announce] then stamps the mark and every named object before the work of a term starts.
// After that, none of them accepts a stale write. An announcement costs two requests for each
// object: a read, and a write on condition that the object still has the version that was read. The
// write is needed even if the mark is raised already: only the write proves that what was read is
// what is stored. The named objects may be of several kinds.
//
// With the mark alone, as in NewGuard(mark), a stale term is refused in two cases only: when it
// asks ([Guard.Check]), and when it writes an object that the successor has written. For other
// objects, a check before the write does not suffice: a write may still land after a newer term was
// announced. [Policy.Announced] makes that rarer, but does not rule it out either.
//
// # What is not guaranteed
//
//   - Creates. Where there is no object, there is no mark: a delayed create of an old term lands if
//     the name is free then. Create the objects beforehand, with a manifest, and only update them.
//     Or make the term a part of the object's name.
//   - Deletes. The mark goes with the object. If an object is deleted and created again, an old
//     term may write it until the new term has stamped it. Empty the object and keep it, or set
//     [Policy.Deleters] to restrict who may delete it.
//   - Writers outside of this package, unless a [Policy] checks them. A Policy cannot know the term
//     of a writer that states none.
//   - Restores. After etcd is restored from a backup, it has the marks of the backup until the
//     current term is announced again.
//
// # Permissions
//
// The type Objects needs get and update on the objects. It needs patch for [Objects.Apply], create
// for [Objects.Create] and delete for [Objects.Delete]. Guard needs get and update on the objects
// that it names; RBAC's resourceNames are enough. If a right or an object is missing, the error is
// [fencing.ErrWiring]. If that is so from the start of an elector's Run, and still is a
// LeaseDuration later, Run ends.
//
// Let the mark be a separate ConfigMap, shipped in the manifests. Never use the Lease itself: its
// holder writes it all the time.
//
// "kubectl rollout undo" gives a Deployment back its old annotations, including an old mark. A
// Policy refuses that. Without a Policy, announce again.
package kubefence
