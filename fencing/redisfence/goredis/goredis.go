// Package goredis lets a redisfence.Fence write through go-redis.
package goredis

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/hotseat-go/hotseat/fencing/redisfence"
)

// Eval returns an Evaler that runs scripts through client: by their hash, and by their text where the server does not know that yet.
//
// It fails if client sends commands again whose answers it missed, as go-redis does by default. A script would then run twice, possibly
// with another write between. Set MaxRetries to -1 in the client's options.
func Eval(client redis.UniversalClient) (redisfence.Evaler, error) {
	retries := 0
	switch c := client.(type) {
	case *redis.Client:
		retries = c.Options().MaxRetries
	case *redis.ClusterClient:
		retries = c.Options().MaxRetries // -1 unless set; redirections are followed, those ran nothing
	case *redis.Ring:
		retries = c.Options().MaxRetries
	default:
		return nil, fmt.Errorf("goredis: a %T cannot be asked for its MaxRetries", client)
	}
	if retries > 0 {
		return nil, fmt.Errorf("goredis: MaxRetries is %d, must be -1: a script whose answer is lost must not run twice", retries)
	}
	return eval{client}, nil
}

type eval struct{ client redis.Scripter }

func (e eval) Eval(ctx context.Context, script string, keys, args []string) (any, error) {
	arguments := make([]any, len(args))
	for i, a := range args {
		arguments[i] = a
	}
	return redis.NewScript(script).Run(ctx, e.client, keys, arguments...).Result()
}
