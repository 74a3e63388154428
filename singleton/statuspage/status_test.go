package statuspage

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordv1 "k8s.io/api/coordination/v1"

	"github.com/hotseat-go/hotseat/fencing"
	"github.com/hotseat-go/hotseat/lease"
	"github.com/hotseat-go/hotseat/singleton"
)

// ask returns the answer in JSON.
func ask(t require.TestingT, h http.Handler) (s Status) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/status", nil))
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	require.Equal(t, fmt.Sprint(w.Body.Len()), w.Header().Get("Content-Length"))
	decoder := json.NewDecoder(w.Body)
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&s))
	return s
}

// The JSON tells of a handover and a crash what happened, to the active and to a standby.
func TestStatusThroughAHandoverAndACrash(t *testing.T) {
	inLab(t, func(l lab) {
		began := time.Now()
		a, _ := l.start("a", &scripted{})
		b, _ := l.start("b", &scripted{})
		time.Sleep(10*time.Second + 500*time.Millisecond)
		s := ask(l, Handler(a))
		token := a.Status().Token
		require.Equal(l, "active", s.State)
		require.Equal(l, a.Identity(), s.Identity)
		require.Equal(l, []string{"shop", "invoicer"}, []string{s.Namespace, s.Name})
		require.True(l, s.Since.Equal(began))
		require.True(l, s.At.Equal(time.Now()))
		require.InDelta(l, 9.5, s.ValidForSeconds, 0.01)
		require.Equal(l, Holder{
			Identity: a.Identity(), Self: true, Token: token.String(), Epoch: fmt.Sprint(token.Epoch), Since: s.Holder.Since,
		}, s.Holder)
		require.True(l, s.Holder.Since.Equal(began))
		require.Equal(l, []Guard{{Accepted: true, Epoch: s.Holder.Epoch, At: s.Guards[0].At}}, s.Guards)
		require.Equal(l, Timings{15, 10, 2, 0.05, 4.286}, s.Timings)
		require.Equal(l, token.Term, s.Lease.Term)
		require.Equal(l, 15, s.Lease.DurationSeconds)
		require.False(l, s.Overrun || s.LeaseMissing)
		require.Empty(l, s.NotReady)

		standby := ask(l, Handler(b))
		require.Equal(l, "standby", standby.State)
		require.Zero(l, standby.ValidForSeconds)
		require.Empty(l, standby.Guards)
		require.Equal(l, a.Identity(), standby.Holder.Identity)
		require.False(l, standby.Holder.Self)

		a.Resign()
		time.Sleep(10 * time.Second)
		l.Link("b").BlackHole()
		time.Sleep(20 * time.Second)
		merged := Merge(ask(l, Handler(a)).History, ask(l, Handler(b)).History)
		var reasons []string
		for _, term := range merged {
			require.True(l, term.Own)
			reasons = append(reasons, term.Holder[:1]+" "+term.Reason)
		}
		require.Equal(l, []string{"a ", "b expired", "a resigned"}, reasons)
	})
}

func TestStatusOfGuards(t *testing.T) {
	inLab(t, func(l lab) {
		good, bad := &scripted{}, &scripted{}
		a, _ := l.start("a", good, bad)
		bad.says(fmt.Errorf("%w: password=hunter2", fencing.ErrUnavailable))
		time.Sleep(15*time.Second + time.Millisecond)
		s := ask(l, Handler(a))
		require.Len(l, s.Guards, 2)
		require.True(l, s.Guards[0].Accepted)
		require.Equal(l, Guard{Index: 1, Kind: "unavailable", Epoch: s.Holder.Epoch, At: s.Guards[1].At}, s.Guards[1])
		body, err := json.Marshal(s)
		require.NoError(l, err)
		require.NotContains(l, string(body), "hunter2", "an error's text may hold a secret")
		bad.says(nil)
		time.Sleep(15 * time.Second)
		require.True(l, ask(l, Handler(a)).Guards[1].Accepted)
	})
}

// What is wrong with the Lease is in the answer, and what others wrote on it is not.
func TestStatusOfTheLease(t *testing.T) {
	inLab(t, func(l lab) {
		a, _ := l.start("a")
		require.NoError(l, l.EditLease(func(o *coordv1.Lease) {
			o.Annotations["example.com/secret"] = "hunter2"
			o.Annotations["kubectl.kubernetes.io/last-applied-configuration"] = "hunter2"
		}))
		time.Sleep(time.Second)
		w := httptest.NewRecorder()
		Handler(a).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		require.NotContains(l, w.Body.String(), "hunter2")
		a.SetEligible(false)
		l.DeleteLease()
		time.Sleep(time.Second)
		s := ask(l, Handler(a))
		require.True(l, s.LeaseMissing)
		require.Zero(l, s.Holder)
		require.Zero(l, s.Lease)
		require.Equal(l, "deleted", s.History[0].Reason)
	})
}

