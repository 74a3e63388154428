package statuspage

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/hotseat-go/hotseat/singleton"
)

// Handler answers GET and HEAD with the elector's [Status] in JSON. Any other method gets 405, with
// Allow. No cache may keep the answer. Anybody who reaches the handler may ask, so mount it where
// operators alone reach it. The answer holds no secrets, but names Pods and programs. The handler
// is safe for concurrent use.
func Handler(e *singleton.Elector) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "the method must be GET or HEAD", http.StatusMethodNotAllowed)
			return
		}
		body, err := json.Marshal(Of(e))
		if err != nil { // a time with a year above 9999 is on the Lease
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		h.Set("Content-Type", "application/json")
		h.Set("Content-Length", strconv.Itoa(len(body)+1))
		if r.Method != http.MethodHead {
			_, _ = w.Write(append(body, '\n'))
		}
	})
}
