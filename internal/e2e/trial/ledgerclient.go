//go:build unix

package trial

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/hotseat-go/hotseat/fencing"
)

// ledgerClient is a replica's way to the ledger: a guard for the elector, and
// write for the work. It is safe for concurrent use.
type ledgerClient struct {
	url  string
	http *http.Client
}

var _ fencing.Guard = (*ledgerClient)(nil)

// Announce implements fencing.Guard.
func (c *ledgerClient) Announce(ctx context.Context, t fencing.Token) error {
	return c.post(ctx, "/announcements", t, Record{})
}

// Mark implements fencing.Guard.
func (c *ledgerClient) Mark(ctx context.Context, scope string) (fencing.Token, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+"/mark?scope="+url.QueryEscape(scope), nil)
	if err != nil {
		return fencing.Token{}, err
	}
	status, mark, err := c.ask(request)
	switch {
	case err != nil:
		return fencing.Token{}, err
	case status != http.StatusNoContent:
		return fencing.Token{}, refusal(status, fencing.Token{}, mark)
	}
	return mark, nil
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
	status, mark, err := c.ask(request)
	if err != nil {
		return err
	}
	return refusal(status, t, mark)
}

// ask returns the answer's status, and the token in it if there is one.
func (c *ledgerClient) ask(request *http.Request) (status int, mark fencing.Token, err error) {
	response, err := c.http.Do(request)
	if err != nil {
		return 0, mark, fmt.Errorf("%w: %w", fencing.ErrUnavailable, err)
	}
	defer response.Body.Close()
	if text := response.Header.Get(tokenHeader); text != "" {
		if mark, err = fencing.ParseToken(text); err != nil {
			return 0, mark, fmt.Errorf("%w: the mark in the answer: %w", fencing.ErrUnavailable, err)
		}
	}
	return response.StatusCode, mark, nil
}

// refusal is the error that a status stands for; nil if what t was for is done.
func refusal(status int, t, mark fencing.Token) error {
	switch status {
	case http.StatusNoContent:
		return nil
	case http.StatusPreconditionFailed:
		return &fencing.StaleError{Presented: t, Mark: mark}
	case http.StatusConflict:
		return &fencing.ConflictError{Presented: t, Mark: mark}
	case http.StatusBadRequest:
		return fencing.ErrMalformed
	default:
		return fmt.Errorf("%w: %s", fencing.ErrUnavailable, http.StatusText(status))
	}
}
