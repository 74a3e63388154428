package fencing

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Key returns a text for the idempotency key of a mail, payment or cloud API: 32 lower-case
// hexadecimal digits, a form that every such API known to us accepts. It is made of the token's
// scope and of operation, and of nothing else. operation says which effect is meant, such as
// "charge for invoice 4711". It must not be empty. It must be the same when the effect is asked for
// again. So build it from stored data, never from the time or from something random.
//
// The key is the same in all terms, and it must be. Suppose that one active replica asks for a
// payment and dies before it has noted the answer. The next one has to ask again, and only the same
// key tells the receiver that it is the same payment. If the key depended on the term, the
// payment would be made twice.
//
//   - Once for all terms (a charge, a mail): Key(operation).
//   - Once in each term (a message such as "a new replica is active"): Key(operation + " " +
//     t.String()).
//
// A key is not a fence. The receiver still takes a new operation from a replica whose term is over,
// and it forgets keys after a time that it documents (often 24 hours). So write the operation down
// first, in a fenced transaction, and send what is written down. That is an outbox:
// internal/docs/guide/database.md shows one with sqlfence. Send the same parameters each time, or
// the receiver may refuse.
//
// An invalid token is an error, as in [Token.Validate]. If operation is empty, the error wraps
// [ErrMalformed]. Every version of this library makes the same key from the same arguments.
func (t Token) Key(operation string) (string, error) {
	if err := t.Validate(); err != nil {
		return "", err
	}
	if operation == "" {
		return "", fmt.Errorf("%w: operation is empty, must name one effect", ErrMalformed)
	}
	digest := sha256.Sum256([]byte("hotseat key\n" + t.Scope + "\n" + operation))
	return hex.EncodeToString(digest[:16]), nil
}
