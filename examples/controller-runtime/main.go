// Controller-runtime is an operator as kubebuilder scaffolds it, before and after it took up hotseat.
// What differs is in before.go and after.go; README.md has the changed lines.
//
//	KUBECONFIG=~/.kube/config POD_NAMESPACE=default go run . [-before]
package main

import (
	"cmp"

	"flag"
	"log/slog"
	"os"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/hotseat-go/hotseat/examples/controller-runtime/internal/controller"
)

// operator is one process of the operator.
type operator struct {
	config    *rest.Config
	namespace string
	options   ctrl.Options // all that is not about the election
}

func main() {
	old := flag.Bool("before", false, "elect as before hotseat was there")
	metrics := flag.String("metrics-bind-address", ":8080", "where metrics are served")
	probes := flag.String("health-probe-bind-address", ":8081", "where probes are answered")
	flag.Parse()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	ctrl.SetLogger(logr.FromSlogHandler(log.Handler()))
	config, err := ctrl.GetConfig()
	if err != nil {
		log.Error("no configuration", "error", err)
		os.Exit(1)
	}
	namespace := cmp.Or(os.Getenv("POD_NAMESPACE"), "default")
	o := operator{config: config, namespace: namespace, options: options(namespace)}
	o.options.Metrics, o.options.HealthProbeBindAddress = server.Options{BindAddress: *metrics}, *probes
	run := after
	if *old {
		run = before
	}
	if err := run(ctrl.SetupSignalHandler(), o); err != nil {
		log.Error("the manager has ended", "error", err)
		os.Exit(1)
	}
}

func options(namespace string) ctrl.Options {
	known := runtime.NewScheme()
	if err := scheme.AddToScheme(known); err != nil {
		panic(err) // two types of one name
	}
	return ctrl.Options{
		Scheme: known,
		Cache:  cache.Options{DefaultNamespaces: map[string]cache.Config{namespace: {}}},
	}
}

// setUp adds the controllers and the probes.
func setUp(m manager.Manager) error {
	if err := (&controller.Greeting{Client: m.GetClient()}).SetupWithManager(m); err != nil {
		return err
	}
	return m.AddHealthzCheck("healthz", healthz.Ping)
}
