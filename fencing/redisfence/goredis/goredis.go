// Package goredis lets a redisfence.Guard write through go-redis.
package goredis

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/redisfence"
)

// Client is the part of a *redis.Client, *redis.ClusterClient or *redis.Ring that is needed.
type Client interface {
	Process(ctx context.Context, cmd redis.Cmder) error
}

// Eval returns an Evaler that runs scripts through client: by their hash, or by their text if the
// server does not know the hash yet. It sends each script once, whatever MaxRetries says. A script
// whose answer was lost must not run again, possibly after another write.
func Eval(client Client) redisfence.Evaler { return eval{client} }

type eval struct{ client Client }

func (e eval) Eval(ctx context.Context, script string, keys, args []string) (any, error) {
	hash := sha1.Sum([]byte(script)) // the server's name for it
	result, err := e.run(ctx, "evalsha", hex.EncodeToString(hash[:]), keys, args)
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		return e.run(ctx, "eval", script, keys, args)
	}
	return result, err
}

func (e eval) run(ctx context.Context, command, script string, keys, args []string) (any, error) {
	words := append(make([]any, 0, 3+len(keys)+len(args)), command, script, len(keys))
	for _, s := range slices.Concat(keys, args) {
		words = append(words, s)
	}
	cmd := once{redis.NewCmd(ctx, words...)}
	err := e.client.Process(ctx, cmd)
	for _, unsent := range []error{redis.ErrPoolTimeout, redis.ErrPoolExhausted, redis.ErrClosed} {
		if errors.Is(err, unsent) {
			return nil, fmt.Errorf("%w: %w", fencing.ErrUnavailable, err)
		}
	}
	if err != nil {
		return nil, err
	}
	return cmd.Result()
}

// once is a command that go-redis does not send again.
type once struct{ *redis.Cmd }

// NoRetry tells go-redis not to send the command again.
func (once) NoRetry() bool { return true }
