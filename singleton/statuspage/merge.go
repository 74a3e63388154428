package statuspage

import (
	"cmp"
	"slices"
	"strconv"
	"time"
)

// Merge returns the terms that several replicas remember, each once, newest first. The order of its
// arguments does not matter.
//
// Of each term the holder's own account counts, where there is one. If that account has no end yet,
// the end and reason are those that the other replicas saw: the holder may have been frozen or
// killed before it could tell. Of two accounts by other replicas, the start that was seen counts
// rather than one that may have been earlier ([Term].Joined), and then the earlier one. The reason
// that says more counts, with its end. The last renewal that anybody saw counts.
//
// Terms are the same if their tokens have the same random id. A term without a token is the same as
// another one of that holder if they overlap.
func Merge(histories ...[]Term) []Term {
	var all []Term
	for _, history := range histories {
		all = append(all, history...)
	}
	slices.SortFunc(all, func(a, b Term) int { // so that the order of the arguments is lost
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Holder, b.Holder),
			cmp.Compare(a.Term, b.Term), a.End.Compare(b.End), cmp.Compare(a.Reason, b.Reason))
	})
	var merged []Term
	for _, t := range all {
		i := slices.IndexFunc(merged, func(m Term) bool { return sameTerm(m, t) })
		if i < 0 {
			merged = append(merged, t)
		} else {
			merged[i] = both(merged[i], t)
		}
	}
	tokens := !slices.ContainsFunc(merged, func(t Term) bool { return t.epoch() == 0 })
	slices.SortStableFunc(merged, func(a, b Term) int {
		if tokens { // which order terms whatever the clocks of their machines say
			return cmp.Or(cmp.Compare(b.epoch(), a.epoch()), b.Start.Compare(a.Start))
		}
		return b.Start.Compare(a.Start)
	})
	return merged
}

func sameTerm(a, b Term) bool {
	if a.Term != "" || b.Term != "" {
		return a.Term == b.Term
	}
	return a.Holder == b.Holder && (a.End.IsZero() || b.Start.Before(a.End)) &&
		(b.End.IsZero() || a.Start.Before(b.End))
}

// both returns what two accounts of one term say together.
func both(a, b Term) Term {
	if b.Own && !a.Own {
		a, b = b, a
	}
	t := a
	if !a.Own && (a.Joined && !b.Joined || a.Joined == b.Joined && b.Start.Before(a.Start)) {
		t.Start, t.Joined = b.Start, b.Joined
	}
	if !a.Own && b.epoch() > a.epoch() { // it was raised
		t.Epoch = b.Epoch
	}
	better := says(b.Reason) > says(a.Reason) ||
		says(b.Reason) == says(a.Reason) && b.End.Before(a.End)
	if a.End.IsZero() || !a.Own && !b.End.IsZero() && better {
		t.End, t.Reason = b.End, b.Reason
	}
	if t.Renewed = a.Renewed; b.Renewed.After(t.Renewed) {
		t.Renewed = b.Renewed
	}
	if a.Own && !a.End.IsZero() {
		t.Renewed = time.Time{}
	}
	return t
}

// says is how much the reason says.
func says(reason string) int {
	switch reason {
	case "":
		return 0
	case "unseen":
		return 1
	case "taken":
		return 2
	}
	return 3
}

func (t Term) epoch() int64 { return number(t.Epoch) }

// number is 0 if there is none.
func number(epoch string) int64 {
	n, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
