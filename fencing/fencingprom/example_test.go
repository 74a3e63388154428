package fencingprom_test

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/fencing/fencingprom"
)

// Prometheus scrapes the checks, refusals and marks of a guard.
func Example() {
	memory, err := fencing.NewMemory(fencing.MemoryConfig{})
	if err != nil {
		panic(err)
	}
	guard, err := fencingprom.NewTracker(memory, fencingprom.Config{Name: "ledger"})
	if err != nil {
		panic(err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(guard)

	ctx, scope := context.Background(), fencing.Scope("shop", "invoicer")
	token := fencing.Token{Scope: scope, Epoch: 7, Term: "0123456789abcdef0123456789abcdef"}
	_ = guard.Check(ctx, token)
	token.Epoch = 6
	_ = guard.Check(ctx, token)

	families, err := registry.Gather()
	if err != nil {
		panic(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			for _, label := range m.GetLabel() {
				if label.GetName() == "result" && m.GetCounter().GetValue() > 0 {
					fmt.Println(family.GetName(), label.GetValue(), m.GetCounter().GetValue())
				}
			}
		}
	}
	// Output:
	// hotseat_guard_checks_total ok 1
	// hotseat_guard_checks_total stale 1
}
