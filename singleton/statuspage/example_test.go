package statuspage_test

import (
	"net/http"

	"github.com/hotseat-go/hotseat/singleton"
	"github.com/hotseat-go/hotseat/singleton/statuspage"
)

// Mount the page where operators alone reach it, such as on the port of the metrics.
func ExampleHandler() {
	serve := func(elector *singleton.Elector) http.Handler {
		mux := http.NewServeMux()
		mux.Handle("/active", elector.RoleHandler())
		mux.Handle("/status", statuspage.Handler(elector))
		return mux
	}
	_ = serve
}

// A page of all replicas asks each for its own.
func ExampleSideBySide() {
	replicas := []string{
		"http://invoicer-0.invoicer.shop.svc:8080/status",
		"http://invoicer-1.invoicer.shop.svc:8080/status",
	}
	mux := http.NewServeMux()
	mux.Handle("/replicas", statuspage.SideBySide(func() []string { return replicas }))
}
