package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hotseat-go/hotseat/fencing"
)

// Header is the record header that carries the token, in its text form.
const Header = "fencing-token"

// errUnsettled: a commit was sent, and whether it took effect is not known.
var errUnsettled = errors.New("commit not confirmed")

// errReplaced: the client took another producer epoch by itself. It may have done so as the stale one, over its successor.
var errReplaced = errors.New("producer epoch changed")

// workError is the error of the work in a transaction, which was aborted for it.
type workError struct{ error }

func (e *workError) Unwrap() error { return e.error }

// session is one stretch as Kafka's current producer of a scope. It begins with an init, and any failure ends it: what
// was read of the mark holds only for as long as nobody, this client included, has initialized anew.
type session struct {
	client *kgo.Client
	token  fencing.Token
	marks  string    // topic
	owned  *producer // as of the latest commit; nil before the first
}

// producer is what Kafka knows this client by.
type producer struct {
	id    int64
	epoch int16
}

// open makes a session, without a request.
func (w *Writer) open(t fencing.Token) (*session, error) {
	client, err := kgo.NewClient(append(slices.Clone(w.cfg.Options),
		kgo.TransactionalID(w.cfg.Scope), kgo.TransactionTimeout(w.cfg.Timeout), kgo.ProducerLinger(0))...)
	if err != nil {
		return nil, err
	}
	return &session{client: client, token: t, marks: w.cfg.MarkTopic}, nil
}

// Tx is a transaction being made.
type Tx struct {
	session  *session
	produced bool
	err      error // the first
}

// Produce adds copies of records, with the token in their headers, and waits until they are written. Readers see them after the
// commit. An error means that the transaction will not be committed, also if work returns nil. Not safe for concurrent use.
func (tx *Tx) Produce(ctx context.Context, records ...*kgo.Record) error {
	_, err := tx.produce(ctx, records)
	return err
}

func (tx *Tx) produce(ctx context.Context, records []*kgo.Record) (kgo.ProduceResults, error) {
	if tx.err != nil {
		return nil, tx.err
	}
	stamped := make([]*kgo.Record, len(records))
	for i, r := range records {
		// A record that was consumed and is passed on has the header already, with its own writer's token.
		headers := slices.DeleteFunc(slices.Clone(r.Headers), func(h kgo.RecordHeader) bool { return h.Key == Header })
		headers = append(headers, kgo.RecordHeader{Key: Header, Value: []byte(tx.session.token.String())})
		stamped[i] = &kgo.Record{Topic: r.Topic, Partition: r.Partition, Key: r.Key, Value: r.Value, Timestamp: r.Timestamp, Headers: headers}
	}
	results := tx.session.client.ProduceSync(ctx, stamped...)
	tx.err = results.FirstErr()
	tx.produced = tx.produced || len(records) > 0
	for _, r := range results {
		if tx.err == nil {
			tx.err = tx.session.known(ctx, r.Record.Topic, r.Record.Partition)
		}
	}
	return results, tx.err
}

// known waits until the client knows the partition that it has just written to. franz-go (1.22.3) sends the first records of a
// topic a moment before it stores the topic's partitions. In that moment an end of the transaction finds nothing that
// was written: it aborts, and answers as if it had committed. There is no event to wait for; the moment is mostly over.
func (s *session) known(ctx context.Context, topic string, partition int32) error {
	for {
		// The error is not asked: it may be that of a look at the topic before this one, when it was just being created.
		if leader, _, _ := s.client.PartitionLeader(topic, partition); leader >= 0 {
			return nil
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// transact commits what work produces, or, where that is nothing, a record that says nothing: for an empty transaction no
// broker would be asked. The error is a workError, wraps errUnsettled, or else means that nothing was committed.
func (s *session) transact(ctx context.Context, timeout time.Duration, work func(context.Context, *Tx) error) error {
	return s.commit(ctx, timeout, func(tx *Tx) error {
		if work != nil {
			if err := work(ctx, tx); err != nil && tx.err == nil {
				return &workError{err}
			}
		}
		if tx.err != nil || tx.produced {
			return tx.err
		}
		return tx.Produce(ctx, &kgo.Record{Topic: s.marks, Key: []byte(claimKey), Value: []byte(s.token.String())})
	})
}

// put commits one record on the mark topic and returns its offset.
func (s *session) put(ctx context.Context, timeout time.Duration, key string) (offset int64, err error) {
	err = s.commit(ctx, timeout, func(tx *Tx) error {
		results, err := tx.produce(ctx, []*kgo.Record{{Topic: s.marks, Key: []byte(key), Value: []byte(s.token.String())}})
		if err != nil {
			return err
		}
		if p := results[0].Record.Partition; p != 0 {
			return fmt.Errorf("topic %s has more than one partition: %d", s.marks, p)
		}
		offset = results[0].Record.Offset
		return nil
	})
	return offset, err
}

// commit makes one transaction of what fill produces.
func (s *session) commit(ctx context.Context, timeout time.Duration, fill func(*Tx) error) error {
	// The client takes no context for the init, nor does it give up a record that is on its way. Without the client nobody will commit it.
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		s.client.Close()
	})
	err := s.client.BeginTransaction() // the first one initializes
	if err == nil {
		err = fill(&Tx{session: s})
	}
	if err == nil {
		err = s.stillOwner(ctx)
	}
	if !stop() {
		<-closed
		return errors.Join(context.Cause(ctx), err)
	}
	// From here on the caller's context does not count: a commit that is cut off is one whose outcome nobody knows.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	if err != nil {
		if _, ok := errors.AsType[*workError](err); ok {
			_ = s.client.EndTransaction(ctx, kgo.TryAbort) // so that readers need not wait for the timeout
		}
		return err
	}
	if err := s.client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return fmt.Errorf("%w: %w", errUnsettled, err) // also when it was fenced: that may answer the repetition of a commit that went through
	}
	id, epoch, err := s.client.ProducerID(ctx) // brokers of 4.0 and later give out a new epoch with each commit
	if err != nil {
		id = -1 // is not what the next transaction finds
	}
	s.owned = &producer{id, epoch}
	return nil
}

// stillOwner fails when the client has initialized anew since the latest commit, which it does by itself after some errors.
func (s *session) stillOwner(ctx context.Context) error {
	id, epoch, err := s.client.ProducerID(ctx)
	if err == nil && s.owned != nil && *s.owned != (producer{id, epoch}) {
		err = errReplaced
	}
	return err
}

// fenced reports whether err is that of a producer that is not Kafka's current one, or that has lost its state: a new
// session is the remedy, if the mark allows it.
func fenced(err error) bool {
	for _, e := range []error{
		errReplaced, kerr.ProducerFenced, kerr.InvalidProducerEpoch, kerr.InvalidProducerIDMapping, kerr.UnknownProducerID,
		kerr.InvalidTxnState, kerr.TransactionAbortable, kerr.OutOfOrderSequenceNumber, kerr.ConcurrentTransactions, kerr.OperationNotAttempted,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
