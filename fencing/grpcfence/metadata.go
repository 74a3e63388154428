package grpcfence

import (
	"context"
	"fmt"

	"google.golang.org/grpc/metadata"

	"github.com/hotseat-go/hotseat/fencing"
)

// MetadataKey of the token in a call's metadata.
const MetadataKey = "fencing-token"

// trailerMark has the token that ended a stream while its handler waited for the client.
const trailerMark = "fencing-high-water"

// FromIncoming returns the token of a call that a server serves: [fencing.ErrMissing] if it has none,
// [fencing.ErrMalformed] if its metadata is not one valid token, sent once.
func FromIncoming(ctx context.Context) (fencing.Token, error) {
	switch values := metadata.ValueFromIncomingContext(ctx, MetadataKey); len(values) {
	case 0:
		return fencing.Token{}, fencing.ErrMissing
	case 1:
		return fencing.ParseToken(values[0])
	default:
		return fencing.Token{}, fmt.Errorf("%w: %d values of %s, must be one", fencing.ErrMalformed, len(values), MetadataKey)
	}
}

// stamp returns ctx for a call under t.
func stamp(ctx context.Context, t fencing.Token) (context.Context, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	if sent, _ := metadata.FromOutgoingContext(ctx); len(sent.Get(MetadataKey)) > 0 {
		return nil, fmt.Errorf("%w: the call has a %s already", fencing.ErrMalformed, MetadataKey)
	}
	return metadata.AppendToOutgoingContext(ctx, MetadataKey, t.String()), nil
}
