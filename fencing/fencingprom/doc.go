// Package fencingprom counts what a guard does, for Prometheus. It wraps a guard. The result is
// both a guard and a collector:
//
//	ledger, err := fencingprom.NewTracker(memory, fencingprom.Config{Name: "ledger"})
//	registry.MustRegister(ledger)
//	http.Handle("/append", handler(ledger))
//
// It counts only what passes through its methods. If a guard has other methods that admit effects,
// such as InTx of sqlfence, pass their outcome to Observe:
//
//	return ledger.Observe(token, guard.InTx(ctx, token, nil, fn))
//
// All metrics have the label guard, which is Config.Name:
//
//	hotseat_guard_checks_total{result}           effects that were checked (Check, Enter, Observe)
//	hotseat_guard_announcements_total{result}    tokens announced (Announce)
//	hotseat_guard_announcement_duration_seconds  histogram: time of an announcement, waits included
//	hotseat_guard_stale_lag_epochs               histogram: a stale token's distance below the mark
//	hotseat_guard_mark_epoch{scope}              highest epoch that this process saw in the guard
//
// # Results
//
// A refusal's result is its fencing.Kind.
//
//	ok           admitted
//	stale        a newer term was admitted: an old active came back. If such refusals go on
//	             and the mark does not rise, the guard is ahead of the Lease
//	conflict     another term has this epoch: the API server was restored from an old copy
//	missing      no token
//	malformed    a damaged token
//	scope        a token of another scope: a wiring mistake
//	wiring       there is no guard there, or no right to use it: a wiring mistake
//	unavailable  the guard could not decide, or older work is still in flight
//	unfenced     admitted without a token, because fencing.AllowUnfenced allowed it
//	other        any other error: for example, a context ended, or the effect itself failed
//
// # Cardinality
//
// Labels never contain a term, a holder or an epoch. Results are the ten above. The label scope has
// the first Config.Scopes scopes that the guard admitted. A scope that was only refused gets no
// series, so callers cannot invent series where tokens are authenticated. Further scopes are still
// counted under the results.
//
// Epochs up to 2^53 are exact in a float64.
package fencingprom
