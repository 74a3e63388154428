// Package catchup makes a new term wait until the replica's caches have read what the term before
// it wrote. A handover takes milliseconds, and a watch may be later than that. Work that decides
// from a cache could then act on objects that its predecessor has already changed.
//
//	configMaps := corev1.SchemeGroupVersion.WithResource("configmaps")
//	caches, err := catchup.New(catchup.Config{Kinds: []catchup.Kind{{
//		Name:   "configmaps",
//		API:    metadataClient.Resource(configMaps).Namespace("shop"),
//		Cached: catchup.Informer(factory.Core().V1().ConfigMaps().Informer()),
//	}}})
//	...
//	err = elector.Run(ctx, caches.Before(work))
//
// With package leaderlock there is no work to wrap. There, the hook waits, before client-go and
// the controllers learn of the term:
//
//	lock, err := leaderlock.New(client, singleton.Config{
//		Name: "invoicer", Hooks: singleton.Hooks{OnAcquire: caches.OnAcquire},
//	})
//
// # What it guarantees
//
// Once [Caches.Wait] has returned nil, each cache has everything that the API server had stored for
// its kind when Wait was called. This includes every write of an earlier term that the API server
// had answered. A write of a crashed predecessor may still be on its way: only a guard stops that
// (package fencing).
//
// # How
//
// Wait lists the metadata of each kind once. The list is of the API server's latest state, not of
// an older state that the API server has cached (resourceVersion ""). Then it looks at the cache
// until
//   - each listed object is in the cache, at its listed resourceVersion or a later one, and
//   - each other object in the cache has a later resourceVersion than the list.
//
// A listed object may be deleted meanwhile. If one does not appear in the cache, Wait lists again.
// It no longer waits for the object if the new list does not have it.
//
// It does not ask how far the informer has read. An informer of a kind without changes learns of
// the list's resourceVersion only with the next bookmark, about a minute later. Also, an informer
// counts an event as read before its store shows the change.
//
// # Costs
//
// One list of metadata for each kind and term, and two while objects are being deleted. A cache is
// looked at after 5 ms, then less and less often, every 250 ms at last.
package catchup
