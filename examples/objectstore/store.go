package objectstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/hotseat-go/hotseat/fencing"
)

// ErrUnknown: a write may have happened, or may happen until the manifest changes the next time. Read before you repeat it;
// after the next successful write or announcement it has happened or never will.
var ErrUnknown = errors.New("objectstore: outcome unknown")

// ErrNotFound: the manifest names no such object.
var ErrNotFound = errors.New("objectstore: no such object")

// Store is a set of named objects that only the current term can change. It is a [fencing.Guard] for one scope and safe
// for concurrent use.
type Store struct {
	client                *s3.Client
	bucket, prefix, scope string
}

var _ fencing.Guard = (*Store)(nil)

// New returns the store under prefix (such as "invoicer/") in bucket. Only tokens of scope, [fencing.Scope] of the Lease,
// are taken.
func New(client *s3.Client, bucket, prefix, scope string) (*Store, error) {
	if bucket == "" {
		return nil, errors.New("objectstore: bucket is empty")
	}
	if err := fencing.ValidateScope(scope); err != nil {
		return nil, err
	}
	return &Store{client: client, bucket: bucket, prefix: prefix, scope: scope}, nil
}

// Announce raises the mark to t. It is one read, and one put if t is new.
func (s *Store) Announce(ctx context.Context, t fencing.Token) error { return s.swap(ctx, t, nil) }

// Check is [Store.Announce]. Nothing has to follow it: [Store.Put] and [Store.Update] check by themselves.
func (s *Store) Check(ctx context.Context, t fencing.Token) error { return s.swap(ctx, t, nil) }

// Mark returns the mark. See [fencing.Guard].
func (s *Store) Mark(ctx context.Context, scope string) (fencing.Token, error) {
	if err := fencing.OwnScope(scope, s.scope); err != nil {
		return fencing.Token{}, err
	}
	m, _, err := s.read(ctx)
	return m.Token, err
}

// Upload writes body under a new key of t's term, where nothing finds it before [Store.Update] names it. It does not look at
// the mark: what a stale term uploads is never named. Every error means that there is nothing to name.
func (s *Store) Upload(ctx context.Context, t fencing.Token, body []byte) (key string, err error) {
	if err := fencing.OwnToken(t, s.scope); err != nil {
		return "", err
	}
	// The random part makes the key this call's own, so a repeated or late request only writes the same once more.
	key = fmt.Sprintf("%sdata/%019d-%s/%s", s.prefix, t.Epoch, t.Term, rand.Text())
	_, err = s.client.PutObject(ctx, &s3.PutObjectInput{Bucket: &s.bucket, Key: &key, Body: bytes.NewReader(body)})
	if err != nil {
		return "", fmt.Errorf("%w: uploading: %w", fencing.ErrUnavailable, err)
	}
	return key, nil
}

// Update changes which keys the names stand for, all at once, if t is admitted. Change gets the current map and alters it;
// it may be called again with a newer one, and its error ends the update. Unless the result is nil or [ErrUnknown], nothing
// was changed; errors are those of a [fencing.Guard].
func (s *Store) Update(ctx context.Context, t fencing.Token, change func(objects map[string]string) error) error {
	return s.swap(ctx, t, change)
}

// Put is [Store.Upload] and [Store.Update] of one object.
func (s *Store) Put(ctx context.Context, t fencing.Token, name string, body []byte) error {
	key, err := s.Upload(ctx, t, body)
	if err != nil {
		return err
	}
	return s.Update(ctx, t, func(objects map[string]string) error {
		objects[name] = key
		return nil
	})
}

// Get returns the object of that name as of some moment within the call, or [ErrNotFound].
func (s *Store) Get(ctx context.Context, name string) ([]byte, error) {
	m, _, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	key, ok := m.Objects[name]
	if !ok {
		return nil, fmt.Errorf("%w: %q", ErrNotFound, name)
	}
	data, _, err := s.fetch(ctx, key)
	return data, err
}
