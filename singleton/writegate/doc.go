// Package writegate stops a replica's writes to Kubernetes while its term is not valid. The code
// that writes stays as it is: the gate sits in its rest.Config.
//
//	elector, err := singleton.New(client, singleton.Config{Name: "invoicer"})
//	...
//	gate, err := writegate.New(writegate.Config{Terms: elector})
//	...
//	clientset, err := kubernetes.NewForConfig(gate.Wrap(config))
//
// The same works for a controller-runtime manager: give it gate.Wrap(config).
//
// # What it stops
//
// Every request but GET, HEAD and OPTIONS is a write. A request to change the protocol is a write
// whatever its method, and so is a request for the subresource exec, attach or portforward. The
// gate refuses a write with an [*Error] unless
//   - a term of this replica is valid ([singleton.Term.Valid]), and
//   - it is the request's own term, if the request's context has one. (A context that was derived
//     from the work's context carries the token of its term.)
//
// The gate judges each attempt: client-go's retries after 429 and 5xx, redirects, and what HTTP/2
// sends again. It judges before it hands the request on, and once more when the transport takes
// the request's body in order to send it. So a request that waited for a rate limiter, for a
// connection, or in a frozen process is refused as well.
//
// These pass at any time:
//   - Reviews of access and tokens, which are POST requests that store nothing: SubjectAccessReview
//     and its like, SelfSubjectRulesReview, TokenReview and SelfSubjectReview.
//   - Creates, updates and patches whose URL says dryRun=All. This does not hold for the
//     subresources exec, attach, portforward and proxy, nor for a request to change the protocol. A
//     delete with dryRun=All passes too, but only if it has no body. The API server looks for a
//     delete's dryRun in the body first, and the gate does not.
//   - Writes of the elector's own Lease, if the elector has a client with the gate. Otherwise it
//     could never begin a term. Better give the elector a client without the gate.
//   - What Config.Allow says.
//
// # What it does not stop
//
//   - A write that was sent before the term ended. It may land after that. Its answer reaches the
//     caller unchanged, and is true: the gate does not end requests in flight. A write counts as
//     sent once the transport has taken the end of its body. If the server or the network stops
//     taking data, the transport or the kernel may hold back a part of such a write for minutes.
//   - A write that the process was about to hand to the kernel when it was frozen. The gate narrows
//     this window to the last few instructions. Only a guard closes it (package fencing).
//   - A connection that changed its protocol while the term was valid. It stays open.
//   - A request that the API server passes on to a Pod, Service or Node (proxy). GET requests of
//     this kind pass. The gate judges those with other methods. But if it cuts such a request off,
//     the Pod, Service or Node may already have acted on the part that it received.
//   - Clients that were made from a config without the gate.
//
// A refused write has not happened. Either nothing was sent, or the end of the request is missing,
// and the API server does not act on such a request (apart from the proxies above).
//
// In a process with several terms, a request may begin in one term and be tried again in a later
// one. The gate notices that only if the request's context comes from the work's context. With
// singleton.Config.OneTerm there is only one term.
//
// # Stamps
//
// With Config.Stamp the gate also writes the term's token into what it lets through, in the
// annotation [kubefence.Annotation]. A [kubefence.Policy] for the same resources then makes the API
// server refuse the writes of earlier terms, also those that the gate could not stop. What gets a
// stamp:
//
//	create, update           JSON, protobuf, CBOR
//	merge patch              JSON
//	strategic merge patch    JSON
//	JSON patch               if the object has an annotation; else the API server refuses it
//	server-side apply        JSON, YAML, CBOR
//
// A subresource other than status gets no stamp, nor does a delete: they have no place for it. They
// pass while the term is valid. A [kubefence.Policy] may restrict who makes them: see there. In the
// status of a custom resource the API server ignores the stamp. Any other write of a listed
// resource that cannot be stamped is refused: see [ErrUnstampable].
//
// With server-side apply, the annotation becomes a field of the manager that applies. If several
// managers write one object, they must apply with force, or get a conflict that names the
// annotation. [kubefence.Objects.Apply] does not have that limit.
package writegate
