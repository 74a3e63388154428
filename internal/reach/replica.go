package reach

import (
	"fmt"
	"net/http"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
)

// Who is what a replica of that name answers a [Prober] with: its name, and the epoch of the token
// that the request's context carries.
func Who(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := fencing.FromContext(r.Context())
		fmt.Fprintln(w, name, token.Epoch)
	})
}

// Stream goes on until it cannot; it does not look at its context. Only who cuts the connection off
// ends it.
func Stream(w http.ResponseWriter, _ *http.Request) {
	for {
		if _, err := fmt.Fprintln(w, "on"); err != nil {
			return
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}
