package objectstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	mathrand "math/rand/v2"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/hotseat-go/hotseat/fencing"
)

// attempts bounds how often a swap starts over. Writers are few: one term, and whoever announces the next.
const attempts = 16

// swap replaces the manifest by one with mark t, altered by change. Without a change it only sees to it that t is the mark.
func (s *Store) swap(ctx context.Context, t fencing.Token, change func(map[string]string) error) error {
	if err := fencing.OwnToken(t, s.scope); err != nil {
		return err
	}
	id := rand.Text()
	var last error     // why the latest attempt failed
	var pending error  // why a put of ours may have happened, or may yet
	var awaited string // the ETag it needs for that
	undecided := func(err error) error {
		if pending != nil && change != nil {
			return fmt.Errorf("%w: %w", ErrUnknown, errors.Join(pending, err))
		}
		return fmt.Errorf("%w: %w", fencing.ErrUnavailable, err)
	}
	for n := range attempts {
		if err := pause(ctx, n); err != nil {
			return undecided(errors.Join(last, err))
		}
		now, etag, err := s.read(ctx)
		switch {
		case err != nil:
			return undecided(err)
		case now.Write == id: // a put without an answer, or refused by its own first try
			return nil
		case pending != nil && etag != awaited && change != nil:
			return undecided(nil) // it happened and was replaced, or it never will: the manifest does not tell
		}
		raises, err := fencing.Judge(t, now.Token)
		switch {
		case err != nil:
			return err
		case !raises && change == nil:
			return nil
		}
		next := manifest{Token: t, Write: id, Objects: map[string]string{}}
		maps.Copy(next.Objects, now.Objects)
		if change != nil {
			if err := change(next.Objects); err != nil {
				if pending != nil {
					return undecided(err)
				}
				return err
			}
		}
		last = s.replace(ctx, next, etag)
		switch {
		case last == nil:
			return nil
		case status(last) == 0 || status(last) >= 500:
			pending, awaited = last, etag // tried again on the same ETag: at most one of the two takes effect
		case !lostRace(last):
			return undecided(last)
		}
	}
	return undecided(fmt.Errorf("%d attempts: %w", attempts, last))
}

// read returns the manifest and its ETag: the zero manifest and "" when there is none.
func (s *Store) read(ctx context.Context) (manifest, string, error) {
	data, etag, err := s.fetch(ctx, s.prefix+"manifest.json")
	if missing, ok := errors.AsType[*types.NoSuchKey](err); ok && missing != nil {
		return manifest{}, "", nil
	}
	if err != nil {
		return manifest{}, "", fmt.Errorf("%w: %w", fencing.ErrUnavailable, err)
	}
	m, err := decode(data, s.scope)
	if err == nil && etag == "" {
		err = errors.New("manifest without an ETag")
	}
	if err != nil {
		return manifest{}, "", fmt.Errorf("%w: %w", fencing.ErrUnavailable, err)
	}
	return m, etag, nil
}

// replace puts m if the manifest still has that ETag, or, when it is "", if there still is none. An error without an
// HTTP status below 500 does not mean that it did not.
func (s *Store) replace(ctx context.Context, m manifest, etag string) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	put := &s3.PutObjectInput{
		Bucket: &s.bucket, Key: aws.String(s.prefix + "manifest.json"),
		Body: bytes.NewReader(data), ContentType: aws.String("application/json"),
	}
	if etag == "" {
		put.IfNoneMatch = aws.String("*")
	} else {
		put.IfMatch = &etag
	}
	_, err = s.client.PutObject(ctx, put, func(o *s3.Options) { o.Retryer = aws.NopRetryer{} })
	return err
}

func (s *Store) fetch(ctx context.Context, key string) (data []byte, etag string, err error) {
	got, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: &key})
	if err != nil {
		return nil, "", err
	}
	defer got.Body.Close()
	data, err = io.ReadAll(got.Body)
	return data, aws.ToString(got.ETag), err
}

// status is the HTTP status of an answer, or 0 when there was none.
func status(err error) int {
	if answer, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		return answer.HTTPStatusCode()
	}
	return 0
}

// lostRace: another ETag (412), a put at the same time (409), or deleted since (404).
func lostRace(err error) bool {
	switch status(err) {
	case http.StatusPreconditionFailed, http.StatusConflict, http.StatusNotFound:
		return true
	}
	return false
}

// pause waits before attempt n: not at all for the first, and then up to half a second, so that two that met do not meet again.
func pause(ctx context.Context, n int) error {
	if n == 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(mathrand.N(min(time.Millisecond<<n, 500*time.Millisecond)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
