package objectstore_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/examples/objectstore"
	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/internal/guardtest"
)

// suite is the register behind the guard: the object named "value". Each client has a link of its own, which loses
// connections at those odds.
func suite(odds int) guardtest.Suite {
	return guardtest.Suite{
		New:    func(t testing.TB) guardtest.Subject { return &subject{server: newServer(t), odds: odds} },
		Damage: damage,
	}
}

type subject struct {
	server *httptest.Server
	odds   int
}

func (s *subject) Client(t testing.TB) guardtest.Client {
	link := guardtest.NewLink(t, s.server.Listener.Addr().String(), s.odds)
	store, err := objectstore.New(newClient(t, "http://"+link.Addr()), bucket, "invoicer/", guardtest.Scope)
	require.NoError(t, err)
	return register{store}
}

type register struct{ *objectstore.Store }

func (r register) Write(ctx context.Context, t fencing.Token, value string, between func()) error {
	key, err := r.Upload(ctx, t, []byte(value))
	if err != nil {
		return err
	}
	return r.Update(ctx, t, func(objects map[string]string) error {
		between()
		objects["value"] = key
		return nil
	})
}

func (r register) Read(ctx context.Context) (string, error) {
	data, err := r.Get(ctx, "value")
	if errors.Is(err, objectstore.ErrNotFound) {
		return "", nil
	}
	return string(data), err
}

const manifestKey = "invoicer/manifest.json"

// damage puts text in the place of the mark's epoch.
func damage(t testing.TB, s guardtest.Subject, text string) {
	c := newClient(t, s.(*subject).server.URL)
	got, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(manifestKey)})
	require.NoError(t, err)
	data, err := io.ReadAll(got.Body)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(data), "@")
	require.True(t, ok)
	_, after, ok := strings.Cut(rest, ".")
	require.True(t, ok)
	_, err = c.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(bucket), Key: aws.String(manifestKey), Body: bytes.NewReader([]byte(before + "@" + text + "." + after)),
	})
	require.NoError(t, err)
}

func TestGuard(t *testing.T) {
	t.Run("Conformance", suite(0).Conformance)
	t.Run("Linearizable", func(t *testing.T) {
		suite(12).Linearizable(t, guardtest.Load{Rounds: 8})
	})
	t.Run("Hammer", func(t *testing.T) { suite(0).Hammer(t, 4*time.Second) })
}
