package grpcfence

import (
	"context"
	"fmt"

	"google.golang.org/grpc/metadata"

	"github.com/hotseat-go/hotseat/fencing"
)

// MetadataKey is the key of the token in a call's metadata.
const MetadataKey = "fencing-token"

// trailerMark is the trailer with the token that ended a stream while its handler waited for the
// client.
const trailerMark = "fencing-high-water"

// FromIncoming returns the token of a call that a server serves. The error is [fencing.ErrMissing]
// if there is no token, and [fencing.ErrMalformed] unless the metadata has one valid token, sent
// once.
func FromIncoming(ctx context.Context) (fencing.Token, error) {
	switch values := metadata.ValueFromIncomingContext(ctx, MetadataKey); len(values) {
	case 0:
		return fencing.Token{}, fencing.ErrMissing
	case 1:
		return fencing.ParseToken(values[0])
	default:
		return fencing.Token{}, fmt.Errorf("%w: %d values of %s, must be one",
			fencing.ErrMalformed, len(values), MetadataKey)
	}
}

// stamp returns ctx for a call with t.
func stamp(ctx context.Context, t fencing.Token) (context.Context, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	if sent, _ := metadata.FromOutgoingContext(ctx); len(sent.Get(MetadataKey)) > 0 {
		return nil, fmt.Errorf("%w: the call already has a %s", fencing.ErrMalformed, MetadataKey)
	}
	return metadata.AppendToOutgoingContext(ctx, MetadataKey, t.String()), nil
}
