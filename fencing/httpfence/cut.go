package httpfence

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
)

// serve calls next with ctx, and cuts it off from its client when a newer term comes.
func (f *Fence) serve(ctx context.Context, t fencing.Token, next http.Handler, w http.ResponseWriter, r *http.Request) {
	defer f.cutOff(ctx, t, w)()
	inner := r.WithContext(ctx)
	if r.Body != nil && r.Body != http.NoBody {
		inner.Body = body{r.Body, ctx}
	}
	defer func() { r.MultipartForm = inner.MultipartForm }() // the server removes the files of the request it made
	next.ServeHTTP(w, inner)
}

// cutOff ends what blocks in reading from or writing to the client when a newer term comes. The returned function
// ends that; it must be called before the handler is over, when w may no longer be used.
func (f *Fence) cutOff(ctx context.Context, t fencing.Token, w http.ResponseWriter) (stop func()) {
	control, cut := http.NewResponseController(w), make(chan bool, 1)
	running, over := context.WithCancel(context.WithoutCancel(ctx))
	cancel := context.AfterFunc(ctx, func() {
		newer := superseded(ctx) != nil || f.awaitNewer(running, t)
		if newer {
			past := time.Unix(1, 0)
			_ = control.SetReadDeadline(past) // an error: w has no connection to block in
			_ = control.SetWriteDeadline(past)
		}
		cut <- newer
	})
	return func() {
		over()
		if cancel() {
			return
		}
		if <-cut {
			_ = control.SetWriteDeadline(answerBy(ctx)) // for the answer; the rest of the body stays unread
		}
	}
}

// awaitNewer waits, for work whose context ended for another reason, until a newer term comes or the work is over, with
// which running ends. A second entry tells: it is at the guard beside the first one, and ends for nothing else.
func (f *Fence) awaitNewer(running context.Context, t fencing.Token) bool {
	watch, leave, err := f.config.Guard.Enter(running, t)
	if err != nil {
		return errors.Is(err, fencing.ErrStale)
	}
	defer leave()
	<-watch.Done()
	return superseded(watch) != nil
}

// answerBy is when the server would give up writing an answer that it begins now; zero means never.
func answerBy(ctx context.Context) time.Time {
	if server, ok := ctx.Value(http.ServerContextKey).(*http.Server); ok && server.WriteTimeout > 0 {
		return time.Now().Add(server.WriteTimeout)
	}
	return time.Time{}
}

// superseded returns the cause of ctx's end if that is a newer term, else nil.
func superseded(ctx context.Context) error {
	if ctx.Err() != nil {
		if cause := context.Cause(ctx); errors.Is(cause, fencing.ErrStale) {
			return cause
		}
	}
	return nil
}

// body of a request, which ends with the term; ctx is that of the request.
type body struct {
	io.ReadCloser
	ctx context.Context //nolint:containedctx // a request's body and its context are of one life
}

func (b body) Read(p []byte) (int, error) {
	if err := superseded(b.ctx); err != nil { // what the server has buffered needs no connection
		return 0, err
	}
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		if cause := superseded(b.ctx); cause != nil {
			err = cause
		}
	}
	return n, err
}
