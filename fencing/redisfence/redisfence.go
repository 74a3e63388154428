package redisfence

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/hotseat-go/hotseat/fencing"
)

// Evaler runs a Lua script on the primary that has the keys. Package goredis has an Evaler. The
// result is what the script returns: nil, int64, string (or []byte), or []any of these.
//
// If an Evaler gets no answer, it must not run the script again. The guard takes every error for an
// unknown outcome, except these two:
//   - An error that the server returned. It must have a method RedisError(), as the errors of
//     go-redis do.
//   - An error that means that nothing was sent. It must be [fencing.ErrUnavailable], or a
//     *[net.OpError] of a dial.
type Evaler interface {
	Eval(ctx context.Context, script string, keys, args []string) (any, error)
}

// ErrUnknown: no answer says whether the write happened. It may have happened. It may still happen,
// unless a later term writes or is announced first. Treat it neither as done nor as refused.
var ErrUnknown = errors.New("redisfence: unknown whether the write happened")

// Config of [New]. Both fields are required.
type Config struct {
	// Scope is [fencing.Scope] of the Lease. Tokens of other scopes are refused with
	// [fencing.ErrScope].
	Scope string

	// Key of the mark. It has the same hash tag as the keys behind the guard: "{invoicer}:mark" for
	// "{invoicer}:total".
	Key string
}

// Guard is a [fencing.Guard] in Redis, and writes the keys behind it. It is safe for concurrent use
// if the Evaler is.
//
// Its writes return
//   - the errors of fencing: after [fencing.ErrUnavailable] nothing was written;
//   - [ErrUnknown];
//   - an error of the server, wrapped: the mark is unchanged, and nothing was written, except what
//     a body of [Guard.Do] wrote before the command that failed. Scripts have no rollback.
//
// The script runs SET and PERSIST on the mark only after the write. If the Redis user has no right
// to one of these commands, the write happens, and then the error is returned. An announcement
// finds that out before any write.
type Guard struct {
	eval   Evaler
	config Config
	tag    string
	sound  atomic.Bool // the server was seen to keep what has no time to live
}

var _ fencing.Checker = (*Guard)(nil)

// New returns a guard. It sends nothing to the server. It fails if a field of c is not as
// documented.
func New(eval Evaler, c Config) (*Guard, error) {
	if err := fencing.ValidateScope(c.Scope); err != nil {
		return nil, fmt.Errorf("redisfence: Config.Scope: %w", err)
	}
	tag, ok := hashTag(c.Key)
	if !ok {
		return nil, fmt.Errorf("redisfence: Config.Key is %q, must have a hash tag:"+
			" one {...} that is not empty, shared by the keys behind the guard", c.Key)
	}
	return &Guard{eval: eval, config: c, tag: tag}, nil
}

// Announce raises the mark. Every script that runs later with an older token is refused, however
// long it was delayed.
//
// The error is [fencing.ErrWiring] if the user lacks a right, or if the client does not fit the
// server: for example, the server is a Redis Cluster, and the client does not support that. The
// first announcement also fails with [fencing.ErrWiring] if the server might evict the mark: see
// the package documentation.
func (g *Guard) Announce(ctx context.Context, t fencing.Token) error {
	if err := fencing.OwnToken(t, g.config.Scope); err != nil {
		return err
	}
	script := announce
	if g.sound.Load() {
		script = raise
	}
	_, err := g.run(ctx, script, t, nil, nil)
	if err != nil {
		return g.failClosed(err)
	}
	g.sound.Store(true)
	return nil
}

// Check does what [Guard.Announce] does, except for a zero token under [fencing.AllowUnfenced],
// which it admits. It passes a refusal on to the term ([fencing.Report]). Its result holds only for
// the instant of the call. Prefer to write through the guard's own methods, which check in the same
// script.
func (g *Guard) Check(ctx context.Context, t fencing.Token) error {
	if fencing.Unfenced(ctx, t) {
		return nil
	}
	if err := fencing.OwnToken(t, g.config.Scope); err != nil {
		return err
	}
	_, err := g.run(ctx, raise, t, nil, nil)
	return fencing.Report(ctx, g.failClosed(err))
}

// Mark reads the mark.
func (g *Guard) Mark(ctx context.Context, scope string) (fencing.Token, error) {
	if err := fencing.OwnScope(scope, g.config.Scope); err != nil {
		return fencing.Token{}, err
	}
	answer, err := g.eval.Eval(ctx, readMark, []string{g.config.Key}, nil)
	if err != nil {
		return fencing.Token{}, g.failClosed(err)
	}
	text, err := decode(answer)
	if err != nil || text == nil {
		return fencing.Token{}, g.failClosed(err)
	}
	return g.parse(text)
}

// Set sets a string, without a time to live.
func (g *Guard) Set(ctx context.Context, t fencing.Token, key, value string) error {
	_, err := g.Do(ctx, t, set, []string{key}, []string{value})
	return err
}

// HSet sets fields of a hash: field, value, field, value.
func (g *Guard) HSet(ctx context.Context, t fencing.Token, key string, fields ...string) error {
	if len(fields) == 0 || len(fields)%2 != 0 {
		return fmt.Errorf("redisfence: HSet of %q: %d strings are not pairs of field and value",
			key, len(fields))
	}
	_, err := g.Do(ctx, t, hset, []string{key}, fields)
	return err
}

