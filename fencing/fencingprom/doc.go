// Package fencingprom counts what a guard does, for Prometheus. It wraps a guard, and is both that guard and a
// collector:
//
//	ledger, err := fencingprom.NewTracker(memory, fencingprom.Config{Name: "ledger"})
//	registry.MustRegister(ledger)
//	http.Handle("/append", handler(ledger))
//
// It sees what passes through its methods. A guard that has doors of its own, such as sqlfence's InTx, is told of them:
//
//	return ledger.Observe(token, guard.InTx(ctx, token, nil, fn))
//
// All metrics have the label guard, which is Config.Name:
//
//	hotseat_guard_checks_total{result}           effects that asked to be admitted (Check, Enter, Observe), by what came of it
//	hotseat_guard_announcements_total{result}    tokens announced (Announce), by what came of it
//	hotseat_guard_announcement_duration_seconds  histogram: time an announcement took, waiting for older work included
//	hotseat_guard_stale_lag_epochs               histogram: by how much a stale token's epoch was below the mark
//	hotseat_guard_mark_epoch{scope}              highest epoch this process saw the guard hold
//
// # Results
//
// A refusal's result is its fencing.Kind.
//
//	ok           admitted
//	stale        a newer term was admitted: with a mark that rises, an old active that came back; steadily, a guard that is ahead of the Lease
//	conflict     another term has this epoch: the API server was restored from an old copy
//	missing      no token
//	malformed    a damaged token
//	scope        a token of another scope: a wiring mistake
//	wiring       no guard where one was looked for, or no right to use it: a wiring mistake
//	unavailable  the guard could not decide, or older work is still in flight
//	unfenced     admitted without a token, by fencing.AllowUnfenced: each is a decision somebody made
//	other        any other error, such as that of a context that ended, or of the effect itself
//
// # Cardinality
//
// Labels never carry a term, a holder or an epoch. Results are the ten above. Scopes are those of the first Config.Scopes scopes
// that the guard admitted; a scope that was only refused gets no series, so callers cannot make them up where tokens are
// authenticated. Those beyond are counted under the results like all others.
//
// Epochs are exact in a float64 up to 2^53.
package fencingprom
