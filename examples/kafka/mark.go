package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hotseat-go/hotseat/fencing"
)

// The mark topic has two records after compaction.
const (
	markKey  = "mark"  // the mark
	claimKey = "claim" // who initialized last; it means nothing, but that the log is read up to there
)

// How far to read: up to what was written, decided or not, when the call began, or only to what is decided.
const (
	toEnd    = -1
	toStable = -2
)

// glance returns the mark as far as it can be had at once.
func (w *Writer) glance(ctx context.Context) (fencing.Token, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return w.readMark(ctx, toStable)
}

// readMark reads the mark topic, committed records only, up to the offset until. What lies below it and is
// not decided yet is waited for: Kafka answers a commit before it is visible.
func (w *Writer) readMark(ctx context.Context, until int64) (fencing.Token, error) {
	client, err := kgo.NewClient(append(slices.Clone(w.cfg.Options),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{w.cfg.MarkTopic: {0: kgo.NewOffset().AtStart()}}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // the last record is a commit or an abort
	)...)
	if err != nil {
		return fencing.Token{}, err
	}
	defer client.Close()
	start, end, err := bounds(ctx, client, w.cfg.MarkTopic, until == toStable)
	if err != nil {
		return fencing.Token{}, err
	}
	if until < 0 {
		until = end
	}
	var mark []byte
	found := false
	for next := start; next < until; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fencing.Token{}, err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			next = r.Offset + 1
			if !r.Attrs.IsControl() && string(r.Key) == markKey {
				mark, found = r.Value, true
			}
		})
	}
	switch {
	case found:
		return w.parse(mark)
	case start > 0: // compaction keeps the last record of each key, and the start where it was
		return fencing.Token{}, fmt.Errorf("topic %s lost its beginning, and the mark with it: its cleanup.policy must be compact", w.cfg.MarkTopic)
	}
	return fencing.Token{}, nil
}

// parse reads the mark. The errors of package fencing are not wrapped: they are about a caller's token.
func (w *Writer) parse(text []byte) (fencing.Token, error) {
	t, err := fencing.ParseToken(string(text))
	if err != nil {
		return fencing.Token{}, fmt.Errorf("the mark: %v", err) //nolint:errorlint // see above
	}
	if t.Scope != w.cfg.Scope {
		return fencing.Token{}, fmt.Errorf("the mark is of %q, want %q", t.Scope, w.cfg.Scope)
	}
	return t, nil
}

// bounds returns the first offset that a topic's only partition has, and the one after the last, or after the last below
// all that is undecided.
func bounds(ctx context.Context, client *kgo.Client, topic string, stable bool) (start, end int64, err error) {
	admin := kadm.NewClient(client)
	starts, err := admin.ListStartOffsets(ctx, topic)
	if err != nil {
		return 0, 0, err
	}
	list := admin.ListEndOffsets
	if stable {
		list = admin.ListCommittedOffsets
	}
	ends, err := list(ctx, topic)
	if err != nil {
		return 0, 0, err
	}
	if err := errors.Join(starts.Error(), ends.Error()); err != nil {
		return 0, 0, err
	}
	if len(starts[topic]) != 1 || len(ends[topic]) != 1 {
		return 0, 0, fmt.Errorf("topic %s has %d partitions, must have one", topic, len(ends[topic]))
	}
	return starts[topic][0].Offset, ends[topic][0].Offset, nil
}
