package linear_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hotseat-go/hotseat/internal/linear"
)

// access to a register of one digit: one that writes may have come to nothing.
type access struct {
	write, perhaps bool
	value          int
}

func register() linear.Model[int, access] {
	return linear.Model[int, access]{Step: func(s int, a access) []int {
		switch {
		case a.write && a.perhaps:
			return []int{s, a.value}
		case a.write:
			return []int{a.value}
		case a.value == s:
			return []int{s}
		default:
			return nil
		}
	}}
}

func TestCheck(t *testing.T) {
	write := func(from, to int64, value int) linear.Call[access] {
		return linear.Call[access]{From: from, To: to, Call: access{write: true, value: value}}
	}
	lost := func(from int64, value int) linear.Call[access] {
		return linear.Call[access]{From: from, To: linear.Never, Call: access{write: true, perhaps: true, value: value}}
	}
	read := func(from, to int64, value int) linear.Call[access] {
		return linear.Call[access]{From: from, To: to, Call: access{value: value}}
	}
	for name, c := range map[string]struct {
		want  linear.Verdict
		calls []linear.Call[access]
	}{
		"nothing":                    {linear.Explained, nil},
		"in order":                   {linear.Explained, []linear.Call[access]{write(1, 2, 5), read(3, 4, 5)}},
		"never written":              {linear.Unexplained, []linear.Call[access]{write(1, 2, 5), read(3, 4, 6)}},
		"an older value":             {linear.Unexplained, []linear.Call[access]{write(1, 2, 5), write(3, 4, 6), read(5, 6, 5)}},
		"the order of writes beside": {linear.Explained, []linear.Call[access]{write(1, 4, 5), write(2, 3, 6), read(5, 6, 5)}},
		"before it began":            {linear.Unexplained, []linear.Call[access]{read(1, 2, 5), write(3, 4, 5)}},
		"as it began":                {linear.Explained, []linear.Call[access]{read(1, 2, 5), write(2, 4, 5)}},
		"back and forth":             {linear.Unexplained, []linear.Call[access]{write(1, 9, 5), write(1, 9, 6), read(2, 3, 5), read(4, 5, 6), read(6, 7, 5)}},
		"lost, seen":                 {linear.Explained, []linear.Call[access]{lost(1, 5), read(2, 3, 0), read(4, 5, 5)}},
		"lost, never seen":           {linear.Explained, []linear.Call[access]{lost(1, 5), write(2, 3, 6), read(4, 5, 6)}},
		"lost, seen twice":           {linear.Unexplained, []linear.Call[access]{lost(1, 5), read(2, 3, 5), write(4, 5, 6), read(6, 7, 5)}},
	} {
		require.Equal(t, c.want, linear.Check(register(), c.calls, time.Minute), name)
	}
}

// Without an answer in time there is none.
func TestUndecided(t *testing.T) {
	var calls []linear.Call[access]
	for i := range 40 { // which were written in any order, and then one that nobody wrote was read
		calls = append(calls, linear.Call[access]{From: 1, To: 2, Call: access{write: true, value: i}})
	}
	calls = append(calls, linear.Call[access]{From: 3, To: 4, Call: access{value: 99}})
	require.Equal(t, linear.Undecided, linear.Check(register(), calls, 10*time.Millisecond))
}
