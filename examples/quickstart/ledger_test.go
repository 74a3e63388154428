package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/fencing"
)

// served is a ledger behind HTTP with a client of it.
type served struct {
	*ledger
	client *ledgerClient
	path   string
}

func serveLedger(t *testing.T) served {
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, file.Close()) })
	l, err := newLedger(fencing.Scope("ns", "lease"), file)
	require.NoError(t, err)
	server := httptest.NewServer(l)
	t.Cleanup(server.Close)
	return served{ledger: l, client: &ledgerClient{url: server.URL, http: server.Client()}, path: path}
}

func (s served) entries(t *testing.T) []entry {
	entries, err := readLedgerFile(s.path)
	require.NoError(t, err)
	return entries
}

func TestLedgerKeepsWhatTheCurrentTermWrites(t *testing.T) {
	s := serveLedger(t)
	first, second := tokenOf(1), tokenOf(2)
	require.NoError(t, s.client.Announce(t.Context(), first))
	require.NoError(t, s.client.append(t.Context(), first, record{"a", 10, 1}))
	require.NoError(t, s.client.append(t.Context(), first, record{"a", 10, 2}))
	require.NoError(t, s.client.Announce(t.Context(), second))

	mark, err := s.client.Mark(t.Context(), fencing.Scope("ns", "lease"))
	require.NoError(t, err)
	require.Equal(t, second, mark)
	var got []entry
	for _, e := range s.entries(t) {
		require.NotZero(t, e.At)
		e.At = 0
		got = append(got, e)
	}
	require.Equal(t, []entry{
		{Kind: entryAnnounced, Token: first},
		{Kind: entryRecord, Token: first, record: record{"a", 10, 1}},
		{Kind: entryRecord, Token: first, record: record{"a", 10, 2}},
		{Kind: entryAnnounced, Token: second},
	}, got)
}

func TestLedgerHasNoMarkBeforeItsFirstToken(t *testing.T) {
	mark, err := serveLedger(t).client.Mark(t.Context(), fencing.Scope("ns", "lease"))
	require.NoError(t, err)
	require.True(t, mark.IsZero())
}

func TestLedgerRefusals(t *testing.T) {
	mark := tokenOf(5)
	conflict := mark
	conflict.Term = strings.Repeat("f", 32)
	elsewhere := tokenOf(9)
	elsewhere.Scope = fencing.Scope("ns", "other")
	tests := []struct {
		name   string
		tokens []string
		body   string
		status int
		mark   string
	}{
		{"stale", []string{tokenOf(4).String()}, "{}", http.StatusPreconditionFailed, mark.String()},
		{"conflict", []string{conflict.String()}, "{}", http.StatusConflict, mark.String()},
		{"missing", nil, "{}", http.StatusPreconditionRequired, ""},
		{"malformed", []string{"ns/lease@05.x"}, "{}", http.StatusBadRequest, ""},
		{"two tokens", []string{mark.String(), mark.String()}, "{}", http.StatusBadRequest, ""},
		{"another scope", []string{elsewhere.String()}, "{}", http.StatusBadRequest, ""},
		{"no record", []string{mark.String()}, "invoice", http.StatusBadRequest, ""},
		{"a record beyond 4 KiB", []string{mark.String()}, `{"replica":"` + strings.Repeat("a", 5<<10) + `"}`, http.StatusBadRequest, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serveLedger(t)
			require.NoError(t, s.client.Announce(t.Context(), mark))
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.client.url+"/records", strings.NewReader(tt.body))
			require.NoError(t, err)
			request.Header[tokenHeader] = tt.tokens
			response, err := s.client.http.Do(request)
			require.NoError(t, err)
			defer response.Body.Close()
			require.Equal(t, tt.status, response.StatusCode)
			require.Equal(t, tt.mark, response.Header.Get(tokenHeader))
			require.Len(t, s.entries(t), 1, "nothing but the announcement")
		})
	}
}

