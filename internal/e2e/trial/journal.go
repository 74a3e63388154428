//go:build unix

package trial

import (
	"context"
	"fmt"
	"sync"
)

// Journal is every event of a trial in order of arrival. It is safe for
// concurrent use.
type Journal struct {
	mu      sync.Mutex
	events  []Event // only ever appended to
	changed chan struct{}
}

// NewJournal returns an empty one.
func NewJournal() *Journal { return &Journal{changed: make(chan struct{})} }

// Add appends e, stamped now unless it has its time.
func (j *Journal) Add(e Event) {
	if e.At == 0 {
		e.At = Now()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, e)
	close(j.changed)
	j.changed = make(chan struct{})
}

// Since returns the events from index i on, and what is closed at the next.
func (j *Journal) Since(i int) ([]Event, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.events[i:len(j.events):len(j.events)], j.changed
}

// Len is the index that the next event will have.
func (j *Journal) Len() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.events)
}

// Wait returns the first event from index i on that matches. what names it in
// the error.
func (j *Journal) Wait(ctx context.Context, i int, what string, match func(Event) bool) (Event, error) {
	for {
		events, changed := j.Since(i)
		for _, e := range events {
			if match(e) {
				return e, nil
			}
		}
		i += len(events)
		select {
		case <-changed:
		case <-ctx.Done():
			return Event{}, fmt.Errorf("trial: waiting for %s: %w", what, context.Cause(ctx))
		}
	}
}
