// Package controller has the operator's controller.
package controller

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hotseat-go/hotseat/fencing"
)

// Greeting answers each ConfigMap that has a name in it with a greeting.
type Greeting struct{ client.Client }

// Reconcile greets. What it writes shows which term it was written in: with hotseat, each context
// carries the term's token, and a guard can refuse writes of an earlier one (package kubefence).
func (g *Greeting) Reconcile(ctx context.Context, r ctrl.Request) (ctrl.Result, error) {
	var object corev1.ConfigMap
	if err := g.Get(ctx, r.NamespacedName, &object); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	name := object.Data["name"]
	if name == "" || object.Data["greeting"] != "" {
		return ctrl.Result{}, nil
	}
	object.Data["greeting"] = "Hello, " + name
	if token, ok := fencing.FromContext(ctx); ok {
		object.Data["epoch"] = fmt.Sprint(token.Epoch)
	}
	return ctrl.Result{}, g.Update(ctx, &object)
}

// SetupWithManager adds the controller to the manager.
func (g *Greeting) SetupWithManager(m ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(m).Named("greeting").For(&corev1.ConfigMap{}).Complete(g)
}