func TestLedgerClientReturnsTheGuardsErrors(t *testing.T) {
	s := serveLedger(t)
	mark := tokenOf(5)
	conflict := mark
	conflict.Term = strings.Repeat("f", 32)
	require.NoError(t, s.client.Announce(t.Context(), mark))

	var stale *fencing.StaleError
	require.ErrorAs(t, s.client.append(t.Context(), tokenOf(4), record{}), &stale)
	require.Equal(t, fencing.StaleError{Presented: tokenOf(4), Mark: mark}, *stale)
	require.ErrorAs(t, s.client.Announce(t.Context(), tokenOf(4)), &stale)
	var other *fencing.ConflictError
	require.ErrorAs(t, s.client.Announce(t.Context(), conflict), &other)
	require.Equal(t, fencing.ConflictError{Presented: conflict, Mark: mark}, *other)
	require.ErrorIs(t, s.client.Announce(t.Context(), fencing.Token{}), fencing.ErrMissing)
	require.ErrorIs(t, s.client.Announce(t.Context(), fencing.Token{Scope: fencing.Scope("ns", "lease")}), fencing.ErrMalformed)
	_, err := s.client.Mark(t.Context(), "")
	require.ErrorIs(t, err, fencing.ErrMalformed)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.client.Announce(ctx, mark), fencing.ErrUnavailable)
	unwell := httptest.NewServer(http.NotFoundHandler())
	defer unwell.Close()
	require.ErrorIs(t, (&ledgerClient{url: unwell.URL, http: unwell.Client()}).Announce(t.Context(), mark), fencing.ErrUnavailable)
}

func TestLedgerThatCannotWriteAdmitsNothing(t *testing.T) {
	s := serveLedger(t)
	readOnly, err := os.Open(s.path)
	require.NoError(t, err)
	defer func() { require.NoError(t, readOnly.Close()) }()
	s.ledger.file = readOnly
	require.ErrorIs(t, s.client.append(t.Context(), tokenOf(1), record{}), fencing.ErrUnavailable)
	require.Empty(t, s.entries(t))
}

// A newer token waits for the write of an older one that is in flight, and the
// older one, woken after it was told to end, leaves nothing.
func TestLedgerAdmitsANewerTokenAfterTheWriteInFlight(t *testing.T) {
	s := serveLedger(t)
	require.NoError(t, s.client.Announce(t.Context(), tokenOf(1)))
	parked, leave, err := s.guard.Enter(t.Context(), tokenOf(1)) // a handler between check and append
	require.NoError(t, err)
	announced := make(chan error, 1)
	go func() { announced <- s.client.Announce(context.WithoutCancel(t.Context()), tokenOf(2)) }()
	<-parked.Done()
	require.ErrorIs(t, context.Cause(parked), fencing.ErrStale)
	select {
	case err := <-announced:
		t.Fatalf("token 2 was admitted beside a write of token 1: %v", err)
	case <-time.After(50 * time.Millisecond): // it is a real server: nothing tells that it waits
	}
	leave()
	require.NoError(t, <-announced)
}

// Many terms write at once, as after thaws: whatever gets in is in order.
func TestLedgerFileFollowsTheTokens(t *testing.T) {
	s := serveLedger(t)
	const terms, records = 8, 20
	var writers sync.WaitGroup
	for epoch := int64(1); epoch <= terms; epoch++ {
		writers.Go(func() {
			for n := range records {
				err := s.client.append(t.Context(), tokenOf(epoch), record{"a", int(epoch), n})
				if err != nil && !errors.Is(err, fencing.ErrStale) {
					t.Errorf("append: %v", err)
				}
			}
		})
	}
	writers.Wait()
	var mark int64
	entries := s.entries(t)
	for _, e := range entries {
		require.GreaterOrEqual(t, e.Token.Epoch, mark)
		mark = e.Token.Epoch
	}
	require.Equal(t, int64(terms), mark)
	require.GreaterOrEqual(t, len(entries), records, "the last term is never refused")
}

func TestReadLedgerNamesTheBadLine(t *testing.T) {
	_, err := readLedger(strings.NewReader(`{"kind":"record","token":"ns/lease@1.` + strings.Repeat("0", 32) + `"}` + "\n{broken\n"))
	require.ErrorContains(t, err, "ledger line 2")
}
