package grpcfence_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/hotseat-go/hotseat/fencing/grpcfence"
)

// BenchmarkUnary plays each call bare and fenced in turns, so that noise hits both, and reports the nanoseconds of both and
// their ratio: of a handler that does nothing behind the server's interceptor (there the nanoseconds tell, not the ratio);
// and of whole calls on loopback, with the interceptors of both ends.
func BenchmarkUnary(b *testing.B) {
	b.Run("handler", func(b *testing.B) {
		guarded, err := grpcfence.NewServer(grpcfence.ServerConfig{Guard: newMemory(b, time.Second), Scope: scope})
		require.NoError(b, err)
		ctx := metadata.NewIncomingContext(b.Context(), metadata.Pairs(grpcfence.MetadataKey, token(42).String()))
		info := &grpc.UnaryServerInfo{FullMethod: methodWrite}
		request := wrapperspb.String("x")
		handler := func(context.Context, any) (any, error) { return request, nil }
		inTurns(b, 100, func() error {
			_, err := handler(ctx, request)
			return err
		}, func() error {
			_, err := guarded.UnaryServer(ctx, request, info, handler)
			return err
		})
	})
	b.Run("loopback", func(b *testing.B) {
		plain := (&register{}).serve(b, grpc.EmptyServerOption{})
		fenced := (&register{}).serve(b)
		on, off := dial(b, fenced.addr), bare(b, plain.addr)
		ctx := under(b, token(42))
		inTurns(b, 1, func() error { return write(ctx, off, "x") }, func() error { return write(ctx, on, "x") })
	})
}

func inTurns(b *testing.B, batch int, bare, fenced func() error) {
	var spent [2]time.Duration
	for b.Loop() {
		for i, f := range []func() error{bare, fenced} {
			since := time.Now()
			for range batch {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
			spent[i] += time.Since(since)
		}
	}
	n := float64(b.N * batch)
	b.ReportMetric(float64(spent[0])/n, "bare-ns")
	b.ReportMetric(float64(spent[1])/n, "fenced-ns")
	b.ReportMetric(float64(spent[1])/float64(spent[0]), "x")
	b.ReportMetric(0, "ns/op") // of both together, which says nothing
}
