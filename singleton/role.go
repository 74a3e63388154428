package singleton

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// RoleHandler tells load balancers and health checks which replica is active. Mount it at any path,
// such as /active. Anybody who reaches it may ask: it needs no rights, and makes no request.
//   - 200: this replica is active. Its work has started, the work's context has not ended, and the
//     term is valid at the moment of the answer.
//   - 503: it is not.
//   - 405, with Allow: the method is none of GET, HEAD and OPTIONS. HEAD and OPTIONS get the same
//     status as GET: 200 or 503.
//
// No cache may keep the answer. Its body is a JSON object:
//
//	{
//	  "state": "standby",
//	  "identity": "invoicer-1_6f02c1e9a4b8d375",
//	  "holder": "invoicer-0_31d523f85aa30e15",
//	  "epoch": "42",
//	  "token": "shop/invoicer@42.9f86d081884c7d659a2feaa0c55ad015"
//	}
//
// Its members are these.
//   - state is a [State], but not always that of [Status]: it is "active" only with 200. While work
//     waits for guards and OnAcquire, it is "acquiring". Once the term has ended, it is "draining".
//   - identity is this replica's, see [Elector.Identity].
//   - holder is who this replica saw last on the Lease, and token is the holder's. They are empty
//     if there is none.
//   - epoch is the token's. It is a string, because it may be too large for a JSON number.
//
// 200 is no permission to write: the term can end while the answer travels. Do not use the handler
// as a readiness probe, because standbys have to be ready ([Elector.Ready]). The handler is safe
// for concurrent use.
func (e *Elector) RoleHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		switch r.Method {
		case http.MethodGet, http.MethodHead, http.MethodOptions:
		default:
			h.Set("Allow", "GET, HEAD, OPTIONS")
			http.Error(w, "the method must be GET, HEAD or OPTIONS", http.StatusMethodNotAllowed)
			return
		}
		if r.Method == http.MethodOptions {
			h.Set("Allow", "GET, HEAD, OPTIONS")
		}
		h.Set("Content-Type", "application/json")
		active, body := e.role()
		h.Set("Content-Length", strconv.Itoa(len(body)))
		if active {
			w.WriteHeader(http.StatusOK)
		} else {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		if r.Method != http.MethodHead {
			_, _ = w.Write(body)
		}
	})
}

// role is the answer of RoleHandler. Whether the term is valid is looked at last.
func (e *Elector) role() (active bool, body []byte) {
	s := e.status.Load()
	state, holder := s.state, s.holder
	if s.term != nil && s.term.Valid() {
		holder = Holder{Identity: e.Identity(), Token: s.term.Token(), Self: true}
	}
	answer := roleAnswer{Identity: e.Identity(), Holder: holder.Identity}
	if !holder.Token.IsZero() {
		answer.Epoch = strconv.FormatInt(holder.Token.Epoch, 10)
		answer.Token = holder.Token.String()
	}
	if state != StateActive {
		return false, answer.in(state)
	}
	serving, starting, over := answer.in(StateActive), answer.in(StateAcquiring),
		answer.in(StateDraining)
	switch {
	case s.term.serves():
		return true, serving
	case s.term.working.Load() || s.term.ctx.Err() != nil || !s.term.Valid():
		return false, over
	}
	return false, starting
}

type roleAnswer struct {
	State    string `json:"state"`
	Identity string `json:"identity"`
	Holder   string `json:"holder"`
	Epoch    string `json:"epoch"`
	Token    string `json:"token"`
}

func (a roleAnswer) in(s State) []byte {
	a.State = s.String()
	body, err := json.Marshal(a)
	if err != nil {
		return []byte("{}") // never: a struct of strings
	}
	return append(body, '\n')
}
