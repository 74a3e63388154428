package redisfence_test

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/redisfence"
	"github.com/hotseat-go/hotseat/fencing/redisfence/goredis"
)

// A counter with an upper bound, in one step with the check of the token.
func Example() {
	client := redis.NewClient(&redis.Options{Addr: "redis:6379"})
	defer func() { _ = client.Close() }()
	ledger, err := redisfence.New(goredis.Eval(client), redisfence.Config{Scope: fencing.Scope("shop", "invoicer"), Key: "{invoicer}:mark"})
	if err != nil {
		panic(err)
	}
	work := func(ctx context.Context) error {
		token, _ := fencing.FromContext(ctx)
		const book = `
			local total = tonumber(redis.call('GET', KEYS[1]) or '0') + tonumber(ARGV[1])
			if total > 1000000 then return 'full' end
			redis.call('SET', KEYS[1], total)
			return 'booked'`
		result, err := ledger.Do(ctx, token, book, []string{"{invoicer}:total"}, []string{"42"})
		if err != nil {
			return err // errors.Is(err, fencing.ErrStale): another replica is active now
		}
		fmt.Println(result)
		return nil
	}
	_ = work // runs under an elector whose Config.Guards has the ledger
}
