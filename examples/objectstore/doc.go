// Package objectstore is a recipe, to be copied: fenced objects in S3, or in any store that keeps S3's conditional
// writes (PutObject with If-Match and If-None-Match: *) and reads what was written last.
//
// # How
//
// One object, the manifest, names everything else and carries the mark. It is only ever replaced by compare
// and swap: read it, compare the token, put the next one with If-Match of the ETag that was read (If-None-Match: * for
// the first). The store refuses the put when anything was written in between, so check and effect are one step, and
// announcing a token ([Store.Announce]) ends whatever an older term has on its way: the ETag that it waits for is gone.
//
//	<prefix>manifest.json                          {"token": "shop/invoicer@42.9f86...", "write": "...", "objects": {"report": "<prefix>data/..."}}
//	<prefix>data/0000000000000000042-9f86.../JQ2M...    written once, never changed
//
// All other objects are written once, under keys of the term that wrote them, and mean nothing until the manifest names
// them. A stale term can still upload; nobody will ever find what it uploaded.
//
// # What is fenced
//
// Everything that is read through the manifest, exactly: after Announce(n) returned nil, no write of a lower token takes
// effect in [Store.Get], however late its request arrives.
//
// # What is not, and why
//
//   - Objects that are read by their key, without the manifest. A token stamped on each object would fence only those objects
//     whose stamp the successor has already raised: a store compares one object with itself, there is no
//     condition on another one. That is why there is one manifest, and not a stamp per object.
//   - DeleteObject, and puts without a condition, by whoever has the right to. A deleted manifest is a forgotten mark: S3
//     cannot tell it from one that never was. Deny s3:DeleteObject on the manifest to the service, and let the
//     bucket policy allow s3:PutObject there only with the header (condition key s3:if-match, or s3:if-none-match).
//   - A replica of the bucket, or a restored copy of it, has the mark it had then.
//   - Readers that keep an old manifest see old objects. Do not delete objects before readers are done with them.
//
// # Three traps
//
// The token has to be in the object's content. S3's ETag of a plain object is a digest of the content alone: two puts of
// one content with different metadata have one ETag, so a mark in the metadata moves without changing what a stale If-Match
// compares with, and the stale put is let in. The manifest carries the token and a random id of each write for that
// reason: no ETag ever comes again.
//
// The client must not repeat a conditional put by itself. If the first one took effect and its answer was lost, the second
// is refused with 412, by the writer's own write. Retries are therefore off for that one call.
//
// No answer is not a no. When a put may have happened or may yet happen, the manifest is read again: it carries this write's
// id, or the put is repeated on the same ETag (one of the two takes effect), or somebody else's write lies
// between, and the result is [ErrUnknown] and not a refusal.
//
// # Rights
//
// s3:GetObject, s3:PutObject, and s3:ListBucket, without which S3 answers 403 instead of 404 for a manifest that is not there
// yet; that is an error here, never "no mark". Multipart uploads are fine for the data; the manifest is one put.
//
// # Cleaning up
//
// Delete objects under data/ whose epoch is below the mark and which the manifest does not name: no term can name them any
// more. A stale cleaner is harmless, since what it may delete by an old manifest no later one names.
package objectstore
