//go:build unix

package trial

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/hotseat-go/hotseat/fencing"
)

// ledgerClient is a replica's way to the ledger: a fence for the elector, and
// write for the work. It is safe for concurrent use.
type ledgerClient struct {
	url  string
	http *http.Client
}

var _ fencing.Guard = (*ledgerClient)(nil)

// Advance implements fencing.Guard.
func (c *ledgerClient) Advance(ctx context.Context, t fencing.Token) error {
	return c.post(ctx, "/announcements", t, Record{})
}

// Check implements fencing.Guard. Like fencing.Memory's, it is Advance.
func (c *ledgerClient) Check(ctx context.Context, t fencing.Token) error { return c.Advance(ctx, t) }

// HighWater implements fencing.Guard; the ledger does not tell.
func (c *ledgerClient) HighWater(context.Context, string) (fencing.Token, error) {
	return fencing.Token{}, fmt.Errorf("%w: the ledger tells its mark to those it refuses", fencing.ErrUnavailable)
}

// write writes one record in the name of t's term. A nil error means that the
// ledger has it; fencing.ErrUnavailable, that it may have it.
func (c *ledgerClient) write(ctx context.Context, t fencing.Token, r Record) error {
	return c.post(ctx, "/records", t, r)
}

func (c *ledgerClient) post(ctx context.Context, path string, t fencing.Token, r Record) error {
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set(tokenHeader, t.String())
	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("%w: %w", fencing.ErrUnavailable, err)
	}
	defer response.Body.Close()
	var mark fencing.Token
	if text := response.Header.Get(tokenHeader); text != "" {
		if mark, err = fencing.ParseToken(text); err != nil {
			return fmt.Errorf("%w: the mark in the answer: %w", fencing.ErrUnavailable, err)
		}
	}
	switch response.StatusCode {
	case http.StatusNoContent:
		return nil
	case http.StatusPreconditionFailed:
		return &fencing.StaleError{Presented: t, HighWater: mark}
	case http.StatusConflict:
		return &fencing.ConflictError{Presented: t, HighWater: mark}
	case http.StatusBadRequest:
		return fencing.ErrMalformed
	default:
		return fmt.Errorf("%w: %s", fencing.ErrUnavailable, response.Status)
	}
}