// A holder of another program is told of.
func TestStatusBesideAnotherProgram(t *testing.T) {
	inLab(t, func(l lab) {
		a, _ := l.start("a")
		b, _ := l.start("b")
		require.Empty(l, ask(l, Handler(b)).OtherProgram)
		require.NoError(l, l.EditLease(func(o *coordv1.Lease) { o.Annotations[lease.AnnotationProgram] = "mailer" }))
		time.Sleep(time.Second)
		require.Equal(l, "mailer", ask(l, Handler(b)).OtherProgram)
		require.Empty(l, ask(l, Handler(a)).OtherProgram)
	})
}

func TestStatusBeforeAndAfterRun(t *testing.T) {
	inLab(t, func(l lab) {
		e, err := singleton.New(l.Client("a"), singleton.Config{Name: "invoicer", Namespace: "shop"})
		require.NoError(l, err)
		s := ask(l, Handler(e))
		require.Equal(l, "stopped", s.State)
		require.Equal(l, "singleton: stopped", s.NotReady)
		require.Equal(l, []Term{}, s.History)
		require.Equal(l, []Guard{}, s.Guards)
		require.False(l, s.LeaseMissing, "nobody has looked")
	})
}

func TestStatusWithoutTheRightToWatch(t *testing.T) {
	inLab(t, func(l lab) {
		l.Forbid("b", "watch")
		a, _ := l.start("a")
		b, _ := l.start("b")
		require.False(l, ask(l, Handler(a)).Polls)
		require.True(l, ask(l, Handler(b)).Polls)
	})
}

// A drain tells why work has to return, and by when.
func TestStatusOfADrain(t *testing.T) {
	inLab(t, func(l lab) {
		e, err := singleton.New(l.Client("a"), singleton.Config{
			Name: "invoicer", Namespace: "shop", Logger: slog.New(slog.DiscardHandler),
			Replica: singleton.ReplicaConfig{Identity: "a", DrainLimit: time.Minute},
		})
		require.NoError(l, err)
		require.Nil(l, ask(l, Handler(e)).Work)
		ctx, cancel := context.WithCancel(context.Background())
		free, done := make(chan struct{}), make(chan error, 1)
		go func() {
			done <- e.Run(ctx, func(_ context.Context, term *singleton.Term) error {
				time.Sleep(2 * time.Second)
				term.Progress()
				<-free
				return nil
			})
		}()
		time.Sleep(time.Second)
		require.Equal(l, &Work{Started: true}, ask(l, Handler(e)).Work)
		time.Sleep(2 * time.Second)
		reported := ask(l, Handler(e)).Work.Progress
		require.Equal(l, 1., time.Since(reported).Seconds())
		began := time.Now()
		e.Resign()
		time.Sleep(time.Second)
		s := ask(l, Handler(e))
		require.Equal(l, "draining", s.State)
		require.Equal(l, "resigned", s.Work.Ending)
		require.True(l, s.Work.Limit.Equal(began.Add(time.Minute)), s.Work.Limit)
		require.True(l, s.Work.Progress.Equal(reported))
		close(free)
		cancel()
		require.NoError(l, <-done)
		require.Nil(l, ask(l, Handler(e)).Work)
	})
}

func TestMethods(t *testing.T) {
	inLab(t, func(l lab) {
		a, _ := l.start("a")
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodOptions, "BREW"} {
			w := httptest.NewRecorder()
			Handler(a).ServeHTTP(w, httptest.NewRequest(method, "/status", strings.NewReader("{}")))
			require.Equal(l, http.StatusMethodNotAllowed, w.Code, method)
			require.Equal(l, "GET, HEAD", w.Header().Get("Allow"))
		}
		w := httptest.NewRecorder()
		Handler(a).ServeHTTP(w, httptest.NewRequest(http.MethodHead, "/status", nil))
		require.Equal(l, http.StatusOK, w.Code)
		require.Zero(l, w.Body.Len())
		require.NotEqual(l, "0", w.Header().Get("Content-Length"))
	})
}

// The example in the package documentation has all members but those that say what is wrong.
func TestDocumentedJSON(t *testing.T) {
	source, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	var text strings.Builder
	for line := range strings.Lines(string(source)) {
		if example, ok := strings.CutPrefix(line, "//\t"); ok && !strings.HasPrefix(example, "mux.") {
			text.WriteString(example)
		}
	}
	var s Status
	decoder := json.NewDecoder(strings.NewReader(text.String()))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&s))
	again, err := json.Marshal(s)
	require.NoError(t, err)
	require.JSONEq(t, text.String(), string(again))
}
