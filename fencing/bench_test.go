package fencing_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/hotseat-go/hotseat/fencing"
)

func BenchmarkFromContext(b *testing.B) {
	near := fencing.NewSourceContext(b.Context(), &liveTerm{now: token(42)})
	type k1 struct{}
	type k2 struct{}
	far := context.WithValue(context.WithValue(near, k1{}, 1), k2{}, 2)
	for name, ctx := range map[string]context.Context{"near": near, "behind two values": far} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := fencing.FromContext(ctx); !ok {
					b.Fatal("no token")
				}
			}
		})
	}
}

func BenchmarkParseToken(b *testing.B) {
	b.ReportAllocs()
	text := token(42).String()
	for b.Loop() {
		if _, err := fencing.ParseToken(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMemoryCheck(b *testing.B) {
	m := newMemory(b, 0)
	b.Run("current", func(b *testing.B) {
		b.ReportAllocs()
		ctx, tok := b.Context(), token(42)
		for b.Loop() {
			if err := m.Check(ctx, tok); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, n := range []int{1, 4, 16} {
		b.Run(fmt.Sprintf("current, goroutines=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(max(1, n/runtime.GOMAXPROCS(0)))
			b.RunParallel(func(pb *testing.PB) {
				ctx, tok := b.Context(), token(42)
				for pb.Next() {
					if err := m.Check(ctx, tok); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
	b.Run("stale", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := m.Check(b.Context(), token(41)); err == nil {
				b.Fatal("admitted")
			}
		}
	})
}

func BenchmarkMemoryEnterLeave(b *testing.B) {
	m := newMemory(b, 0)
	b.ReportAllocs()
	for b.Loop() {
		_, leave, err := m.Enter(b.Context(), token(42))
		if err != nil {
			b.Fatal(err)
		}
		leave()
	}
}

// BenchmarkMemoryAdvance raises the mark each time, with one piece of older work to end and wait for.
func BenchmarkMemoryAdvance(b *testing.B) {
	m := newMemory(b, 0)
	b.ReportAllocs()
	for epoch := int64(1); b.Loop(); epoch++ {
		ctx, leave, err := m.Enter(b.Context(), token(epoch))
		if err != nil {
			b.Fatal(err)
		}
		context.AfterFunc(ctx, leave)
	}
}
