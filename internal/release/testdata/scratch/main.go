// Command scratch is a service as it was before it had hotseat.
package main

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

func main() {
	client, err := kubernetes.NewForConfig(&rest.Config{})
	fmt.Println(client, err, prometheus.NewRegistry())
}
