package singleton

// JoinHooks returns Hooks whose functions call the functions of every argument, in the order given.
// A nil function is left out.
//
// If one of them panics, the others are called all the same. So whenever an OnLose is called, the
// OnAcquire of the same Hooks was called before. Put [ExitOnOverrun] last: it does not return.
func JoinHooks(all ...Hooks) Hooks {
	var joined Hooks
	for _, next := range all {
		joined.OnAcquire = inTurn(joined.OnAcquire, next.OnAcquire)
		joined.OnLose = inTurn(joined.OnLose, next.OnLose)
		joined.OnHolder = oneInTurn(joined.OnHolder, next.OnHolder)
		joined.OnOverrun = oneInTurn(joined.OnOverrun, next.OnOverrun)
	}
	return joined
}

func inTurn[A, B any](first, second func(A, B)) func(A, B) {
	switch {
	case first == nil:
		return second
	case second == nil:
		return first
	}
	return func(a A, b B) {
		defer second(a, b) // even if first panics
		first(a, b)
	}
}

func oneInTurn[A any](first, second func(A)) func(A) {
	switch {
	case first == nil:
		return second
	case second == nil:
		return first
	}
	return func(a A) {
		defer second(a)
		first(a)
	}
}