// Del deletes keys and returns how many there were.
func (g *Guard) Del(ctx context.Context, t fencing.Token, keys ...string) (int64, error) {
	result, err := g.Do(ctx, t, del, keys, nil)
	n, _ := result.(int64)
	return n, err
}

// Do runs body if the guard admits t, and returns what body returns. body is the inside of a Lua
// function with the parameters KEYS and ARGV. Check, body and mark are one script: nothing happens
// between them. If body returns an error reply, as from redis.pcall, Do returns an error, and the
// mark is unchanged.
//
// body should be constant text, because the server keeps each body that it has seen. Put what
// varies into args. Each key must have the hash tag of the mark. Otherwise it could be on another
// server.
func (g *Guard) Do(
	ctx context.Context, t fencing.Token, body string, keys, args []string,
) (any, error) {
	if !fencing.Unfenced(ctx, t) {
		if err := fencing.OwnToken(t, g.config.Scope); err != nil {
			return nil, err
		}
	}
	for _, key := range keys {
		if tag, _ := hashTag(key); tag != g.tag || key == g.config.Key {
			return nil, fmt.Errorf("redisfence: key %q must have the hash tag {%s} of the mark,"+
				" and not be the mark", key, g.tag)
		}
	}
	result, err := g.run(ctx, fenced(body), t, keys, args)
	return result, fencing.Report(ctx, err)
}

// run runs a script with the token, and turns its refusals into errors.
func (g *Guard) run(
	ctx context.Context, script string, t fencing.Token, keys, args []string,
) (any, error) {
	head := []string{"", "", ""}
	if !t.IsZero() {
		head = []string{t.Scope + "@", strconv.FormatInt(t.Epoch, 10), t.Term}
	}
	keys = append([]string{g.config.Key}, keys...)
	answer, err := g.eval.Eval(ctx, script, keys, append(head, args...))
	var ofServer interface{ RedisError() }
	switch {
	case errors.As(err, &ofServer):
		return nil, fmt.Errorf("redisfence: %w", err)
	case err != nil && unsent(err):
		return nil, g.failClosed(err)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	result, err := decode(answer)
	var refused *refusal
	if !errors.As(err, &refused) {
		return result, err
	}
	mark, err := g.parse(refused.mark)
	switch {
	case refused.verdict == "evicts":
		return nil, fmt.Errorf("%w: redisfence: %q: the server may evict the mark:"+
			" maxmemory-policy is %q, must be noeviction or a volatile one",
			fencing.ErrWiring, g.config.Key, refused.mark)
	case err != nil:
		return nil, err
	case refused.verdict == "stale":
		return nil, fmt.Errorf("redisfence: %q: %w",
			g.config.Key, &fencing.StaleError{Presented: t, Mark: mark})
	case refused.verdict == "conflict":
		return nil, fmt.Errorf("redisfence: %q: %w",
			g.config.Key, &fencing.ConflictError{Presented: t, Mark: mark})
	default:
		return nil, fmt.Errorf("%w: the script found the mark %v damaged",
			fencing.ErrUnavailable, mark)
	}
}

// refusal is the answer of a script that did nothing.
type refusal struct {
	verdict string
	mark    any
}

func (r *refusal) Error() string { return fmt.Sprintf("%s: %v", r.verdict, r.mark) }

// decode reads a script's answer.
func decode(answer any) (result any, err error) {
	list, _ := answer.([]any)
	var verdict string
	if len(list) > 0 {
		verdict, _ = text(list[0])
	}
	if len(list) > 1 {
		result = list[1]
	}
	switch verdict {
	case "ok":
		return result, nil
	case "stale", "conflict", "damaged", "evicts":
		return nil, &refusal{verdict, result}
	}
	return nil, fmt.Errorf("%w: the answer %.80q is not one of the script's",
		ErrUnknown, fmt.Sprint(answer))
}

func text(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case []byte:
		return string(v), true
	}
	return "", false
}

// failClosed is [fencing.FailClosed]. It also knows which of the server's answers will not pass.
func (g *Guard) failClosed(err error) error {
	if fencing.KindOf(err) == fencing.KindOther && miswired(err) {
		return fmt.Errorf("%w: redisfence: %q: %w", fencing.ErrWiring, g.config.Key, err)
	}
	return fencing.FailClosed(err)
}

// unsent reports whether err says that nothing was sent.
func unsent(err error) bool {
	var op *net.OpError
	return errors.Is(err, fencing.ErrUnavailable) || errors.As(err, &op) && op.Op == "dial"
}

// miswired reports whether err is the server's, about a right, a password, or a client for another
// kind of server.
func miswired(err error) bool {
	var ofServer interface {
		error
		RedisError()
	}
	if !errors.As(err, &ofServer) {
		return false
	}
	for _, prefix := range []string{
		"NOPERM", "NOAUTH", "WRONGPASS", "MOVED", "CROSSSLOT", "ERR unknown command",
		"ERR This user has no permissions", "ERR The user executing the script",
	} {
		if strings.HasPrefix(ofServer.Error(), prefix) {
			return true
		}
	}
	return false
}
