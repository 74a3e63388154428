package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/httpfence"
	"github.com/hotseat-go/hotseat/singleton"
)

// counter is the service: it counts in the store, one after the other, and at most one replica at a time does.
type counter struct {
	url    string       // of its value
	client *http.Client // sends writes under the term's token
	reader *http.Client // reads without one
	pace   time.Duration
	log    func(format string, args ...any)
}

// runCounter is a candidate until ctx ends. In a cluster the client is singleton.DefaultClient's.
func runCounter(ctx context.Context, client *singleton.Client, cfg singleton.Config, store string, pace time.Duration, log func(string, ...any)) error {
	remote, err := httpfence.NewRemote(store+"/guard", nil)
	if err != nil {
		return err
	}
	fenced, err := httpfence.NewTransport(httpfence.TransportConfig{Server: store})
	if err != nil {
		return err
	}
	c := &counter{
		url: store + "/values/counter", pace: pace, log: log,
		client: &http.Client{Transport: fenced}, reader: &http.Client{},
	}
	cfg.Guards = []fencing.Guard{remote} // the store knows each term before its work starts
	elector, err := singleton.New(client, cfg)
	if err != nil {
		return err
	}
	return elector.Run(ctx, c.work)
}

// work counts on from where the last term stopped. It may read that safely: the store has admitted this term, so no
// older write is on its way into it.
func (c *counter) work(ctx context.Context, term *singleton.Term) error {
	c.log("active, %v", term.Token())
	defer func() { c.log("no longer active: %v", context.Cause(ctx)) }()
	for ctx.Err() == nil {
		n, err := c.read(ctx)
		time.Sleep(c.pace) // what a service does
		if err != nil {
			continue
		}
		err = c.write(ctx, n+1)
		var stale *fencing.StaleError
		switch {
		case err == nil, errors.Is(err, fencing.ErrUnavailable): // the latter was not taken
		case errors.As(err, &stale):
			c.log("REFUSED: %v", stale)
		default: // It may land late, and then over what this term writes next. No later term has that problem.
			c.log("gives up, not knowing about %d: %v", n+1, err)
			term.Resign()
		}
	}
	return nil
}

// write sends a number. A process that is frozen before it writes when it thaws, whatever has happened since;
// WithoutCancel makes that sure, for the story: it stands for all that cannot be called back any more.
func (c *counter) write(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 400*time.Millisecond) // half of the stop budget
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, c.url, strings.NewReader(strconv.Itoa(n)))
	if err != nil {
		return err
	}
	_, err = do(c.client, r)
	return err
}

// read returns the number in the store, 0 if there is none.
func (c *counter) read(ctx context.Context) (int, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, http.NoBody)
	if err != nil {
		return 0, err
	}
	text, err := do(c.reader, r)
	if err != nil || text == "" {
		return 0, err
	}
	return strconv.Atoi(text)
}

// do returns the text of an answer, "" if there is nothing there.
func do(client *http.Client, r *http.Request) (string, error) {
	answer, err := client.Do(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	switch {
	case err != nil:
		return "", err
	case answer.StatusCode == http.StatusNotFound:
		return "", nil
	case answer.StatusCode >= http.StatusMultipleChoices:
		return "", fmt.Errorf("%s: %s", answer.Status, text)
	}
	return string(text), nil
}
