package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/hotseat-go/hotseat/fencing"
)

// ledgerClient is a replica's way to the ledger: a guard for the elector, and
// append for the work. It is safe for concurrent use.
type ledgerClient struct {
	url  string
	http *http.Client
}

var _ fencing.Guard = (*ledgerClient)(nil)

// Announce implements fencing.Guard.
func (c *ledgerClient) Announce(ctx context.Context, t fencing.Token) error {
	_, err := c.send(ctx, http.MethodPost, "/announcements", t, nil)
	return err
}

// Mark implements fencing.Guard.
func (c *ledgerClient) Mark(ctx context.Context, scope string) (fencing.Token, error) {
	return c.send(ctx, http.MethodGet, "/mark?scope="+url.QueryEscape(scope), fencing.Token{}, nil)
}

// append writes one record in the name of t's term. A nil error means that the
// ledger has it; fencing.ErrUnavailable, that it may have it.
func (c *ledgerClient) append(ctx context.Context, t fencing.Token, r record) error {
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = c.send(ctx, http.MethodPost, "/records", t, body)
	return err
}

// send returns the mark that the answer carries.
func (c *ledgerClient) send(ctx context.Context, method, path string, t fencing.Token, body []byte) (fencing.Token, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(body))
	if err != nil {
		return fencing.Token{}, err
	}
	if !t.IsZero() {
		request.Header.Set(tokenHeader, t.String())
	}
	response, err := c.http.Do(request)
	if err != nil {
		return fencing.Token{}, fmt.Errorf("%w: %w", fencing.ErrUnavailable, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	if err != nil {
		return fencing.Token{}, fmt.Errorf("%w: %w", fencing.ErrUnavailable, err)
	}
	return answer(t, response, strings.TrimSpace(string(text)))
}

// answer turns a status back into the guard's error.
func answer(t fencing.Token, r *http.Response, text string) (fencing.Token, error) {
	var mark fencing.Token
	if header := r.Header.Get(tokenHeader); header != "" {
		var err error
		if mark, err = fencing.ParseToken(header); err != nil {
			return fencing.Token{}, fmt.Errorf("%w: the mark in the answer: %w", fencing.ErrUnavailable, err)
		}
	}
	var err error
	switch r.StatusCode {
	case http.StatusOK, http.StatusCreated, http.StatusNoContent:
		return mark, nil
	case http.StatusPreconditionFailed:
		err = &fencing.StaleError{Presented: t, Mark: mark}
	case http.StatusConflict:
		err = &fencing.ConflictError{Presented: t, Mark: mark}
	case http.StatusPreconditionRequired:
		err = fencing.ErrMissing
	case http.StatusBadRequest:
		err = errors.Join(fencing.ErrMalformed, errors.New(text))
	default:
		err = fmt.Errorf("%w: %s: %s", fencing.ErrUnavailable, r.Status, text)
	}
	return fencing.Token{}, err
}
