// Package objectstore is a recipe to copy: fenced objects in S3. It also works with any store that
// has S3's conditional writes (PutObject with If-Match and If-None-Match: *), and whose reads return
// what was written last.
//
// # How
//
// One object, the manifest, carries the mark and names all other objects. It is replaced only by
// compare-and-swap: read it, compare the token, and put the next manifest with If-Match of the ETag
// that was read. (The first put uses If-None-Match: *.) The store refuses the put if anything was
// written in between. So check and effect are one step. Announcing a token ([Store.Announce]) ends
// all writes of older terms in flight, because the ETag that they name is gone.
//
//	<prefix>manifest.json                              {"token": "shop/invoicer@42.9f86...",
//	                                                    "write": "...", "objects": {"report": "<prefix>data/..."}}
//	<prefix>data/0000000000000000042-9f86.../JQ2M...   written once, never changed
//
// All other objects are written once, under keys of the term that wrote them. They mean nothing until
// the manifest names them. A stale term can still upload an object, but nobody will ever find it.
//
// # What is fenced
//
// Everything that is read through the manifest is fenced exactly. After Announce(n) returned nil, no
// write of a lower token takes effect in [Store.Get], however late its request arrives.
//
// # What is not, and why
//
//   - Objects that are read by their key, without the manifest. A token stamped on each object would
//     fence an object only once the successor has raised its stamp: a store compares one object with
//     itself, and has no condition on another object. So there is one manifest instead of a stamp on
//     each object.
//   - DeleteObject, and puts without a condition, by anybody who has the right to them. A deleted
//     manifest is a forgotten mark: S3 cannot distinguish it from one that never existed. Deny
//     s3:DeleteObject on the manifest to the service. Let the bucket policy allow s3:PutObject there
//     only with the header (condition key s3:if-match, or s3:if-none-match).
//   - A replica of the bucket, or a restored copy. It has the mark of its time.
//   - Readers that keep an old manifest. They see old objects. Do not delete objects before readers
//     are done with them.
//
// # Three traps
//
// The token has to be in the object's content. The ETag of a plain object in S3 is a digest of the
// content alone: two puts of the same content with different metadata have the same ETag. So a mark
// in the metadata can move without a change of the ETag, and a stale put with If-Match is admitted.
// For that reason the manifest contains the token and a random id of each write. So no ETag ever
// comes again.
//
// The client must not repeat a conditional put by itself. If the first put took effect and its answer
// was lost, the second is refused with 412, because of the writer's own write. So retries are off for
// this one call.
//
// A missing answer is not a refusal. If a put may have happened, or may yet happen, the manifest is
// read again. There are three cases:
//
//   - It has this write's id: the write happened.
//   - It is unchanged: the put is repeated on the same ETag, and only one of the two takes effect.
//   - Somebody else has written: the result is [ErrUnknown], and not a refusal.
//
// # Rights
//
// The service needs s3:GetObject, s3:PutObject and s3:ListBucket. Without s3:ListBucket, S3 answers
// 403 instead of 404 for a manifest that does not exist yet. Here that is an error, never "no mark".
// Multipart uploads may be used for the data. The manifest is a single put.
//
// # Cleaning up
//
// Delete objects under data/ whose epoch is below the mark and which the manifest does not name: no
// term can name them any more. A stale cleaner is harmless: what it may delete according to an old
// manifest, no later manifest names.
package objectstore
