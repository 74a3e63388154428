package kafka

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hotseat-go/hotseat/fencing"
)

// TokenOf returns the token that a record carries: [fencing.ErrMissing] when it has none, [fencing.ErrMalformed] when it
// has two, or one that is damaged.
func TokenOf(r *kgo.Record) (fencing.Token, error) {
	var text []byte
	found := 0
	for _, h := range r.Headers {
		if h.Key == Header {
			text = h.Value
			found++
		}
	}
	switch found {
	case 0:
		return fencing.Token{}, fencing.ErrMissing
	case 1:
		return fencing.ParseToken(string(text))
	}
	return fencing.Token{}, fmt.Errorf("%w: %d headers %s", fencing.ErrMalformed, found, Header)
}

// Order checks what a consumer reads: within a partition, committed records of a newer term never precede those of an
// older one. A record that breaks this was written past [Writer]. Partitions are checked apart, since between them there is no
// order. The zero value is ready to use, by one goroutine.
//
// It says nothing about what the consumer does with a record: it may be of a term that has ended since.
type Order struct {
	marks map[partition]fencing.Token
}

type partition struct {
	topic  string
	number int32
	scope  string
}

// Check returns nil if r may follow what was checked before, and otherwise an error of [TokenOf], [*fencing.StaleError] or
// [*fencing.ConflictError].
func (o *Order) Check(r *kgo.Record) error {
	t, err := TokenOf(r)
	if err != nil {
		return err
	}
	p := partition{r.Topic, r.Partition, t.Scope}
	if _, err := fencing.Judge(t, o.marks[p]); err != nil {
		return err
	}
	if o.marks == nil {
		o.marks = make(map[partition]fencing.Token)
	}
	o.marks[p] = t
	return nil
}
