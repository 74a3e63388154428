package main

import (
	"context"
	"fmt"
	"sync"
)

// journal is every event of the story in order of arrival, for all who report
// and all who read.
type journal struct {
	mu      sync.Mutex
	events  []event // only ever appended to
	changed chan struct{}
}

func newJournal() *journal { return &journal{changed: make(chan struct{})} }

// add appends e, stamped now unless it has its time.
func (j *journal) add(e event) {
	if e.At == 0 {
		e.At = now()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, e)
	close(j.changed)
	j.changed = make(chan struct{})
}

// since returns the events from index i on, and what is closed at the next.
func (j *journal) since(i int) ([]event, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.events[i:len(j.events):len(j.events)], j.changed
}

// next is the index that the next event will have.
func (j *journal) next() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.events)
}

// wait returns the first event from index i on that matches. what names it in
// the error.
func (j *journal) wait(ctx context.Context, i int, what string, match func(event) bool) (event, error) {
	for {
		events, changed := j.since(i)
		for _, e := range events {
			if match(e) {
				return e, nil
			}
		}
		i += len(events)
		select {
		case <-changed:
		case <-ctx.Done():
			return event{}, fmt.Errorf("waiting for %s: %w", what, context.Cause(ctx))
		}
	}
}
