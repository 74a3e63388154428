package leadermetrics_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/leadermetrics"
)

// Dashboards that were made for client-go's elector go on working.
func Example() {
	cluster := shop()
	defer cluster.Close()
	elector, err := singleton.New(cluster.Client("a"), singleton.Config{
		Namespace: "shop", Name: "invoicer", Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		panic(err)
	}
	aliases, err := leadermetrics.New(elector, leadermetrics.Config{})
	if err != nil {
		panic(err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(elector, aliases)

	err = elector.Run(context.Background(), func(context.Context, *singleton.Term) error {
		families, err := registry.Gather()
		for _, family := range families {
			if family.GetName() == "leader_election_master_status" {
				metric := family.GetMetric()[0]
				fmt.Println(family.GetName(), metric.GetLabel()[0].GetValue(), metric.GetGauge().GetValue())
			}
		}
		return err
	})
	fmt.Println("Run:", err)
	// Output:
	// leader_election_master_status invoicer 1
	// Run: <nil>
}
